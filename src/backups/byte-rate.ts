/**
 * A rate that is kept (a token bucket): whoever has read or written some bytes waits until as much time has passed as they may take. What was not used
 * in a quarter of a second is lost, so that nobody saves up for a burst.
 */
import type { Clock } from '../lib/clock.ts';

const SAVED_MS = 250;

export class ByteRate {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  /** When all that was spent will have been paid for. */
  #paidAt: number;

  /** `bytesPerSecond`: 0 is no limit. */
  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
    this.#paidAt = clock.elapsed();
  }

  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytesPerSecond === 0) return;
    const now = this.#clock.elapsed();
    this.#paidAt = Math.max(this.#paidAt, now - SAVED_MS) + (bytes / this.#bytesPerSecond) * 1000;
    if (this.#paidAt > now) await this.#clock.pause(this.#paidAt - now, signal);
  }
}
