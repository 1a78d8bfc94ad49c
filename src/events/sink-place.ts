/**
 * Where a sink stands, as its deliverer remembers it: how far it has come in the outbox, which resources wait, since when it fails and
 * when it is tried again. All but the mark is written down with what was delivered (`SinkChange`), so that whoever delivers
 * next goes on from it.
 */
import { now, type Timestamp } from '../lib/clock.ts';
import type { Retried, SinkChange, SinkState, WaitingResource } from '../model/sink.ts';
import { BlockedResources, type RefusedEvent } from './blocked-resources.ts';
import { LowWaterMark } from './low-water-mark.ts';

/** What a sink says that wants to be left alone, and was not asked for anything. */
export class SinkRests extends Error {
  override readonly name = 'SinkRests';
  /** Null: until a restart. */
  readonly until: Timestamp | null;

  constructor(message: string, until: Timestamp | null) {
    super(message);
    this.until = until;
  }
}

export class SinkPlace {
  /** Below it nothing is undelivered but of blocked resources. */
  readonly mark = new LowWaterMark();
  readonly blocked: BlockedResources;
  #succeededAt: Timestamp | null;
  #failing: Retried | null;
  /** Resources that wait and have not been written down so; and whether one waits no longer. */
  readonly #waits = new Map<string, WaitingResource>();
  #freed = false;
  #written: string;

  constructor(pauseMs: (tries: number) => number, elapsed: () => number, kept: SinkState) {
    this.blocked = new BlockedResources(pauseMs, elapsed, kept.waiting);
    this.#succeededAt = kept.succeededAt;
    this.#failing = kept.failing;
    this.#written = this.#said();
  }

  get seq(): number {
    return Math.min(this.mark.seq, this.blocked.oldest - 1);
  }

  /** `freed`: resources that will wait no longer when it has been written down what was taken. */
  delivered(anyTaken: boolean, refused: readonly RefusedEvent[], freed: readonly string[]): void {
    if (anyTaken) this.#succeededAt = now();
    for (const refusal of refused) {
      const waiting = this.blocked.refuse(refusal);
      this.#waits.set(waiting.resource, waiting);
      this.#count(waiting.reason);
    }
    for (const name of freed) this.#waits.delete(name);
    this.#freed ||= freed.length > 0;
    if (this.blocked.names.every((name) => freed.includes(name))) this.#failing = null;
    else if (this.#failing) this.#failing = { ...this.#failing, nextTryAt: this.blocked.nextTryAt(freed) };
  }

  /** It has failed as a whole, or rests. */
  failed(error: unknown, nextTryAt: Timestamp): void {
    const reason = error instanceof Error ? error.message : String(error);
    const rests = error instanceof SinkRests;
    if (!rests || this.#failing === null) this.#count(reason);
    if (this.#failing) this.#failing = { ...this.#failing, reason, nextTryAt: rests ? error.until : nextTryAt };
  }

  /** What is to be written down; undefined where all of it was. */
  change(freed: readonly string[] = []): SinkChange | undefined {
    const moved = this.#freed || this.#waits.size > 0;
    if (!moved && this.#said() === this.#written) return undefined;
    return {
      succeededAt: this.#succeededAt,
      failing: this.#failing,
      waits: [...this.#waits.values()],
      waiting: moved ? this.blocked.names.filter((name) => !freed.includes(name)) : undefined,
    };
  }

  /** `change` was written down. */
  written(freed: readonly string[] = []): void {
    for (const name of freed) this.blocked.free(name);
    this.#waits.clear();
    this.#freed = false;
    this.#written = this.#said();
  }

  #count(reason: string): void {
    const { since = now(), tries = 0, nextTryAt = null } = this.#failing ?? {};
    this.#failing = { since, tries: tries + 1, reason, nextTryAt };
  }

  #said(): string {
    return JSON.stringify([this.#succeededAt, this.#failing]);
  }
}
