/** A client of the API like any other, over HTTP. */
import { Peer } from '../../http/peer.ts';
import { pause } from '../../lib/clock.ts';
import { isTransient } from '../../model/status.ts';

/** Under `noauth` a token is `user:project`; the project in a path has to be hexadecimal. */
export const PROJECT = 'cafe';
export const TOKEN = `demo:${PROJECT}`;

const VERSION = 'volume 3.71';
const POLL_MS = 20;
const SILENCE_MS = 60_000;
const MOST_BYTES = 16 * 1024 * 1024;

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** Any of the kinds, as far as the demonstration looks at it. */
export interface Resource {
  readonly id: string;
  readonly name: string | null;
  readonly status: string;
  /** GiB; of a volume or a snapshot. */
  readonly size?: number;
  readonly 'os-vol-host-attr:host'?: string | null;
  /** Its name. */
  readonly volume_type?: string | null;
  /** Of a volume that is in one. */
  readonly group_id?: string | null;
}

export interface DemoAnswer {
  readonly method: Method;
  readonly status: number;
  readonly requestId: string;
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export const DEMO_KINDS = ['volume', 'snapshot', 'group', 'group_snapshot'] as const;
export type DemoKind = (typeof DEMO_KINDS)[number];

/** What an administrator calls a kind of volumes or of groups, and what the scheduler reads of it. */
export interface DemoType {
  readonly name: string;
  readonly specs: Readonly<Record<string, string>>;
}

/** The service said no. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused';
}

export class Client {
  readonly #service: Peer;
  readonly #signal: AbortSignal;

  constructor(address: string, signal: AbortSignal) {
    this.#service = new Peer({ name: 'The service', url: address, silenceMs: SILENCE_MS });
    this.#signal = signal;
  }

  async list(kind: DemoKind): Promise<readonly Resource[]> {
    const { body } = await this.ask('GET', `/${kind}s/detail`);
    return body[`${kind}s`] as readonly Resource[];
  }

  /** Undefined when it is gone. */
  async find(kind: DemoKind, id: string): Promise<Resource | undefined> {
    const { status, body } = await this.#send('GET', `/${kind}s/${id}`);
    return status === 404 ? undefined : (body[kind] as Resource);
  }

  /** What it is when nothing works on it any more; undefined when it is gone. */
  async settled(kind: DemoKind, id: string): Promise<Resource | undefined> {
    for (;;) {
      const found = await this.find(kind, id);
      if (found === undefined || !isTransient(found.status)) return found;
      await pause(POLL_MS, this.#signal);
    }
  }

  /** Rejects with `RequestRefused` unless the answer is 2xx. */
  async ask(method: Method, path: string, body?: object): Promise<DemoAnswer> {
    const answer = await this.#send(method, path, body);
    if (answer.status < 300) return answer;
    const [fault] = Object.values(answer.body) as { readonly message?: string }[];
    throw new RequestRefused(
      `${method} ${answer.path} was answered ${answer.status}: ${fault?.message ?? 'no reason given'}`,
    );
  }

  async #send(method: Method, path: string, body?: object): Promise<DemoAnswer> {
    const full = `/v3/${PROJECT}${path}`;
    return this.#service.ask(
      {
        method,
        path: full,
        headers: { 'X-Auth-Token': TOKEN, 'OpenStack-API-Version': VERSION, 'Content-Type': 'application/json' },
        signal: this.#signal,
        ...(body !== undefined && { body: JSON.stringify(body) }),
      },
      async (answer) => {
        const text = (await answer.whole(MOST_BYTES)).toString('utf8');
        return {
          method,
          status: answer.status,
          requestId: answer.header('x-openstack-request-id') ?? '',
          path: full,
          body: text === '' ? {} : JSON.parse(text),
        };
      },
    );
  }
}
