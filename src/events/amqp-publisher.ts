/**
 * Events as oslo.messaging's notifications on an AMQP 0-9-1 broker, for consumers of OpenStack's.
 *
 * Exchange `openstack` (topic), routing key and queue `<topic>.info` or `<topic>.error`. An exchange or queue that is
 * already declared is used as it is. A missing one is declared as oslo.messaging would (not durable, unless told), with its
 * queue bound, so that events wait for a consumer that comes later. The arguments must be oslo.messaging's own: the broker
 * refuses a second declaration with others (406), and a consumer of oslo.messaging would then never start. An event counts
 * as delivered when the broker confirmed it and did not give it back as unroutable.
 *
 * Two events of one resource are never on their way at once: the broker may refuse the first and take the second.
 *
 * There is one connection, opened when events come and dropped on any trouble; the dispatcher asks again. A broker that sends
 * more than answers is dropped as well. It runs in a thread of its own (`sink-amqp.ts`).
 */
import type { Readable } from 'node:stream';
import type { Channel, ChannelModel, ConfirmChannel, SocketOptions } from 'amqplib';
import { pause } from '../lib/clock.ts';
import type { OutboxEvent } from '../model/event.ts';
import { envelope } from './envelope.ts';

export interface AmqpOptions {
  /** `amqp://user:password@host:port/vhost` */
  readonly url: string;
  /** Each event is published to all of them. */
  readonly topics: readonly string[];
  /** Default `openstack`. */
  readonly exchange?: string;
  /** What is missing is declared so that it survives the broker's restart: oslo's `amqp_durable_queues`. Default false. */
  readonly durable?: boolean;
}

interface Line {
  readonly connection: ChannelModel;
  readonly channel: ConfirmChannel;
  /** The broker gave a message back. */
  returned: boolean;
  /** Bytes that came since the last delivery began. */
  received: number;
  /** Routing keys whose queue is there. */
  readonly routed: Set<string>;
  /** Rejects when the connection or its channel ends. */
  readonly broken: Promise<never>;
  /** Ends the connection at once, whatever the broker does. */
  drop(): void;
}

const CONNECT_TIMEOUT_MS = 10_000;
const HEARTBEAT_SECONDS = '10';
const GOODBYE_MS = 1_000;
/** Bytes. A broker may send what answers take, and what it gives back of a batch. */
const LONGEST_FRAME = 1024 ** 2;
const MOST_RECEIVED = 16 * 1024 ** 2;
const NOT_FOUND = 404;
const PRECONDITION_FAILED = 406;

export class AmqpPublisher {
  readonly #url: string;
  readonly #topics: readonly string[];
  readonly #exchange: string;
  readonly #durable: boolean;
  #line: Line | null = null;

  constructor({ url, topics, exchange = 'openstack', durable = false }: AmqpOptions) {
    this.#url = withLimits(url);
    this.#topics = topics;
    this.#exchange = exchange;
    this.#durable = durable;
  }

  async deliver(events: readonly OutboxEvent[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    try {
      const stopped = rejection(signal);
      this.#line ??= await Promise.race([this.#connect(signal), stopped]);
      const line = this.#line;
      line.received = 0;
      for (const wave of waves(events)) await Promise.race([this.#publish(line, wave), line.broken, stopped]);
    } catch (error) {
      this.#line?.drop();
      this.#line = null;
      throw signal.aborted ? signal.reason : error;
    }
  }

  async close(): Promise<void> {
    const line = this.#line;
    this.#line = null;
    if (line === null) return;
    const patience = pause(GOODBYE_MS, new AbortController().signal);
    await Promise.race([line.connection.close(), line.broken, patience]).catch(() => {});
    line.drop();
  }

  async #connect(signal: AbortSignal): Promise<Line> {
    // Loaded by those who have a broker.
    const { connect } = (await import('amqplib')).default;
    const life = new AbortController();
    const drop = (): void => life.abort();
    signal.addEventListener('abort', drop, { once: true });
    try {
      const options: SocketOptions & { readonly signal: AbortSignal } = {
        timeout: CONNECT_TIMEOUT_MS,
        noDelay: true,
        signal: life.signal,
      };
      const connection = await connect(this.#url, options);
      const broken = Promise.withResolvers<never>();
      broken.promise.catch(() => {});
      const end = (error?: unknown): void => {
        broken.reject(error ?? new Error('The broker closed the connection.'));
        if (this.#line?.connection === connection) this.#line = null;
        drop();
      };
      connection.on('error', end).on('close', end);
      const parts = { connection, routed: new Set<string>(), broken: broken.promise, drop };
      const line = { ...parts, returned: false, received: 0 };
      streamOf(connection).on('data', ({ length }: Buffer) => {
        line.received += length;
        if (line.received > MOST_RECEIVED) end(new Error('The broker sends more than it was asked for.'));
      });
      // What is asked of a connection that ends is not always told so: to close a channel waits for ever then.
      const channel = await Promise.race([this.#open(connection), broken.promise]);
      channel.on('error', end).on('close', end);
      channel.on('return', () => {
        line.returned = true;
      });
      return Object.assign(line, { channel });
    } catch (error) {
      drop();
      throw error;
    } finally {
      signal.removeEventListener('abort', drop);
    }
  }

  async #open(connection: ChannelModel): Promise<ConfirmChannel> {
    await this.#declareExchange(connection);
    return connection.createConfirmChannel();
  }

  /** Resolves when the broker has confirmed them all. */
  async #publish(line: Line, wave: readonly OutboxEvent[]): Promise<void> {
    const sends = wave.flatMap((event) =>
      this.#topics.map((topic) => ({ event, key: `${topic}.${event.priority.toLowerCase()}` })),
    );
    for (const key of new Set(sends.map((send) => send.key))) await this.#route(line, key);
    await Promise.all(sends.map(({ event, key }) => this.#send(line.channel, key, event)));
    if (line.returned) throw new Error('The broker has no queue for events it was given.');
  }

  #send(channel: ConfirmChannel, key: string, event: OutboxEvent): Promise<void> {
    const content = Buffer.from(JSON.stringify(envelope(event)));
    return new Promise((resolve, reject) => {
      channel.publish(
        this.#exchange,
        key,
        content,
        {
          contentType: 'application/json',
          contentEncoding: 'utf-8',
          messageId: event.messageId,
          persistent: true,
          mandatory: true,
        },
        (error: unknown) => (error ? reject(error) : resolve()),
      );
    });
  }

  async #declareExchange(connection: ChannelModel): Promise<void> {
    await ensure(
      connection,
      (channel) => channel.checkExchange(this.#exchange),
      (channel) => channel.assertExchange(this.#exchange, 'topic', { durable: this.#durable }),
    );
  }

  async #route({ connection, routed }: Line, key: string): Promise<void> {
    if (routed.has(key)) return;
    await ensure(
      connection,
      (channel) => channel.checkQueue(key),
      (channel) => channel.assertQueue(key, { durable: this.#durable }),
      (channel) => channel.bindQueue(key, this.#exchange, key),
    );
    routed.add(key);
  }
}

/** Listening takes nothing from who reads it. */
const streamOf = (connection: ChannelModel): Readable =>
  (connection.connection as unknown as { readonly stream: Readable }).stream;

type Ask = (channel: Channel) => Promise<unknown>;

/** Declares what the check does not find. A broker closes the channel on which a check failed, so each has its own. */
async function ensure(connection: ChannelModel, check: Ask, declare: Ask, then?: Ask): Promise<void> {
  const found = await succeeds(connection, check, NOT_FOUND);
  // Between the two another may have declared it, in its own way.
  if (!found && !(await succeeds(connection, declare, PRECONDITION_FAILED))) await onChannel(connection, check);
  if (then !== undefined) await onChannel(connection, then);
}

/** False when the broker answers with this code. */
async function succeeds(connection: ChannelModel, ask: Ask, otherwise: number): Promise<boolean> {
  try {
    await onChannel(connection, ask);
    return true;
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === otherwise) return false;
    throw error;
  }
}

async function onChannel(connection: ChannelModel, ask: Ask): Promise<void> {
  const channel = await connection.createChannel();
  // It is told to who asked, too.
  channel.on('error', () => {});
  await ask(channel);
  await channel.close();
}

/** In order; no wave has two events of one resource. */
function waves(events: readonly OutboxEvent[]): OutboxEvent[][] {
  const result: OutboxEvent[][] = [];
  let resources = new Set<string>();
  for (const event of events) {
    const wave = result.at(-1);
    if (wave === undefined || resources.has(event.resource)) {
      result.push([event]);
      resources = new Set([event.resource]);
    } else {
      wave.push(event);
      resources.add(event.resource);
    }
  }
  return result;
}

/** Without a heartbeat a broker that vanished is noticed after hours. */
function withLimits(url: string): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', HEARTBEAT_SECONDS);
  parsed.searchParams.set('maxFrameSize', String(LONGEST_FRAME));
  return parsed.href;
}

/** Rejects with the signal's reason when it is aborted. */
function rejection(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  return promise;
}
