/**
 * The queue of spans on their way to the collector: bounded, sent in batches, one batch at a time. A collector that is dead, slow
 * or refuses costs what waits here and no more: what finds no room, and what could not be sent, is lost and counted.
 */
import type { Troubles } from '../lib/troubles.ts';
import type { UpkeepName } from '../model/upkeep.ts';
import type { Span } from './span.ts';

/** Where spans are sent. */
export interface Collector {
  /** For people. */
  readonly address: string;
  /** Resolves with how many of them it refused. Rejects when none could be sent; what may pass was tried again by then. */
  send(spans: readonly Span[]): Promise<number>;
  close(): Promise<void>;
}

const TRACES: UpkeepName = 'traces';
/** The collector's exporter does the pausing. */
const NONE = { firstMs: 0, longestMs: 0 };
const LONGEST_QUEUE = 2048;
const BATCH = 512;
/** So long a batch gathers that is not full. */
const GATHER_MS = 1_000;
/** What an orderly end waits for the last of them. */
const END_MS = 2_000;

export class SpanQueue {
  readonly #collector: Collector;
  readonly #troubles: Troubles;
  readonly #waiting: Span[] = [];
  readonly #end = new AbortController();
  #sending: Promise<void> | null = null;
  #lost = 0;

  constructor(collector: Collector, troubles: Troubles) {
    this.#collector = collector;
    this.#troubles = troubles;
  }

  get address(): string {
    return this.#collector.address;
  }

  /** Of all that were offered. */
  get lost(): number {
    return this.#lost;
  }

  offer(spans: readonly Span[]): void {
    const room = this.#end.signal.aborted ? 0 : LONGEST_QUEUE - this.#waiting.length;
    this.#waiting.push(...spans.slice(0, room));
    this.#lost += Math.max(0, spans.length - room);
    if (this.#waiting.length > 0) this.#sending ??= this.#sendAll();
  }

  /** A flow of which no span was even made counts as one. */
  loseFlow(): void {
    this.#lost += 1;
  }

  /** Sends what waits, as far as there is time. */
  async close(): Promise<void> {
    this.#end.abort();
    await Promise.race([this.#sending, this.#troubles.clock.pause(END_MS, new AbortController().signal)]);
    await this.#collector.close();
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      if (this.#waiting.length < BATCH) await this.#troubles.clock.pause(GATHER_MS, this.#end.signal).catch(() => {});
      await this.#send(this.#waiting.splice(0, BATCH));
    }
    this.#sending = null;
  }

  async #send(batch: readonly Span[]): Promise<void> {
    const { address } = this.#collector;
    try {
      const refused = await this.#collector.send(batch);
      this.#lost += refused;
      if (refused === 0) this.#troubles.worked(TRACES, address);
      else this.#troubles.failed(TRACES, address, new Error(`It refused ${refused} of ${batch.length} spans.`), NONE);
    } catch (error) {
      this.#lost += batch.length;
      this.#troubles.failed(TRACES, address, error, NONE);
    }
  }
}
