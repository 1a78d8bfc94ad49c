/**
 * How a flow waits for a backup store that is full, busy or silent: for so long as the configuration says, then it fails. Whoever looks at
 * the flow reads for what it waits, and since when.
 *
 * What copies does so itself (`backups/stores/patient-store.ts`). Here it is done for the few calls before and after a copy, so that a store that
 * is full for a while undoes no copy whose manifest alone was missing. The engine does not try again what was waited for so long.
 */
import { patience } from '../../backups/stores/patient-store.ts';
import type { Failure } from '../../engine/failure.ts';
import type { WorldContext } from '../../engine/task.ts';
import { CLOCK } from '../../lib/clock.ts';
import { BackupStoreFull, BackupStoreUnavailable } from '../../model/errors.ts';
import type { PlacedBackup } from './backup-place.ts';

export type WaitingCall = Pick<WorldContext<unknown>, 'signal' | 'waiting'>;
type Store = Pick<PlacedBackup, 'store' | 'patienceMs'>;

/** Tells what the flow waits for; null: it goes on. */
export const waitingFor =
  ({ store }: Pick<Store, 'store'>, call: WaitingCall) =>
  (why: string | null): void =>
    call.waiting(why === null ? null : { what: `backup store ${store}`, why });

/** Asks until the store has answered, or patience has run out. `ask` may be done again. */
export function patiently<Result>(placed: Store, call: WaitingCall, ask: () => Promise<Result>): Promise<Result> {
  const again = patience({ clock: CLOCK, patienceMs: placed.patienceMs, waiting: waitingFor(placed, call) });
  return again(call.signal, ask);
}

const WAITED_FOR: ReadonlySet<string> = new Set([BackupStoreFull.name, BackupStoreUnavailable.name]);

/** Of a task that waits so: what else passes is tried again as ever. */
export const WAITS = {
  retry: { tries: 4, when: ({ name, transient }: Failure): boolean => transient && !WAITED_FOR.has(name) },
} as const;
