/** For properties about what others send: an error that nobody catches is a counterexample, and not the end of the run. */
import { setImmediate as turn } from 'node:timers/promises';

/** What escaped while the body ran and in the turns after it. One at a time in a process. */
export async function escaped(body: () => Promise<void>): Promise<readonly unknown[]> {
  const errors: unknown[] = [];
  const hear = (error: unknown): void => {
    errors.push(error);
  };
  process.setUncaughtExceptionCaptureCallback(hear);
  const listeners = process.rawListeners('unhandledRejection') as NodeJS.UnhandledRejectionListener[];
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', hear);
  try {
    await body();
    for (let n = 0; n < 5; n += 1) await turn();
  } finally {
    process.setUncaughtExceptionCaptureCallback(null);
    process.off('unhandledRejection', hear);
    for (const listener of listeners) process.on('unhandledRejection', listener);
  }
  return errors;
}
