/**
 * The HTTP client for other services: the one client for all of them, with its failures decided once.
 *
 * Each request ends in a value or a `PeerFailure`, in bounded time and memory:
 *
 * - a connection, the head of an answer and each wait within its body have time limits, and so has the whole where it is asked for;
 * - a head has at most 16 KiB, an answer that is read whole as much as its reader says; others are read no faster than used;
 * - a redirect is followed when the request says so, on the same origin only: requests carry tokens, and no peer is to lead us elsewhere
 *   (SSRF);
 * - a connection that was kept and had been closed by the peer costs one repetition, of a request that is safe to repeat;
 * - a body that comes in pieces is sent no faster than it is taken, and the peer may be silent as long within it as before an answer;
 * - an answer comes as it is: compressed, it is refused, since nobody asked for that.
 *
 * Not bounded is how long a body may trickle that is read piece by piece: as long as it gets on. Its reader may abort.
 */
import type { IncomingMessage } from 'node:http';
import { Answer, type Terms } from './answer.ts';
import { type Connections, connectionsTo } from './connections.ts';
import { Exchange } from './exchange.ts';
import { PeerFailure } from './peer-failure.ts';

export interface PeerOptions {
  /** What failures call it: `The image service`. */
  readonly name: string;
  /** Where it answers. What comes after the host is put before each path. */
  readonly url: string;
  /** Longest wait for the first byte of an answer, and between two. */
  readonly silenceMs: number;
  /** Certificates (PEM) to be trusted in place of those that come with Node. */
  readonly ca?: string;
}

export interface PeerRequest {
  /** Below the peer's URL, with the query. */
  readonly path: string;
  /** Default `GET`. */
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Text, or pieces, which are made no faster than the peer takes them; their number of bytes is told in `content-length`. With `expect:
   * 100-continue` they wait until the peer wants them: one that refuses a body and closes would not be heard while it is sent.
   */
  readonly body?: string | AsyncIterable<Buffer>;
  /** Longest time from the first try to the end of reading. Default: no limit but those of silence. */
  readonly wholeMs?: number;
  /** It does no harm to ask it twice. Default: for GET and HEAD. */
  readonly repeatable?: boolean;
  /** How many redirects are followed, of a GET or HEAD; more are a failure. Default 0: a redirect is an answer like any other. */
  readonly redirects?: number;
  readonly signal?: AbortSignal;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export class Peer {
  readonly #name: string;
  readonly #base: URL;
  readonly #silenceMs: number;
  readonly #connections: Connections;

  constructor({ name, url, silenceMs, ca }: PeerOptions) {
    this.#base = new URL(url.endsWith('/') ? url : `${url}/`);
    this.#name = `${name} (${this.#base.origin})`;
    this.#silenceMs = silenceMs;
    this.#connections = connectionsTo(this.#base.protocol, ca);
  }

  /**
   * Hands the answer to `read`; the connection is let go when that ends, read or not. Rejects with a `PeerFailure`, with what `read`
   * rejects with, or with the signal's reason.
   */
  async ask<T>(request: PeerRequest, read: (answer: Answer) => Promise<T>): Promise<T> {
    const { path, method = 'GET', signal, wholeMs } = request;
    signal?.throwIfAborted();
    const url = new URL(path, this.#base);
    const terms: Terms = { peer: this.#name, did: `${method} ${url.pathname}`, silenceMs: this.#silenceMs };
    if (url.origin !== this.#base.origin)
      throw new PeerFailure('unreachable', `${terms.peer} is not asked for what is elsewhere.`);
    const course = new Course();
    const abort = (): void => course.end(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    const late = (): void =>
      course.end(
        new PeerFailure('silent', `${terms.peer} did not finish ${terms.did} within ${(wholeMs ?? 0) / 1000} s.`),
      );
    const limit = wholeMs === undefined ? undefined : setTimeout(late, wholeMs);
    try {
      const response = await this.#follow(url, request, terms, course);
      const encoding = response.headers['content-encoding'] ?? 'identity';
      if (encoding !== 'identity')
        throw new PeerFailure('nonsense', `${terms.peer} answered ${terms.did} encoded (${encoding}), unasked.`);
      return await read(new Answer(response, terms));
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    } finally {
      clearTimeout(limit);
      signal?.removeEventListener('abort', abort);
      course.end();
    }
  }

  async #follow(start: URL, request: PeerRequest, terms: Terms, course: Course): Promise<IncomingMessage> {
    const { method = 'GET', redirects: most = 0 } = request;
    const isRead = method === 'GET' || method === 'HEAD';
    let url = start;
    for (let followed = 0; ; followed += 1) {
      const response = await this.#send(url, request, terms, course);
      if (most === 0 || !isRead || !REDIRECTS.has(response.statusCode ?? 0)) return response;
      const elsewhere = (where: string): never => {
        throw new PeerFailure('elsewhere', `${terms.peer} redirects ${terms.did} ${where}.`);
      };
      const { location } = response.headers;
      if (location === undefined || !URL.canParse(location, url.href)) return elsewhere('to nowhere');
      if (followed === most) return elsewhere(`more than ${most} times`);
      url = new URL(location, url);
      if (url.origin !== this.#base.origin) return elsewhere('to another origin, which is not followed');
      // A name and a password in it would be sent as credentials.
      url.username = url.password = '';
      course.next();
    }
  }

  async #send(url: URL, request: PeerRequest, terms: Terms, course: Course): Promise<IncomingMessage> {
    const { method = 'GET', headers = {}, body, repeatable = method === 'GET' || method === 'HEAD' } = request;
    const { kept, fresh } = this.#connections;
    const sending = { url, method, headers, body };
    // Pieces cannot be sent twice, and a connection that was kept may turn out to be closed.
    const agent = typeof body === 'object' ? fresh : kept;
    const first = course.begin(new Exchange({ ...sending, agent }, terms));
    try {
      return await first.head();
    } catch (error) {
      const wasClosed = error instanceof PeerFailure && (error.kind === 'broken' || error.kind === 'nonsense');
      if (!repeatable || !first.wasKept || !wasClosed || course.hasEnded) throw error;
    }
    return course.begin(new Exchange({ ...sending, agent: fresh }, terms)).head();
  }
}

/** The exchanges of one request, one after the other; what ends it ends the one that is under way. */
class Course {
  #exchange: Exchange | undefined;
  #reason: Error | undefined;
  hasEnded = false;

  begin(exchange: Exchange): Exchange {
    this.#exchange = exchange;
    if (this.hasEnded) exchange.end(this.#reason);
    return exchange;
  }

  /** The answer of the one before is not read. */
  next(): void {
    this.#exchange?.end();
  }

  end(reason?: Error): void {
    this.hasEnded = true;
    this.#reason = reason;
    this.#exchange?.end(reason);
  }
}
