/**
 * Requests to Keystone, and the checks of its answers.
 *
 * A redirect is not followed, since the request carries a token. An answer that is late, too long or none is a service that
 * cannot be asked; one that is none of JSON is no answer. No error holds a header or a body.
 */
import { Peer } from '../http/peer.ts';
import { PeerFailure } from '../http/peer-failure.ts';
import { IdentityUnavailable } from '../model/token.ts';

export interface Reply {
  readonly status: number;
  /** Undefined when it is not JSON. */
  readonly body: unknown;
  readonly subjectToken: string | null;
}

export interface KeystoneRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: object;
}

/** Many times what a token with hundreds of roles needs. */
const MOST_BYTES = 1024 * 1024;

export class KeystoneHttp {
  readonly #peer: Peer;
  readonly #timeoutMs: number;

  /** `url` with or without the version; `timeoutMs` for the whole of an answer. `ca`: certificates (PEM) to be trusted. */
  constructor(url: string, timeoutMs: number, ca?: string) {
    const base = url.replace(/\/+$/, '').replace(/\/v3$/, '');
    this.#peer = new Peer({
      name: 'The identity service',
      url: base,
      silenceMs: timeoutMs,
      ...(ca !== undefined && { ca }),
    });
    this.#timeoutMs = timeoutMs;
  }

  /** To `/v3/auth/tokens`; with a body it is a POST. Either does no harm when it is asked twice. */
  ask(query: string, request: KeystoneRequest): Promise<Reply> {
    return this.#send(`tokens${query}`, request.body === undefined ? 'GET' : 'POST', request);
  }

  /** The projects of whoever has this token: `GET /v3/auth/projects`. */
  projects(token: string): Promise<Reply> {
    return this.#send('projects', 'GET', { headers: { 'x-auth-token': token } });
  }

  /** Takes a token back, in the name of its own user. */
  revoke(token: string): Promise<Reply> {
    return this.#send('tokens', 'DELETE', { headers: { 'x-auth-token': token, 'x-subject-token': token } });
  }

  async #send(path: string, method: 'GET' | 'POST' | 'DELETE', { headers, body }: KeystoneRequest): Promise<Reply> {
    try {
      return await this.#peer.ask(
        {
          path: `v3/auth/${path}`,
          method,
          headers: { ...headers, accept: 'application/json', ...(body && { 'content-type': 'application/json' }) },
          ...(body && { body: JSON.stringify(body) }),
          repeatable: true,
          wholeMs: this.#timeoutMs,
        },
        async (answer) => ({
          status: answer.status,
          body: parsed((await answer.whole(MOST_BYTES)).toString('utf8')),
          subjectToken: answer.header('x-subject-token'),
        }),
      );
    } catch (error) {
      throw error instanceof PeerFailure ? unavailable(error.does, error) : error;
    }
  }
}

export function unavailable(does: string, cause?: unknown): IdentityUnavailable {
  return new IdentityUnavailable(`The identity service ${does}.`, { cause });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
