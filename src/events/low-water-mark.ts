/**
 * The low-water mark of a sink in the outbox: a `seq` below which all events have been delivered to it.
 *
 * To look from the beginning reads through all that is kept: 300 ms for 100,000 events on SQLite, against half a
 * millisecond from here. But the highest `seq` that was delivered is no such mark: on PostgreSQL a transaction that is still
 * open may hold a lower one. It was given out when the event was written, and a transaction is short; so the mark is
 * below everything that was written lately, and above nothing that was not delivered.
 *
 * Should a transaction outlive that all the same (its process was stopped in the middle), its events are found when the
 * mark falls back to 0, as it does now and then.
 */
import { elapsed } from '../lib/clock.ts';

/** No transaction is open for so long. */
export const SETTLING_MS = 2 * 60_000;
const RESET_MS = 60 * 60_000;

export class LowWaterMark {
  readonly #clock: () => number;
  #seq = 0;
  #resetAt: number;

  /** `clock` gives monotonic milliseconds. */
  constructor(clock: () => number = elapsed) {
    this.#clock = clock;
    this.#resetAt = clock() + RESET_MS;
  }

  get seq(): number {
    if (this.#clock() >= this.#resetAt) {
      this.#resetAt = this.#clock() + RESET_MS;
      this.#seq = 0;
    }
    return this.#seq;
  }

  /** All that can be seen up to `delivered` was delivered, and nothing up to `settled` was written lately. */
  raise(delivered: number, settled: number): void {
    this.#seq = Math.max(this.#seq, Math.min(delivered, settled));
  }
}
