/**
 * The dispatcher delivers events from the outbox to the sinks: each event to each sink at least once, and the events of one
 * resource in their order.
 *
 * Every sink has its own place and its own pace: one that fails is asked again with growing pauses, and the others do not
 * notice. A batch is marked as delivered after the sink took it, so a crash between the two repeats the batch and never
 * loses it; `message_id` is there to drop doubles by. An event that a sink never takes holds up all later ones of that sink:
 * to leave it out would be the one thing that is promised not to happen. It is kept, and told of (`lib/troubles.ts`).
 *
 * Any process may run a dispatcher; the one for which `leads` says so delivers. Two that both believe it for a moment make
 * doubles, nothing worse, since each begins with the oldest event that is not marked.
 */
import { fromNow, type Timestamp } from '../lib/clock.ts';
import { keepUp, type Loop, round } from '../lib/keep-up.ts';
import type { Troubles } from '../lib/troubles.ts';
import type { OutboxEvent } from '../model/event.ts';
import type { UpkeepName } from '../model/upkeep.ts';
import { EventCount } from './event-count.ts';
import { LowWaterMark, SETTLING_MS } from './low-water-mark.ts';

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

export interface DispatcherOptions {
  readonly outbox: Outbox;
  readonly sinks: readonly Sink[];
  /** Whether this process delivers. Asked before every batch. */
  leads(): Promise<boolean>;
  readonly troubles: Troubles;
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

const EVENTS: UpkeepName = 'events';
const OUTBOX: UpkeepName = 'outbox';
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const PRUNE_BATCH = 500;
const DAY_MS = 24 * HOUR_MS;

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #wake = new EventCount();
  /** Old events go in small bites. */
  readonly tidying: Loop;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.tidying = {
      upkeep: OUTBOX,
      about: 'events',
      everyMs: HOUR_MS,
      pace: { firstMs: MINUTE_MS, longestMs: HOUR_MS },
      work: async () => ((await this.#prune()) === PRUNE_BATCH ? 0 : HOUR_MS),
    };
  }

  /** There are new events. Cheap; may be called from anywhere. */
  wake(): void {
    this.#wake.signal();
  }

  /** Delivers until the signal is aborted; resolves when all is quiet and the sinks are closed. */
  async run(signal: AbortSignal): Promise<void> {
    const { sinks } = this.#options;
    await Promise.all([...sinks.map((sink) => this.#serve(sink, signal)), this.#tidy(signal)]);
    await Promise.all(sinks.map((sink) => sink.close()));
  }

  async #serve(sink: Sink, signal: AbortSignal): Promise<void> {
    const { leads, troubles, pollMs = 5_000 } = this.#options;
    const mark = new LowWaterMark();
    while (!signal.aborted) {
      const heard = this.#wake.count;
      try {
        const leading = await leads();
        const more = leading && (await this.#deliver(sink, mark, signal));
        // Who does not lead any more does not know.
        if (leading) troubles.worked(EVENTS, sink.name);
        else troubles.gone(EVENTS, sink.name);
        if (!more) await this.#wake.wait(heard, pollMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        await troubles.clock.pause(this.#failed(sink, error), signal).catch(() => {});
      }
    }
  }

  /** One batch. True when there may be more. */
  async #deliver(sink: Sink, mark: LowWaterMark, signal: AbortSignal): Promise<boolean> {
    const { outbox, batch = 100, deliveryTimeoutMs = 30_000 } = this.#options;
    const settled = await outbox.newest(fromNow(-SETTLING_MS));
    const events = await outbox.undelivered(sink.name, mark.seq, batch);
    signal.throwIfAborted();
    const [first, last] = [events[0], events.at(-1)];
    if (first === undefined || last === undefined) {
      mark.raise(settled, settled);
      return false;
    }
    mark.raise(first.seq - 1, settled);
    await sink.deliver(events, AbortSignal.any([signal, AbortSignal.timeout(deliveryTimeoutMs)]));
    const seqs = events.map(({ seq }) => seq);
    await outbox.markDelivered(sink.name, seqs);
    mark.raise(last.seq, settled);
    return events.length === batch;
  }

  /** Returns how long to wait, in milliseconds. */
  #failed(sink: Sink, error: unknown): number {
    const { troubles, backoffMs = 500, maxBackoffMs = MINUTE_MS } = this.#options;
    return troubles.failed(EVENTS, sink.name, error, { firstMs: backoffMs, longestMs: maxBackoffMs }).pauseMs;
  }

  async #tidy(signal: AbortSignal): Promise<void> {
    const { troubles } = this.#options;
    const everyMs = await round(this.tidying, troubles, signal);
    await keepUp({ ...this.tidying, everyMs }, troubles, signal);
  }

  async #prune(): Promise<number> {
    const { outbox, sinks, leads, retentionDays } = this.#options;
    if (!(await leads())) return 0;
    const names = sinks.map(({ name }) => name);
    return outbox.prune(names, fromNow(-retentionDays * DAY_MS), PRUNE_BATCH);
  }
}
