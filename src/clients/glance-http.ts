/**
 * Requests to an image service. Every failure of it is transient: it is away, and the same may succeed later.
 *
 * A redirect is followed on the same origin only (`http/peer.ts`). No error holds a header. A download ends when nothing was
 * heard for a while, however long the whole takes.
 */
import type { Answer } from '../http/answer.ts';
import { Peer, type PeerRequest } from '../http/peer.ts';
import { PeerFailure } from '../http/peer-failure.ts';
import { pause } from '../lib/clock.ts';
import { ImageServiceUnavailable, PumiceError } from '../model/errors.ts';

export type Headers = Readonly<Record<string, string>>;

const REDIRECTS = 3;
const TRIES = 3;

export interface GlanceHttpOptions {
  /** Where it answers, without the version. */
  readonly url: string;
  /** Milliseconds it may be silent. */
  readonly silenceMs: number;
  /** Milliseconds before the second try; doubles. Default 250. */
  readonly backoffMs?: number;
  /** Certificates (PEM) to be trusted in place of those that come with Node. */
  readonly ca?: string | undefined;
}

export class GlanceHttp {
  readonly #peer: Peer;
  readonly #backoffMs: number;

  constructor({ url, silenceMs, backoffMs = 250, ca }: GlanceHttpOptions) {
    this.#peer = new Peer({ name: 'The image service', url, silenceMs, ...(ca !== undefined && { ca }) });
    this.#backoffMs = backoffMs;
  }

  /** Hands the answer to `read`; the connection is let go when that ends, read or not. Rejects with `ImageServiceUnavailable`, or as `read` does. */
  async ask<T>(request: PeerRequest, read: (answer: Answer) => Promise<T>): Promise<T> {
    try {
      return await this.#peer.ask({ ...request, redirects: REDIRECTS }, read);
    } catch (error) {
      throw error instanceof PeerFailure ? unavailable(error.does, error) : error;
    }
  }

  /** Tries again what failed because the service, or the one that gives us tokens, was away. Attempts that got somewhere do not count. */
  async patiently<T>(
    signal: AbortSignal,
    attempt: () => Promise<T>,
    gotAnywhere: () => boolean = () => false,
  ): Promise<T> {
    for (let failures = 0; ; ) {
      try {
        return await attempt();
      } catch (error) {
        if (signal.aborted || !(error instanceof PumiceError && error.transient)) throw error;
        failures = gotAnywhere() ? 0 : failures + 1;
        if (failures === TRIES) throw error;
        await pause(this.#backoffMs * 2 ** failures, signal);
      }
    }
  }
}

export function unavailable(does: string, cause?: unknown): ImageServiceUnavailable {
  return new ImageServiceUnavailable(`The image service ${does}.`, { cause });
}
