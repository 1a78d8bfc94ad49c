/**
 * The dispatcher delivers events from the outbox to the sinks: each event to each sink at least once, and the events of one
 * resource in their order.
 *
 * Every sink has its own place and its own pace: one that fails is asked again with growing pauses, and the others do not
 * notice. A batch is marked as delivered after the sink took it, so a crash between the two repeats the batch and never
 * loses it; `message_id` is there to drop doubles by.
 *
 * An event that a sink never takes is never left out: that would be the one thing that is promised not to happen. It is kept, told of
 * (`lib/troubles.ts`), and tried again. A sink that takes events one by one says which it refused, and then only later events
 * of the same resource wait (`blocked-resources.ts`); one that fails as a whole is asked for the same batch again.
 *
 * Any process may run a dispatcher; the one for which `leads` says so delivers. Two that both believe it for a moment make
 * doubles, nothing worse, since each begins with the oldest event that is not marked.
 */
import { fromNow, type Timestamp } from '../lib/clock.ts';
import { keepUp, type Loop, round } from '../lib/keep-up.ts';
import type { Troubles } from '../lib/troubles.ts';
import type { OutboxEvent } from '../model/event.ts';
import type { SinkChange, SinkState } from '../model/sink.ts';
import type { UpkeepName } from '../model/upkeep.ts';
import { MOST_BLOCKED, type RefusedEvent } from './blocked-resources.ts';
import { EventCount } from './event-count.ts';
import { SETTLING_MS } from './low-water-mark.ts';
import { SinkPlace } from './sink-place.ts';

/** Resources (`volume:<id>`) to look for, or not to. */
export type Resources = { readonly only: readonly string[] } | { readonly except: readonly string[] };

/** What the dispatcher needs of the outbox. */
export interface Outbox {
  /** The highest `seq` of what was written before; 0 when nothing was. */
  newest(before: Timestamp): Promise<number>;
  /** The oldest events after `seq` that the sink has not had, by `seq`. Default: of all resources. */
  undelivered(sink: string, seq: number, limit: number, resources?: Resources): Promise<readonly OutboxEvent[]>;
  /** How the sink was when that was last written down. */
  state(sink: string): Promise<SinkState>;
  /** Writes down, in one commit, which events the sink has had and how it is; `change` where that is another. Twice is harmless. */
  note(sink: string, seqs: readonly number[], change?: SinkChange): Promise<void>;
  /** Forgets up to `limit` events that are older than `before` and that every one of the sinks has had. Returns how many. */
  prune(sinks: readonly string[], before: Timestamp, limit: number): Promise<number>;
}

/** What became of a batch. An event that is in neither was not tried. */
export interface Delivery {
  /** They are where they outlive a crash of whoever received them, as far as that can be known. */
  readonly taken: readonly OutboxEvent[];
  /** At most one of a resource, of which nothing later is taken. */
  readonly refused: readonly RefusedEvent[];
  /** It has no use for them: as good as taken, but that says nothing of how it is. */
  readonly unwanted?: readonly OutboxEvent[];
}

/** Where events go. */
export interface Sink {
  /** Its place in the outbox is kept under this name. */
  readonly name: string;
  /** Milliseconds before an event is tried again that was refused once, twice, and so on; the last one for ever. */
  readonly pausesMs?: readonly number[];
  /**
   * Rejects when it fails as a whole, with `SinkRests` when it wants to be left alone. It may have taken some then, but of one resource never a later event without the earlier ones.
   * When the signal is aborted it ends soon, either way.
   */
  deliver(events: readonly OutboxEvent[], signal: AbortSignal): Promise<Delivery>;
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
  readonly #places = new Map<string, SinkPlace>();
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

  /** Of each sink, a `seq` up to which it has had all; what it has not had is above. */
  get deliveredUpTo(): ReadonlyMap<string, number> {
    return new Map(this.#options.sinks.map(({ name }) => [name, this.#places.get(name)?.seq ?? 0]));
  }

  /** Delivers until the signal is aborted; resolves when all is quiet and the sinks are closed. */
  async run(signal: AbortSignal): Promise<void> {
    const { sinks } = this.#options;
    await Promise.all([...sinks.map((sink) => this.#serve(sink, signal)), this.#tidy(signal)]);
    await Promise.all(sinks.map((sink) => sink.close()));
  }

  async #serve(sink: Sink, signal: AbortSignal): Promise<void> {
    const { leads, troubles, pollMs = 5_000 } = this.#options;
    while (!signal.aborted) {
      const heard = this.#wake.count;
      try {
        const leading = await leads();
        const restMs = leading ? await this.#deliver(sink, await this.#placeOf(sink), signal) : pollMs;
        if (!leading) {
          // Who does not lead any more does not know.
          this.#places.delete(sink.name);
          troubles.gone(EVENTS, sink.name);
        } else if (this.#places.get(sink.name)?.blocked.size === 0) troubles.worked(EVENTS, sink.name);
        if (restMs > 0) await this.#wake.wait(heard, Math.min(restMs, pollMs), signal);
      } catch (error) {
        if (signal.aborted) return;
        const pauseMs = this.#failed(sink, error);
        await this.#noteFailure(sink, error, pauseMs);
        await troubles.clock.pause(pauseMs, signal).catch(() => {});
      }
    }
  }

  /** It goes on where whoever delivered before has come to. */
  async #placeOf({ name, pausesMs }: Sink): Promise<SinkPlace> {
    const known = this.#places.get(name);
    if (known) return known;
    const { outbox, troubles, backoffMs = 500, maxBackoffMs = MINUTE_MS } = this.#options;
    const pauseMs = (tries: number): number =>
      pausesMs?.[Math.min(tries, pausesMs.length) - 1] ?? Math.min(maxBackoffMs, backoffMs * 2 ** (tries - 1));
    const place = new SinkPlace(pauseMs, () => troubles.clock.elapsed(), await outbox.state(name));
    this.#places.set(name, place);
    return place;
  }

  /** One batch. Resolves with how long there is nothing to do unless something happens, in milliseconds. */
  async #deliver(sink: Sink, place: SinkPlace, signal: AbortSignal): Promise<number> {
    const { outbox, batch = 100 } = this.#options;
    const { mark, blocked } = place;
    const settled = await outbox.newest(fromNow(-SETTLING_MS));
    const due = blocked.due();
    const again =
      due.names.length > 0 ? await outbox.undelivered(sink.name, due.seq - 1, batch, { only: due.names }) : [];
    // Each may be refused, and then waits.
    const room = Math.min(batch, MOST_BLOCKED - blocked.size);
    const fresh = room > 0 ? await outbox.undelivered(sink.name, mark.seq, room, { except: blocked.names }) : [];
    signal.throwIfAborted();
    const [first, last] = [fresh[0], fresh.at(-1)];
    if (first !== undefined) mark.raise(first.seq - 1, settled);
    else if (room > 0) mark.raise(settled, settled);

    const events = [...again, ...fresh];
    const { taken, unwanted = [], refused } = await this.#offer(sink, events, signal);
    const had = new Set([...taken, ...unwanted].map(({ seq }) => seq));
    const freed = due.names.filter(
      (name) => again.length < batch && again.every(({ resource, seq }) => resource !== name || had.has(seq)),
    );
    place.delivered(taken.length > 0, refused, freed);
    for (const { error } of refused) this.#failed(sink, error);
    const change = place.change(freed);
    if (had.size > 0 || change) await outbox.note(sink.name, [...had], change);
    place.written(freed);
    if (events.length > 0 && had.size + refused.length === 0) throw new Error('Not one event was taken in time.');
    const passed = fresh.every(({ seq, resource }) => had.has(seq) || blocked.has(resource));
    if (passed && last !== undefined) mark.raise(last.seq, settled);
    const more = !passed || (room > 0 && fresh.length === room);
    return more ? 0 : blocked.restMs;
  }

  async #offer(sink: Sink, events: readonly OutboxEvent[], signal: AbortSignal): Promise<Delivery> {
    if (events.length === 0) return { taken: [], refused: [] };
    const { deliveryTimeoutMs = 30_000 } = this.#options;
    return sink.deliver(events, AbortSignal.any([signal, AbortSignal.timeout(deliveryTimeoutMs)]));
  }

  /** So that it is shown. Where the database is what has failed there is nobody to show it to. */
  async #noteFailure({ name }: Sink, error: unknown, pauseMs: number): Promise<void> {
    const place = this.#places.get(name);
    place?.failed(error, fromNow(pauseMs));
    const change = place?.change();
    if (place === undefined || change === undefined) return;
    await this.#options.outbox.note(name, [], change).then(
      () => place.written(),
      () => {},
    );
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
