/**
 * A bell that cannot be missed: who took its count before looking for work does not sleep when it rang meanwhile.
 */
import { pause } from '../lib/clock.ts';

export class Bell {
  #rings = 0;
  #next = Promise.withResolvers<void>();

  /** How often it rang; take it before looking for work. */
  get rings(): number {
    return this.#rings;
  }

  ring(): void {
    this.#rings += 1;
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }

  /** Until it rings again after `heard`, or `ms` have passed. Rejects with the signal's reason when that is aborted. */
  async wait(heard: number, ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#rings !== heard) return;
    const done = new AbortController();
    try {
      await Promise.race([this.#next.promise, pause(ms, AbortSignal.any([signal, done.signal]))]);
    } finally {
      done.abort();
    }
  }
}
