/** A copy of a volume follows what is written to it, from one moment to a later one. How is told in `catch-up.pl`. */
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Exec } from '../../lib/exec.ts';
import { COPY_LIMIT_MS } from './file-copy.ts';

const CATCH_UP = join(import.meta.dirname, 'catch-up.pl');

export interface CatchingUp {
  /** What `target` holds. It shares its blocks with `later`. */
  readonly before: string;
  readonly later: string;
  readonly target: string;
  /** 0: as fast as it goes. */
  readonly bytesPerSecond: number;
}

/** Resolves with how many bytes differed. `target` is durable then. */
export async function catchUp(exec: Exec, files: CatchingUp, signal: AbortSignal): Promise<number> {
  return Number(await exec(argvOf(files), { signal, timeoutMs: COPY_LIMIT_MS }));
}

/**
 * The same, as soon as `hold` has resolved, when nobody writes to `later` any more. The program is begun before, and has synced what
 * was written until then.
 */
export async function catchUpHeld(
  exec: Exec,
  files: CatchingUp,
  hold: () => Promise<void>,
  signal: AbortSignal,
): Promise<number> {
  const input = new PassThrough();
  const copied = exec([...argvOf(files), 'held'], { signal, timeoutMs: COPY_LIMIT_MS, input });
  // Told below; one that ends before must not end the process.
  copied.catch(() => {});
  try {
    await hold();
    input.write('held\n');
    return Number(await copied);
  } finally {
    input.end();
    await copied.catch(() => {});
  }
}

const argvOf = ({ before, later, target, bytesPerSecond }: CatchingUp) =>
  ['perl', CATCH_UP, before, later, target, String(bytesPerSecond)] as const;
