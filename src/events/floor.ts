/**
 * From where on it is enough to look for events that a sink has not had.
 *
 * Looking from the beginning reads through all that is kept, for each batch, and grows with history. But the highest `seq`
 * delivered is no floor: on PostgreSQL a transaction that is still open may hold a lower one. It does not hold it for
 * long, though. So a `seq` becomes the floor when everything that could be seen up to it had been delivered, and then so
 * much time passed that every transaction of that moment has ended.
 *
 * To be safe from a transaction that outlived even that, the floor falls back to 0 now and then.
 */
import { elapsed } from '../lib/clock.ts';

/** The writer gives a transaction up long before. */
const SETTLING_MS = 10 * 60_000;
const RESET_MS = 60 * 60_000;

export class Floor {
  readonly #clock: () => number;
  #seq = 0;
  #candidate: { readonly seq: number; readonly at: number } | null = null;
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
      this.#candidate = null;
    }
    return this.#seq;
  }

  /** All that can be seen up to `seq` has been delivered. */
  settled(seq: number): void {
    this.#candidate ??= { seq, at: this.#clock() };
    if (this.#clock() - this.#candidate.at < SETTLING_MS) return;
    this.#seq = Math.max(this.#seq, this.#candidate.seq);
    this.#candidate = { seq, at: this.#clock() };
  }
}
