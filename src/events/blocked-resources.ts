/**
 * The resources of a sink that wait: an event of each was refused, and no later one of it may come before that.
 *
 * There may only be so many. A sink that refuses more is not well as a whole, and is asked for nothing new until some of them are
 * through. Nothing of this is written down: after a restart each is simply tried again.
 */
import type { OutboxEvent } from '../model/event.ts';

/** Of one sink. */
export const MOST_BLOCKED = 100;

/** An event that a sink did not take. */
export interface RefusedEvent {
  readonly event: OutboxEvent;
  readonly error: Error;
  /** Milliseconds for which the sink asked to be left alone with it. */
  readonly atLeastMs?: number;
}

interface Blocked {
  /** Of the event that was refused. */
  readonly seq: number;
  readonly tries: number;
  readonly dueAt: number;
}

export class BlockedResources {
  readonly #pauseMs: (tries: number) => number;
  readonly #elapsed: () => number;
  readonly #blocked = new Map<string, Blocked>();

  /** `pauseMs`: how long an event is left alone that was refused so often. `elapsed`: monotonic milliseconds. */
  constructor(pauseMs: (tries: number) => number, elapsed: () => number) {
    this.#pauseMs = pauseMs;
    this.#elapsed = elapsed;
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

  refuse({ event: { resource, seq }, atLeastMs = 0 }: RefusedEvent): void {
    const before = this.#blocked.get(resource);
    const tries = before?.seq === seq ? before.tries + 1 : 1;
    const dueAt = this.#elapsed() + Math.max(atLeastMs, this.#pauseMs(tries));
    this.#blocked.set(resource, { seq, tries, dueAt });
  }

  free(resource: string): void {
    this.#blocked.delete(resource);
  }
}
