/**
 * The resources of a sink that wait: an event of each was refused, and no later one of it may come before that.
 *
 * There may only be so many. A sink that refuses more is not well as a whole, and is asked for nothing new until some of them are
 * through. After a restart each is tried again at once, and where it fails goes on with the pauses that it had come to.
 */
import { fromNow, now } from '../lib/clock.ts';
import type { OutboxEvent } from '../model/event.ts';
import type { WaitingResource } from '../model/sink.ts';

/** Of one sink. */
export const MOST_BLOCKED = 100;

/** An event that a sink did not take. */
export interface RefusedEvent {
  readonly event: OutboxEvent;
  readonly error: Error;
  /** Milliseconds for which the sink asked to be left alone with it. */
  readonly atLeastMs?: number;
}

interface Blocked extends WaitingResource {
  /** `nextTryAt` by the monotonic clock. */
  readonly dueAt: number;
}

export class BlockedResources {
  readonly #pauseMs: (tries: number) => number;
  readonly #elapsed: () => number;
  readonly #blocked: Map<string, Blocked>;

  /**
   * `pauseMs`: how long an event is left alone that was refused so often. `elapsed`: monotonic milliseconds. `kept`: those that
   * waited when it was last written down.
   */
  constructor(pauseMs: (tries: number) => number, elapsed: () => number, kept: readonly WaitingResource[] = []) {
    this.#pauseMs = pauseMs;
    this.#elapsed = elapsed;
    this.#blocked = new Map(kept.map((waiting) => [waiting.resource, { ...waiting, dueAt: elapsed() }]));
  }

  get names(): readonly string[] {
    return [...this.#blocked.keys()];
  }

  get size(): number {
    return this.#blocked.size;
  }

  has(resource: string): boolean {
    return this.#blocked.has(resource);
  }

  /** The lowest `seq` of those that were refused; infinite when none waits. */
  get oldest(): number {
    return Math.min(...[...this.#blocked.values()].map(({ seq }) => seq));
  }

  /** Those to be tried now, and a `seq` from which on their events are. */
  due(): { readonly names: readonly string[]; readonly seq: number } {
    const at = this.#elapsed();
    const due = [...this.#blocked].filter(([, { dueAt }]) => dueAt <= at);
    return { names: due.map(([name]) => name), seq: Math.min(...due.map(([, { seq }]) => seq)) };
  }

  /** Milliseconds until the next one is due; infinite when none waits. */
  get restMs(): number {
    return Math.max(0, Math.min(...[...this.#blocked.values()].map(({ dueAt }) => dueAt)) - this.#elapsed());
  }

  refuse({ event: { resource, seq }, error, atLeastMs = 0 }: RefusedEvent): WaitingResource {
    const before = this.#blocked.get(resource);
    const same = before?.seq === seq ? before : undefined;
    const tries = (same?.tries ?? 0) + 1;
    const pauseMs = Math.max(atLeastMs, this.#pauseMs(tries));
    const { message: reason } = error;
    const waiting = { resource, seq, since: same?.since ?? now(), tries, reason, nextTryAt: fromNow(pauseMs) };
    this.#blocked.set(resource, { ...waiting, dueAt: this.#elapsed() + pauseMs });
    return waiting;
  }

  free(resource: string): void {
    this.#blocked.delete(resource);
  }

  /** When the first of them is tried again, but for these; null when none waits. */
  nextTryAt(except: readonly string[]): string | null {
    const times = [...this.#blocked.values()].flatMap(({ resource, nextTryAt }) =>
      nextTryAt === null || except.includes(resource) ? [] : [nextTryAt],
    );
    return times.sort()[0] ?? null;
  }
}
