/**
 * Asks the service as any client does, and keeps a ledger of what it was answered: the promises that have to be kept.
 *
 * A request that could not be sent was not made. One whose answer never came may have been heard or not; everything else is
 * a promise: 2xx will be so, any other answer has changed nothing.
 */
export interface Entry {
  /** `POST /volumes` */
  readonly asked: string;
  /** Null when the answer was lost. */
  readonly status: number | null;
  /** As the answer told it. */
  readonly requestId: string | null;
  /** The name of what was to be made; names are never used twice. */
  readonly name: string | null;
  /** The id of what was made. */
  readonly made: string | null;
  readonly text: string;
}

export interface Wish {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below `/v3`. */
  readonly path: string;
  readonly body?: object;
}

/** Long enough for a request that waits for a frozen process's lock to be let go. */
const PATIENCE_MS = 40_000;

export class Door {
  readonly ledger: Entry[] = [];
  /** Whether the last one who was asked has answered. */
  answers = false;
  readonly #urls: () => string | undefined;

  /** `urls` says where to ask now. */
  constructor(urls: () => string | undefined) {
    this.#urls = urls;
  }

  /** Undefined when nobody listened, or the answer was lost. */
  // biome-ignore lint/suspicious/noExplicitAny: answers have every shape
  async ask(projectId: string, { method, path, body }: Wish): Promise<{ status: number; body: any } | undefined> {
    const url = this.#urls();
    if (url === undefined) return undefined;
    const asked = `${method} ${path}${body === undefined ? '' : ` ${JSON.stringify(body)}`}`;
    try {
      const response = await fetch(`${url}/v3${path}`, {
        method,
        headers: {
          'x-auth-token': `chaos:${projectId}`,
          'openstack-api-version': 'volume 3.71',
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      const requestId = response.headers.get('x-openstack-request-id');
      const text = await response.text();
      this.answers = true;
      const answer = text === '' ? undefined : JSON.parse(text);
      if (method !== 'GET' && !isNoPromise(path, body))
        this.#note(asked, body, { status: response.status, requestId, text, answer });
      return { status: response.status, body: answer };
    } catch (error) {
      this.answers = false;
      if (method !== 'GET' && !isNoPromise(path, body) && !neverSent(error)) this.#note(asked, body, null);
      return undefined;
    }
  }

  #note(
    asked: string,
    body: object | undefined,
    answered: { status: number; requestId: string | null; text: string; answer: unknown } | null,
  ): void {
    const wished = Object.values(body ?? {})[0] as { readonly name?: string } | null | undefined;
    const made = Object.values((answered?.answer as object | undefined) ?? {})[0] as { readonly id?: string };
    this.ledger.push({
      asked,
      status: answered?.status ?? null,
      requestId: answered?.requestId ?? null,
      name: wished?.name ?? null,
      made: answered !== null && answered.status < 300 ? (made?.id ?? null) : null,
      text: answered?.text.slice(0, 300) ?? '',
    });
  }
}

/**
 * Answered when its flow has ended, or has made an image's record, however that was: what it says is no promise, and what it did is
 * looked at. A type is no flow's.
 */
const isNoPromise = (path: string, body: object | undefined): boolean =>
  /^\/(attachments|types|group_types)/.test(path) || (body !== undefined && 'os-volume_upload_image' in body);

function neverSent(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return cause?.code === 'ECONNREFUSED';
}
