/** How far a failed task on a backend has come: whether it has left nothing to be undone, and whether it was the one that failed. */
import type { FlowFailures } from '../engine/failure.ts';
import type { Outcome } from '../engine/task.ts';

/**
 * Whether the backend was not there to be asked. Then nothing was made on it, and waiting for it to undo nothing would keep
 * a volume from going elsewhere. A task that may have run before a crash is told `interrupted`, and is undone.
 */
export function neverAsked(outcome: Outcome<unknown>): boolean {
  return outcome.is === 'failed' && outcome.failure.name === 'DriverNotInitialized';
}

/** Whether what turned the flow back was the failure of one of these tasks, in a flow within this one too. */
export function failedIn([{ task }]: FlowFailures, ...names: readonly string[]): boolean {
  return names.some((name) => task === name || task.endsWith(`/${name}`));
}
