/** One request, from the connection to the head of its answer. */
import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Terms } from './answer.ts';
import { http } from './node-http.ts';
import { PeerFailure } from './peer-failure.ts';

export interface Sending {
  readonly url: URL;
  readonly agent: Agent;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | AsyncIterable<Buffer> | undefined;
}

/** Longest head of an answer, bytes. */
const MOST_HEAD_BYTES = 16_384;
/** To find the name, to connect and to agree on TLS. */
const CONNECT_MS = 10_000;
/** How long a peer is asked whether it wants a body: not all say so. */
const EXPECT_MS = 1_000;

export class Exchange {
  readonly #terms: Terms;
  readonly #request: ClientRequest;
  readonly #head: Promise<IncomingMessage>;
  #response: IncomingMessage | undefined;
  #limit: NodeJS.Timeout | undefined;
  readonly #connected = Promise.withResolvers<void>();
  #isConnected = false;
  #sourceFailure: unknown;

  /** Throws a `PeerFailure` for a request that cannot be sent at all. */
  constructor({ url, agent, method, headers, body }: Sending, terms: Terms) {
    this.#terms = terms;
    const isTls = url.protocol === 'https:';
    try {
      this.#request = (isTls ? httpsRequest : http.request)(url, {
        agent,
        method,
        headers: { ...headers, 'accept-encoding': 'identity' },
        maxHeaderSize: MOST_HEAD_BYTES,
      });
    } catch (error) {
      throw new PeerFailure('unreachable', `${terms.did} cannot be sent to ${terms.peer}.`, error);
    }
    this.#head = this.#answered(isTls);
    // It may be ended before anybody waits for it.
    this.#head.catch(() => {});
    if (body === undefined || typeof body === 'string') this.#request.end(body);
    else void this.#sendPieces(body, 'expect' in headers);
  }

  /** The peer had been sent a request on this connection before, and may have closed it meanwhile. */
  get wasKept(): boolean {
    return this.#request.reusedSocket;
  }

  head(): Promise<IncomingMessage> {
    return this.#head;
  }

  /** Whatever waits for it ends with the reason. */
  end(reason?: Error): void {
    clearTimeout(this.#limit);
    // Read to its end, its connection is kept.
    if (this.#response?.readableEnded) return;
    this.#response?.destroy(reason);
    if (this.#response === undefined) this.#request.destroy(reason);
  }

  #answered(isTls: boolean): Promise<IncomingMessage> {
    const { peer, did, silenceMs } = this.#terms;
    const request = this.#request;
    return new Promise((resolve, reject) => {
      this.#within(
        Math.min(CONNECT_MS, silenceMs),
        (ms) => `${peer} was not reached for ${did} within ${ms / 1000} s.`,
      );
      const connected = (): void => {
        this.#isConnected = true;
        this.#connected.resolve();
        this.#awaitAnswer();
      };
      request.on('socket', (connection) => {
        if (request.reusedSocket) return connected();
        // Errors are the request's to tell, while there is one; the connection may have one at any time.
        connection.on('error', () => {}).once(isTls ? 'secureConnect' : 'connect', connected);
      });
      request.on('response', (response) => {
        clearTimeout(this.#limit);
        this.#response = response;
        resolve(response);
      });
      const failed = (error?: Error): void => {
        clearTimeout(this.#limit);
        if (this.#sourceFailure !== undefined) reject(this.#sourceFailure);
        else reject(error instanceof PeerFailure ? error : this.#explained(error));
      };
      request.on('error', failed);
      // It may end without a word, as when it wants to speak another protocol.
      request.on('close', failed);
    });
  }

  /**
   * No faster than the peer takes them, and no more once it has answered. The peer's time is counted and not that of whoever makes the
   * pieces, whose failure is the request's.
   */
  async #sendPieces(pieces: AsyncIterable<Buffer>, expects: boolean): Promise<void> {
    const request = this.#request;
    try {
      if (expects) await this.#wanted();
      for await (const piece of pieces) {
        if (this.#response !== undefined || request.destroyed) return;
        if (!request.write(piece)) await this.#taken();
        if (this.#response === undefined) clearTimeout(this.#limit);
      }
      if (this.#response !== undefined || request.destroyed) return;
      this.#awaitAnswer();
      request.end();
    } catch (error) {
      this.#sourceFailure = error;
      request.destroy();
    }
  }

  /** Resolves when the peer says that it wants the body, when it has answered without, or when it says nothing. */
  #wanted(): Promise<void> {
    return new Promise((resolve) => {
      let limit: NodeJS.Timeout | undefined;
      const done = (): void => {
        clearTimeout(limit);
        resolve();
      };
      for (const event of ['continue', 'response', 'close'] as const) this.#request.once(event, done);
      void this.#connected.promise.then(() => {
        limit = setTimeout(done, EXPECT_MS);
      });
    });
  }

  /** Resolves when the peer has taken what was written, or takes no more. */
  #taken(): Promise<void> {
    const { peer, did, silenceMs } = this.#terms;
    this.#within(silenceMs, (ms) => `${peer} took nothing more of ${did} within ${ms / 1000} s.`);
    return new Promise((resolve) => {
      const events = ['drain', 'close', 'response'] as const;
      const done = (): void => {
        for (const event of events) this.#request.off(event, done);
        resolve();
      };
      for (const event of events) this.#request.on(event, done);
    });
  }

  #awaitAnswer(): void {
    const { peer, did, silenceMs } = this.#terms;
    this.#within(silenceMs, (ms) => `${peer} did not begin to answer ${did} within ${ms / 1000} s.`);
  }

  #within(ms: number, message: (ms: number) => string): void {
    clearTimeout(this.#limit);
    this.#limit = setTimeout(() => this.end(new PeerFailure('silent', message(ms))), ms);
  }

  #explained(error: Error | undefined): PeerFailure {
    const { peer, did } = this.#terms;
    const code = error !== undefined && 'code' in error ? String(error.code) : '';
    if (code.startsWith('HPE_') || error === undefined)
      return new PeerFailure('nonsense', `${peer} answered ${did} with something that is no HTTP answer.`, error);
    if (this.#isConnected)
      return new PeerFailure('broken', `${peer} ended the connection without an answer to ${did}.`, error);
    return new PeerFailure('unreachable', `${peer} could not be reached for ${did}.`, error);
  }
}
