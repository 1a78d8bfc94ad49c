/**
 * An event count: a wake-up that cannot be missed. A loop takes the count, looks for work, and sleeps only while the count
 * is the same; a signal in between has changed it.
 */
import { pause } from '../lib/clock.ts';

export class EventCount {
  #count = 0;
  #next = Promise.withResolvers<void>();

  /** How often it was signalled; take it before looking for work. */
  get count(): number {
    return this.#count;
  }

  signal(): void {
    this.#count += 1;
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }

  /** Until it is signalled again after `heard`, or `ms` have passed. Rejects with the signal's reason when that is aborted. */
  async wait(heard: number, ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#count !== heard) return;
    const done = new AbortController();
    try {
      await Promise.race([this.#next.promise, pause(ms, AbortSignal.any([signal, done.signal]))]);
    } finally {
      done.abort();
    }
  }
}
