/** The cases in which a failed task on a backend has left nothing to be undone. */
import type { Outcome } from '../engine/task.ts';

/**
 * Whether the backend was not there to be asked. Then nothing was made on it, and waiting for it to undo nothing would keep
 * a volume from going elsewhere. A task that may have run before a crash is told `interrupted`, and is undone.
 */
export function neverAsked(outcome: Outcome<unknown>): boolean {
  return outcome.is === 'failed' && outcome.failure.name === 'DriverNotInitialized';
}
