/**
 * The rate limit: how many requests a project may make, so many a minute in the long run, so many of them at once.
 *
 * Of a project one time is kept: when the requests it has made would be used up at the pace of the limit (the "generic cell
 * rate algorithm": a token bucket of which nothing need be filled). A request is refused while that lies further ahead than
 * the burst reaches; its client is told in how many seconds it may come again. Each process counts for itself: behind a
 * balancer over three, a project has three times as many.
 *
 * Requests of nobody are not counted, since nobody is refused anyway; a proxy in front is the place to stop a flood of them.
 */
import { elapsed } from '../lib/clock.ts';
import { PumiceError } from '../model/errors.ts';

const MINUTE_MS = 60_000;
/** Times that are past say nothing: they are looked for at this many, then at twice as many as stayed. */
const FEW_KEPT = 10_000;

/**
 * A quota's 413 says "exceeded"; this one must not, nor be without `Retry-After`: by these two a client knows that to wait
 * will help.
 */
export class RateLimited extends PumiceError {
  override readonly status = 413;
  override readonly fault = 'overLimit';
  readonly retryAfterSeconds: number;
  constructor(retryAfterSeconds: number) {
    super(`This request was rate-limited: try again in ${retryAfterSeconds} s.`);
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export interface Allowance {
  readonly perMinute: number;
  /** Requests that would pass now. */
  readonly remaining: number;
  /** Until the next would pass; 0 when it would now. */
  readonly waitMs: number;
}

export class RateLimit {
  readonly #perMinute: number;
  readonly #intervalMs: number;
  /** How far ahead of now a project may have used its requests up. */
  readonly #reachMs: number;
  readonly #clock: () => number;
  readonly #usedUpTo = new Map<string, number>();
  #mostKept = FEW_KEPT;

  constructor(perMinute: number, burst: number, clock: () => number = elapsed) {
    this.#perMinute = perMinute;
    this.#intervalMs = MINUTE_MS / perMinute;
    this.#reachMs = burst * this.#intervalMs;
    this.#clock = clock;
  }

  /** Counts one request; throws `RateLimited`, which counts none. */
  take(projectId: string): void {
    const { waitMs } = this.allowance(projectId);
    if (waitMs > 0) throw new RateLimited(Math.ceil(waitMs / 1000));
    const now = this.#clock();
    this.#usedUpTo.set(projectId, this.#usedFrom(projectId, now) + this.#intervalMs);
    if (this.#usedUpTo.size > this.#mostKept) this.#forgetPast(now);
  }

  allowance(projectId: string): Allowance {
    const now = this.#clock();
    const left = now + this.#reachMs - this.#usedFrom(projectId, now);
    return {
      perMinute: this.#perMinute,
      // A hair more than whole, since milliseconds are added up.
      remaining: Math.max(0, Math.floor(left / this.#intervalMs + 1e-6)),
      waitMs: Math.max(0, this.#intervalMs - left - 1e-6),
    };
  }

  #usedFrom(projectId: string, now: number): number {
    return Math.max(now, this.#usedUpTo.get(projectId) ?? now);
  }

  #forgetPast(now: number): void {
    for (const [projectId, time] of this.#usedUpTo) if (time <= now) this.#usedUpTo.delete(projectId);
    this.#mostKept = Math.max(FEW_KEPT, 2 * this.#usedUpTo.size);
  }
}
