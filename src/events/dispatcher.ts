/**
 * The dispatcher takes events from the outbox to the sinks: each event to each sink at least once, and the events of one
 * resource in their order.
 *
 * Every sink has its own place and its own pace: one that fails is asked again with growing pauses, and the others do not
 * notice. A batch is marked as delivered after the sink took it, so a crash between the two repeats the batch and never
 * loses it; `message_id` is there to drop doubles by. An event that a sink never takes holds up all later ones of that sink:
 * to leave it out would be the one thing that is promised not to happen. It is kept, logged and shown (`sinks`).
 *
 * Any process may run a dispatcher; the one for which `leads` says so delivers. Two that both believe it for a moment make
 * doubles, nothing worse, since each begins with the oldest event that is not marked.
 */
import { fromNow, now, pause, type Timestamp } from '../lib/clock.ts';
import type { Log } from '../lib/logging.ts';
import type { OutboxEvent } from '../model/event.ts';
import { Bell } from './bell.ts';
import { Floor, SETTLING_MS } from './floor.ts';

/** What the dispatcher needs of the outbox. */
export interface Outbox {
  /** The highest `seq` of what was written before; 0 when nothing was. */
  newest(before: Timestamp): Promise<number>;
  /** The oldest events after `seq` that the sink has not had, by `seq`. */
  undelivered(sink: string, seq: number, limit: number): Promise<readonly OutboxEvent[]>;
  /** Marking twice is harmless. */
  markDelivered(sink: string, seqs: readonly number[]): Promise<void>;
  /** Forgets up to `limit` events that are older than `before` and that every one of the sinks has had. Returns how many. */
  prune(sinks: readonly string[], before: Timestamp, limit: number): Promise<number>;
}

/** Where events go. */
export interface Sink {
  /** Its place in the outbox is kept under this name. */
  readonly name: string;
  /**
   * Resolves when all events are where they outlive a crash of whoever received them, as far as that can be known. When it
   * rejects it may have taken some, but of one resource never a later event without the earlier ones.
   */
  deliver(events: readonly OutboxEvent[], signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface SinkState {
  readonly name: string;
  /** Since when it takes nothing, and why; null when it does. */
  readonly failing: { readonly since: Timestamp; readonly tries: number; readonly reason: string } | null;
}

export interface DispatcherOptions {
  readonly outbox: Outbox;
  readonly sinks: readonly Sink[];
  /** Whether this process delivers. Asked before every batch. */
  leads(): Promise<boolean>;
  readonly log: Log;
  /** Days an event is kept at least; one that a sink has not had is kept longer. */
  readonly retentionDays: number;
  /** Events in one batch. Default 100. */
  readonly batch?: number;
  /** Milliseconds between looks when nothing rings. Default 5,000. */
  readonly pollMs?: number;
  /** Milliseconds before a failing sink is asked again; doubles, up to `maxBackoffMs`. Defaults 500 and 60,000. */
  readonly backoffMs?: number;
  readonly maxBackoffMs?: number;
  /** Milliseconds a sink may take for a batch. Default 30,000. */
  readonly deliveryTimeoutMs?: number;
}

const PRUNE_EVERY_MS = 60 * 60_000;
const PRUNE_BATCH = 500;
const DAY_MS = 24 * 60 * 60_000;

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #bell = new Bell();
  readonly #failing = new Map<string, NonNullable<SinkState['failing']>>();

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** There are new events. Cheap; may be called from anywhere. */
  wake(): void {
    this.#bell.ring();
  }

  get sinks(): readonly SinkState[] {
    return this.#options.sinks.map(({ name }) => ({ name, failing: this.#failing.get(name) ?? null }));
  }

  /** Delivers until the signal is aborted; resolves when all is quiet and the sinks are closed. */
  async run(signal: AbortSignal): Promise<void> {
    const { sinks } = this.#options;
    await Promise.all([...sinks.map((sink) => this.#serve(sink, signal)), this.#tidy(signal)]);
    await Promise.all(sinks.map((sink) => sink.close()));
  }

  async #serve(sink: Sink, signal: AbortSignal): Promise<void> {
    const { leads, pollMs = 5_000 } = this.#options;
    const floor = new Floor();
    while (!signal.aborted) {
      const heard = this.#bell.rings;
      try {
        const leading = await leads();
        const more = leading && (await this.#deliver(sink, floor, signal));
        this.#recovered(sink, leading);
        if (!more) await this.#bell.wait(heard, pollMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        await pause(this.#failed(sink, error), signal).catch(() => {});
      }
    }
  }

  /** One batch. True when there may be more. */
  async #deliver(sink: Sink, floor: Floor, signal: AbortSignal): Promise<boolean> {
    const { outbox, batch = 100, deliveryTimeoutMs = 30_000 } = this.#options;
    const settled = await outbox.newest(fromNow(-SETTLING_MS));
    const events = await outbox.undelivered(sink.name, floor.seq, batch);
    signal.throwIfAborted();
    const [first, last] = [events[0], events.at(-1)];
    if (first === undefined || last === undefined) {
      floor.raise(settled, settled);
      return false;
    }
    floor.raise(first.seq - 1, settled);
    await sink.deliver(events, AbortSignal.any([signal, AbortSignal.timeout(deliveryTimeoutMs)]));
    const seqs = events.map(({ seq }) => seq);
    await outbox.markDelivered(sink.name, seqs);
    floor.raise(last.seq, settled);
    return events.length === batch;
  }

  /** Returns how long to wait, in milliseconds. */
  #failed(sink: Sink, error: unknown): number {
    const { log, backoffMs = 500, maxBackoffMs = 60_000 } = this.#options;
    const before = this.#failing.get(sink.name);
    const tries = (before?.tries ?? 0) + 1;
    const reason = error instanceof Error ? error.message : String(error);
    this.#failing.set(sink.name, { since: before?.since ?? now(), tries, reason });
    log.warn({ sink: sink.name, tries, err: error }, 'events were not taken; they are kept and offered again');
    return Math.min(maxBackoffMs, backoffMs * 2 ** (tries - 1));
  }

  #recovered(sink: Sink, leading: boolean): void {
    const before = this.#failing.get(sink.name);
    this.#failing.delete(sink.name);
    // Who does not lead any more does not know.
    if (before === undefined || !leading) return;
    this.#options.log.info({ sink: sink.name, tries: before.tries, since: before.since }, 'events are taken again');
  }

  /** Forgets old events, in small bites. */
  async #tidy(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        while (!signal.aborted && (await this.#prune()) === PRUNE_BATCH) await pause(0, signal);
      } catch (error) {
        if (!signal.aborted) this.#options.log.warn({ err: error }, 'old events could not be removed');
      }
      await pause(PRUNE_EVERY_MS, signal).catch(() => {});
    }
  }

  async #prune(): Promise<number> {
    const { outbox, sinks, leads, retentionDays } = this.#options;
    if (!(await leads())) return 0;
    const names = sinks.map(({ name }) => name);
    return outbox.prune(names, fromNow(-retentionDays * DAY_MS), PRUNE_BATCH);
  }
}
