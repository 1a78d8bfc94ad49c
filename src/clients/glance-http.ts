/**
 * Requests to an image service, with all that a service may do wrong: be away, be slow, answer with something else, or
 * send us elsewhere.
 *
 * A redirect is followed on the same origin only, since the request carries a token. No error holds a header. A request
 * ends when nothing was heard for a while, however long the whole takes.
 */
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
}

/** An answer whose body has not been read. */
export interface Answer {
  readonly status: number;
  readonly headers: globalThis.Headers;
  /** Ends with an `ImageServiceUnavailable` when the service falls silent or the connection breaks. */
  readonly body: AsyncIterable<Uint8Array>;
}

export class GlanceHttp {
  readonly #base: URL;
  readonly #silenceMs: number;
  readonly #backoffMs: number;

  constructor({ url, silenceMs, backoffMs = 250 }: GlanceHttpOptions) {
    this.#base = new URL(url.endsWith('/') ? url : `${url}/`);
    this.#silenceMs = silenceMs;
    this.#backoffMs = backoffMs;
  }

  /** Hands the answer to `read`; the connection is let go when that ends, read or not. */
  async get<T>(path: string, headers: Headers, signal: AbortSignal, read: (answer: Answer) => Promise<T>): Promise<T> {
    const silence = new Silence(this.#silenceMs);
    const end = AbortSignal.any([signal, silence.signal]);
    try {
      const response = await this.#follow(path, headers, end);
      silence.heard();
      return await read({
        status: response.status,
        headers: response.headers,
        body: bodyOf(response, silence, signal),
      });
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      silence.end();
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

  async #follow(path: string, headers: Headers, signal: AbortSignal): Promise<Response> {
    let url = new URL(path, this.#base);
    for (let redirects = 0; ; redirects += 1) {
      const response = await fetch(url, {
        headers: { ...headers, 'accept-encoding': 'identity' },
        redirect: 'manual',
        signal,
      }).catch((error: unknown) => {
        throw unavailable('does not answer', error);
      });
      const location = response.headers.get('location');
      if (response.status < 300 || response.status > 399 || response.status === 304) return response;
      await response.body?.cancel();
      if (location === null || redirects === REDIRECTS || !URL.canParse(location, url.href))
        throw unavailable('redirects to nowhere');
      url = new URL(location, url);
      if (url.origin !== this.#base.origin) throw unavailable('redirects to another host, which is not followed');
    }
  }
}

export function unavailable(does: string, cause?: unknown): ImageServiceUnavailable {
  return new ImageServiceUnavailable(`The image service ${does}.`, { cause });
}

async function* bodyOf(response: Response, silence: Silence, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response.body ?? []) {
      silence.heard();
      yield chunk;
    }
  } catch (error) {
    throw signal.aborted ? signal.reason : unavailable('broke off its answer', error);
  }
}

/** Aborts its signal when nothing was heard for too long. */
class Silence {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number) {
    this.#timer = setTimeout(() => this.#controller.abort(new Error(`Nothing was heard for ${ms / 1000} s.`)), ms);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  heard(): void {
    this.#timer.refresh();
  }

  /** Lets go of the connection, too. */
  end(): void {
    clearTimeout(this.#timer);
    this.#controller.abort();
  }
}
