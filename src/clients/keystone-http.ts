/**
 * Requests to Keystone, and what is believed of its answers.
 *
 * A redirect is not followed, since the request carries a token. An answer that is late, too long or none is a service that
 * cannot be asked; one that is none of JSON is no answer. No error holds a header or a body.
 */
import { IdentityUnavailable } from '../model/token.ts';

export interface Reply {
  readonly status: number;
  /** Undefined when it is not JSON. */
  readonly body: unknown;
  readonly subjectToken: string | null;
}

/** Many times what a token with hundreds of roles needs. */
const MOST_BYTES = 1024 * 1024;

export class KeystoneHttp {
  readonly #url: string;
  readonly #timeoutMs: number;

  /** `url` with or without the version. */
  constructor(url: string, timeoutMs: number) {
    this.#url = `${url.replace(/\/+$/, '').replace(/\/v3$/, '')}/v3/auth/tokens`;
    this.#timeoutMs = timeoutMs;
  }

  async ask(
    query: string,
    request: { readonly headers: Readonly<Record<string, string>>; readonly body?: object },
  ): Promise<Reply> {
    const { headers, body } = request;
    const signal = AbortSignal.timeout(this.#timeoutMs);
    try {
      const response = await fetch(`${this.#url}${query}`, {
        headers: { ...headers, accept: 'application/json', ...(body && { 'content-type': 'application/json' }) },
        ...(body && { method: 'POST', body: JSON.stringify(body) }),
        redirect: 'manual',
        signal,
      });
      const text = await textOf(response);
      return { status: response.status, body: parsed(text), subjectToken: response.headers.get('x-subject-token') };
    } catch (error) {
      throw unavailable(signal.aborted ? 'is too slow' : 'does not answer', error);
    }
  }
}

export function unavailable(does: string, cause?: unknown): IdentityUnavailable {
  return new IdentityUnavailable(`The identity service ${does}.`, { cause });
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) throw new Error('The answer is too long.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
