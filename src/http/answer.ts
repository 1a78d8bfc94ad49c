/**
 * A streamed response: its head is there, and its body is still to be read.
 *
 * The peer's time is counted, and ours is not: the limit runs while we wait for bytes and rests while the reader writes them to
 * a disk. Nothing is read ahead of the reader but what the stream holds (64 KiB), so a fast peer fills no memory.
 */
import type { IncomingMessage } from 'node:http';
import { PeerFailure } from './peer-failure.ts';

/** Of one exchange: how its failures are worded, and how long its peer may be silent. */
export interface Terms {
  /** `The image service (http://10.0.0.5:9292)`. */
  readonly peer: string;
  /** `GET /v2/images/…`, without the query. */
  readonly did: string;
  readonly silenceMs: number;
}

/** Of a length that is told, memory for so much is taken before it comes. */
const MOST_BELIEVED_BYTES = 16 * 1024 ** 2;

export class Answer {
  readonly status: number;
  readonly #response: IncomingMessage;
  readonly #terms: Terms;

  constructor(response: IncomingMessage, terms: Terms) {
    this.status = response.statusCode ?? 0;
    this.#response = response;
    this.#terms = terms;
    // An error that comes when nobody reads any more is nobody's.
    response.on('error', () => {});
  }

  /** Null when there is none. The values of a header that came twice are joined. `name` in lower case. */
  header(name: string): string | null {
    const value = this.#response.headers[name];
    return (Array.isArray(value) ? value.join(', ') : value) ?? null;
  }

  /** Once. Ends with a `PeerFailure` when the peer falls silent or breaks off. */
  async *body(): AsyncGenerator<Buffer, void, undefined> {
    const { peer, did, silenceMs } = this.#terms;
    const chunks = this.#response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    const silent = (): void => {
      const message = `${peer} fell silent for ${silenceMs / 1000} s in its answer to ${did}.`;
      this.#response.destroy(new PeerFailure('silent', message));
    };
    for (;;) {
      const limit = setTimeout(silent, silenceMs);
      try {
        const { done, value } = await chunks.next();
        if (done) return;
        clearTimeout(limit);
        yield value;
      } catch (error) {
        if (error instanceof PeerFailure) throw error;
        throw new PeerFailure('broken', `${peer} broke off its answer to ${did}.`, error);
      } finally {
        clearTimeout(limit);
      }
    }
  }

  /** All of it, when it has at most so many bytes. Takes twice as much memory at most, in however small pieces it comes. */
  async whole(mostBytes: number): Promise<Buffer> {
    const { peer, did } = this.#terms;
    const tooLong = () =>
      new PeerFailure('too-long', `${peer} answered ${did} with more than the ${mostBytes} bytes that are read.`);
    const told = Number(this.header('content-length') ?? 0);
    if (told > mostBytes) throw tooLong();
    let all = Buffer.allocUnsafeSlow(Math.min(mostBytes, Math.max(4096, Math.min(told, MOST_BELIEVED_BYTES) || 0)));
    let bytes = 0;
    for await (const chunk of this.body()) {
      if (bytes + chunk.length > mostBytes) throw tooLong();
      if (bytes + chunk.length > all.length) {
        const larger = Buffer.allocUnsafeSlow(Math.min(mostBytes, Math.max(all.length * 2, bytes + chunk.length)));
        all.copy(larger, 0, 0, bytes);
        all = larger;
      }
      chunk.copy(all, bytes);
      bytes += chunk.length;
    }
    return all.subarray(0, bytes);
  }
}
