/**
 * Events posted to an address, one a request, signed (`cloud-event.ts`).
 *
 * An event is taken when it is answered with 2xx within 15 seconds. Anything else is a refusal, a redirect too: then later events of
 * its resource wait, and it is tried again after 5 seconds, 5 minutes, and so on up to a day, for ever. A receiver that asks for a pause
 * (429, 502, 503 or 504; `Retry-After`) gets it for everything; one that is gone for good (410) is asked no more until the service starts
 * again, and its events are kept. Of an answer only the status counts, and nothing of its body is shown to anybody: it would let people
 * read what stands at addresses inside.
 */

import { Peer } from '../http/peer.ts';
import { elapsed, fromNow, millis, now, type Timestamp } from '../lib/clock.ts';
import type { OutboxEvent } from '../model/event.ts';
import type { RefusedEvent } from './blocked-resources.ts';
import { CLOUD_EVENT, cloudEvent, signed } from './cloud-event.ts';
import type { Delivery, Sink } from './dispatcher.ts';
import { sinkOfWebhook } from './sink-names.ts';
import { SinkRests } from './sink-place.ts';

const TRY_MS = 15_000;
/** Resources whose events are posted at once. */
const AT_ONCE = 8;
/** Of an answer, read so that its connection can be used again. */
const MOST_BYTES = 65_536;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Those of Standard Webhooks. */
const PAUSES_MS = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
const LEAST_REST_MS = 5 * SECOND;
const LONGEST_REST_MS = 24 * HOUR;
const OVERLOADED: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const GONE = 410;

export interface WebhookOptions {
  /** Of its section. */
  readonly name: string;
  readonly url: string;
  /** In base64. */
  readonly secrets: readonly string[];
  /** Types, or their beginnings. Empty: all. */
  readonly types: readonly string[];
  /** PEM. */
  readonly ca?: string;
}

/** What one delivery has come to. */
interface Course {
  readonly taken: OutboxEvent[];
  readonly refused: RefusedEvent[];
  readonly unwanted: OutboxEvent[];
  /** Nothing more is to be tried. */
  stopped: boolean;
}

export class WebhookSink implements Sink {
  readonly name: string;
  readonly pausesMs = PAUSES_MS;
  readonly #options: WebhookOptions;
  readonly #path: string;
  readonly #peer: Peer;
  #gone = false;
  /** By the monotonic clock. */
  #restsUntil = 0;
  #restsUntilTime: Timestamp = '';

  constructor(options: WebhookOptions) {
    const { origin, pathname, search } = new URL(options.url);
    this.name = sinkOfWebhook(options.name);
    this.#options = options;
    this.#path = `${pathname}${search}`;
    this.#peer = new Peer({
      name: `The webhook ${options.name}`,
      url: origin,
      silenceMs: TRY_MS,
      ...(options.ca !== undefined && { ca: options.ca }),
    });
  }

  async deliver(events: readonly OutboxEvent[], signal: AbortSignal): Promise<Delivery> {
    if (this.#gone)
      throw new SinkRests(
        `The webhook ${this.#options.name} has said that it is gone (410): nothing is posted before a restart.`,
        null,
      );
    if (elapsed() < this.#restsUntil)
      throw new SinkRests(`The webhook ${this.#options.name} has asked for a pause.`, this.#restsUntilTime);
    const course: Course = { taken: [], refused: [], unwanted: [], stopped: false };
    const resources = Map.groupBy(events, ({ resource }) => resource).values();
    // Each takes the next resource when it is done with one.
    const line = async (): Promise<void> => {
      for (const ofResource of resources) await this.#postAll(ofResource, course, signal);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, line));
    return course;
  }

  async close(): Promise<void> {}

  /** The events of one resource, until one is refused. */
  async #postAll(events: readonly OutboxEvent[], course: Course, signal: AbortSignal): Promise<void> {
    for (const event of events) {
      if (course.stopped || signal.aborted) return;
      try {
        if (!this.#isWanted(event)) {
          course.unwanted.push(event);
          continue;
        }
        await this.#post(event, course, signal);
        course.taken.push(event);
      } catch (error) {
        // Its time was cut short by ours, which says nothing of it.
        if (signal.aborted) return;
        const atLeastMs = Math.max(0, this.#restsUntil - elapsed());
        course.refused.push({ event, error: error as Error, atLeastMs });
        return;
      }
    }
  }

  #isWanted({ eventType }: OutboxEvent): boolean {
    const { types } = this.#options;
    return types.length === 0 || types.some((type) => eventType === type || eventType.startsWith(`${type}.`));
  }

  async #post(event: OutboxEvent, course: Course, signal: AbortSignal): Promise<void> {
    const { name, secrets } = this.#options;
    const body = cloudEvent(event);
    const headers = {
      'content-type': CLOUD_EVENT,
      'content-length': String(Buffer.byteLength(body)),
      'user-agent': 'Pumice',
      ...signed(event.messageId, body, secrets, Math.floor(millis(now()) / SECOND)),
    };
    const { status, retryAfter } = await this.#peer.ask(
      { path: this.#path, method: 'POST', headers, body, wholeMs: TRY_MS, repeatable: true, signal },
      async (answer) => {
        await answer.whole(MOST_BYTES).catch(() => undefined);
        return { status: answer.status, retryAfter: answer.header('retry-after') };
      },
    );
    if (status >= 200 && status < 300) return;
    if (status === GONE) this.#gone = true;
    if (OVERLOADED.has(status)) this.#rest(Math.min(Math.max(restMs(retryAfter), LEAST_REST_MS), LONGEST_REST_MS));
    if (status === GONE || OVERLOADED.has(status)) course.stopped = true;
    throw new Error(`The webhook ${name} answered ${event.eventType} of ${event.resource} with ${status}.`);
  }

  #rest(ms: number): void {
    this.#restsUntil = elapsed() + ms;
    this.#restsUntilTime = fromNow(ms);
  }
}

/** Of `Retry-After`, which is seconds or a time. */
function restMs(header: string | null): number {
  if (header === null) return 0;
  if (/^\d+$/.test(header)) return Number(header) * SECOND;
  const at = Date.parse(header);
  return Number.isNaN(at) ? 0 : Math.max(0, at - millis(now()));
}
