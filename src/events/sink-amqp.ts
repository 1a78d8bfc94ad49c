/**
 * Events to an AMQP broker (`amqp-publisher.ts`), by way of a worker thread.
 *
 * A broker's bytes are read by a library, and a broker that sends nonsense has made it throw where nobody can catch it,
 * which ends a process. In a thread it ends the thread: the delivery fails, and the next one begins a new thread. So a
 * thread lives as long as its connection is well, and there is none before there are events.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { pause } from '../lib/clock.ts';
import type { OutboxEvent } from '../model/event.ts';
import type { AmqpOptions } from './amqp-publisher.ts';
import type { AmqpReply, Order } from './amqp-thread.ts';
import type { Delivery, Sink } from './dispatcher.ts';

/** A source beside sources, a part of the bundle beside its others. */
const THREAD = new URL(`./amqp-thread${extname(import.meta.filename)}`, import.meta.url);
const GOODBYE_MS = 2_000;
/** MiB of its heap. */
const MEMORY = 128;

export class AmqpSink implements Sink {
  readonly name = 'amqp';
  readonly #options: AmqpOptions;
  #thread: Worker | undefined;

  constructor(options: AmqpOptions) {
    this.#options = options;
  }

  async deliver(events: readonly OutboxEvent[], signal: AbortSignal): Promise<Delivery> {
    signal.throwIfAborted();
    this.#thread ??= this.#begin();
    try {
      await ask(this.#thread, { deliver: events }, signal);
      return { taken: events, refused: [] };
    } catch (error) {
      await this.#end();
      throw signal.aborted ? signal.reason : error;
    }
  }

  async close(): Promise<void> {
    if (this.#thread === undefined) return;
    const patience = new AbortController();
    const late = pause(GOODBYE_MS, patience.signal).then(() =>
      patience.abort(new Error('The broker says no goodbye.')),
    );
    await ask(this.#thread, { close: true }, patience.signal).catch(() => {});
    patience.abort();
    await late.catch(() => {});
    await this.#end();
  }

  #begin(): Worker {
    const thread = new Worker(THREAD, {
      workerData: this.#options,
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: MEMORY },
    });
    // Between two deliveries nobody waits for it; the next one finds that it has ended.
    thread
      .on('error', () => {})
      .once('exit', () => {
        if (this.#thread === thread) this.#thread = undefined;
      });
    thread.unref();
    return thread;
  }

  async #end(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.terminate();
  }
}

/** Rejects when the thread says so, when it ends, and when the signal is aborted. */
function ask(thread: Worker, order: Order, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const told = ({ error }: AmqpReply): void => {
    if (error === undefined) resolve();
    else reject(Object.assign(new Error(error.message), { stack: error.stack, code: error.code }));
  };
  const failed = (error: Error): void => reject(new Error('The client of the broker failed.', { cause: error }));
  const ended = (): void => reject(new Error('The client of the broker ended.'));
  const aborted = (): void => reject(signal.reason);
  thread.on('message', told).on('error', failed).on('exit', ended);
  signal.addEventListener('abort', aborted);
  thread.postMessage(order);
  return promise.finally(() => {
    thread.off('message', told).off('error', failed).off('exit', ended);
    signal.removeEventListener('abort', aborted);
  });
}
