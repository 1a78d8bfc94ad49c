/**
 * One answer that goes on: server-sent events to one client.
 *
 * Backpressure: a client that does not read must not cost memory. What it has not taken may be 64 KiB; beyond that its connection is
 * cut, and it comes back with the id of what it last read. One that has nothing to be told is sent a comment every 15 seconds, since
 * proxies cut what is silent. It is asked then, too, whether its token is still good for what it is told; if not, the stream ends, and
 * the next request is told why.
 */
import type { ServerResponse } from 'node:http';
import type { Watcher } from '../../events/hub.ts';

const MOST_UNREAD = 65_536;
const BEAT_MS = 15_000;
/** Milliseconds after which a client comes back, at least; with jitter, so that not all come at once. */
const RETRY_MS = 1_000;

export interface EventStreamOptions {
  readonly projectId: string | null;
  /** The answer, from here on the stream's. */
  readonly open: () => ServerResponse;
  readonly beat: () => Buffer;
  /** Whether it may be told on. Rejects when nobody can say, and then it is. */
  readonly isWelcome: () => Promise<boolean>;
  /** Called once, when there is nobody to tell any more. */
  readonly gone: (stream: EventStream) => void;
}

export class EventStream implements Watcher {
  readonly projectId: string | null;
  readonly #options: EventStreamOptions;
  #answer: ServerResponse | undefined;

  constructor(options: EventStreamOptions) {
    this.projectId = options.projectId;
    this.#options = options;
  }

  send(frame: Buffer): void {
    this.#answer ??= this.#open();
    if (this.#answer.destroyed || this.#answer.writableEnded) return;
    this.#answer.write(frame);
    if (this.#answer.writableLength > MOST_UNREAD) this.#answer.destroy();
  }

  end(): void {
    const answer = this.#answer;
    answer?.end(() => answer.socket?.end());
  }

  #open(): ServerResponse {
    const { open, beat, isWelcome, gone } = this.#options;
    const answer = open();
    const beating = setInterval(() => {
      this.send(beat());
      isWelcome().then(
        (welcome) => welcome || this.end(),
        () => {},
      );
    }, BEAT_MS);
    beating.unref();
    const close = (): void => {
      clearInterval(beating);
      gone(this);
    };
    if (answer.destroyed) setImmediate(close);
    else answer.once('close', close);
    // It ends with its connection. In chunks each frame would be three pieces for the socket, which is a seventh of what a watcher costs.
    answer.useChunkedEncodingByDefault = false;
    answer.writeHead(200, {
      connection: 'close',
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    answer.write(`retry: ${RETRY_MS + Math.floor(Math.random() * RETRY_MS)}\n\n`);
    return answer;
  }
}
