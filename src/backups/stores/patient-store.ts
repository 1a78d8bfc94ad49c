/**
 * Retries with back-off for a store: it is asked again, after growing pauses, while it is full, busy or silent; for so long after its
 * last success. Whoever waits for it is told why, and when it goes on.
 */
import { sizeText } from '../../lib/bytes.ts';
import type { Clock } from '../../lib/clock.ts';
import { BackupStoreFull, BackupStoreUnavailable } from '../../model/errors.ts';
import type { BackupStore } from './store.ts';

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

export interface Patience {
  readonly clock: Clock;
  readonly patienceMs: number;
  /** Reads `waits for the store: …`; null: it goes on. */
  waiting(why: string | null): void;
}

/** Calls that are made again like this, and told of together. */
export function patience({ clock, patienceMs, waiting }: Patience) {
  let failing = 0;
  return async function again<Result>(signal: AbortSignal, call: () => Promise<Result>): Promise<Result> {
    const since = clock.elapsed();
    for (let pauseMs = FIRST_PAUSE_MS, isFailing = false; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        const result = await call();
        if (isFailing && --failing === 0) waiting(null);
        return result;
      } catch (error) {
        const may = error instanceof BackupStoreFull || error instanceof BackupStoreUnavailable;
        const leftMs = patienceMs - (clock.elapsed() - since);
        if (!may || signal.aborted || leftMs <= 0) throw error;
        if (!isFailing) failing += 1;
        isFailing = true;
        waiting(whyOf(error));
        await clock.pause(Math.min(pauseMs, leftMs), signal);
      }
    }
  };
}

function whyOf(error: BackupStoreFull | BackupStoreUnavailable): string {
  if (error instanceof BackupStoreUnavailable) return `it does not answer (${error.message})`;
  const { needsBytes } = error;
  return needsBytes === null ? 'it is full' : `it is full, and about ${sizeText(needsBytes)} more are needed`;
}

export function patient(store: BackupStore, options: Patience): BackupStore {
  const again = patience(options);
  return {
    packBytes: store.packBytes,
    get: (name, signal, range) => again(signal, () => store.get(name, signal, range)),
    put: (name, body, signal) => again(signal, () => store.put(name, body, signal)),
    putNew: (name, body, signal) => again(signal, () => store.putNew(name, body, signal)),
    head: (name, signal) => again(signal, () => store.head(name, signal)),
    delete: (name, signal) => again(signal, () => store.delete(name, signal)),
    list: (prefix, signal) => store.list(prefix, signal),
    tidy: (signal) => again(signal, () => store.tidy(signal)),
    freeBytes: (signal) => again(signal, () => store.freeBytes(signal)),
  };
}
