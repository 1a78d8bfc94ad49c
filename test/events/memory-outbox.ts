/**
 * An outbox in memory that behaves as the database does: an event has its `seq` before it can be seen, and may be seen
 * later than one of a higher `seq`.
 */
import type { Outbox, Resources } from '../../src/events/dispatcher.ts';
import type { Timestamp } from '../../src/lib/clock.ts';
import type { OutboxEvent } from '../../src/model/event.ts';
import { type SinkChange, type SinkState, UNTRIED } from '../../src/model/sink.ts';
import { anEvent } from './rows.ts';

export class MemoryOutbox implements Outbox {
  readonly delivered = new Map<string, Set<number>>();
  readonly states = new Map<string, SinkState>();
  /** The floors that were asked with. */
  readonly floors: number[] = [];
  events: OutboxEvent[] = [];
  #seq = 0;

  /** An open transaction; call what it returns to commit. */
  begin(fields: Partial<OutboxEvent> = {}): () => OutboxEvent {
    this.#seq += 1;
    const event = anEvent(this.#seq, fields);
    return () => {
      this.events = [...this.events, event].sort((a, b) => a.seq - b.seq);
      return event;
    };
  }

  append(fields: Partial<OutboxEvent> = {}): OutboxEvent {
    return this.begin(fields)();
  }

  async newest(before: Timestamp): Promise<number> {
    return this.events.findLast(({ createdAt }) => createdAt < before)?.seq ?? 0;
  }

  async undelivered(
    sink: string,
    seq: number,
    limit: number,
    resources: Resources = { except: [] },
  ): Promise<readonly OutboxEvent[]> {
    this.floors.push(seq);
    const asked = ({ resource }: OutboxEvent): boolean =>
      'only' in resources ? resources.only.includes(resource) : !resources.except.includes(resource);
    const had = this.#had(sink);
    return this.events.filter((event) => event.seq > seq && !had.has(event.seq) && asked(event)).slice(0, limit);
  }

  async state(sink: string): Promise<SinkState> {
    return this.states.get(sink) ?? UNTRIED;
  }

  async note(sink: string, seqs: readonly number[], change?: SinkChange): Promise<void> {
    for (const seq of seqs) this.#had(sink).add(seq);
    if (change === undefined) return;
    const { succeededAt, failing, waits, waiting: all } = change;
    const before = (await this.state(sink)).waiting;
    const after = new Map([...before, ...waits].map((each) => [each.resource, each]));
    const waiting = [...after.values()].filter(({ resource }) => all === undefined || all.includes(resource));
    this.states.set(sink, { succeededAt, failing, waiting });
  }

  async prune(sinks: readonly string[], before: Timestamp, limit: number): Promise<number> {
    const old = this.events
      .filter(({ seq, createdAt }) => createdAt < before && sinks.every((sink) => this.#had(sink).has(seq)))
      .slice(0, limit);
    this.events = this.events.filter((event) => !old.includes(event));
    return old.length;
  }

  #had(sink: string): Set<number> {
    const had = this.delivered.get(sink) ?? new Set();
    this.delivered.set(sink, had);
    return had;
  }
}
