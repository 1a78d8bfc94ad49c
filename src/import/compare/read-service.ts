/** A service of the Block Storage API, read by GET alone. */
import { Peer } from '../../http/peer.ts';
import type { ComparedList } from './compared-lists.ts';

export interface ReadServiceOptions {
  /** What failures call it. */
  readonly name: string;
  /** With the project, as a catalog has it: `http://host:8776/v3/PROJECT`. */
  readonly url: string;
  readonly token: string;
  /** Certificates (PEM) to be trusted in place of Node's. */
  readonly ca?: string;
}

interface Page {
  readonly status: number;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

const PAGE = 500;
const SILENCE_MS = 60_000;
/** A page of volumes with much metadata. */
const MOST_BYTES = 256 * 1024 ** 2;
const ENDS_WITH_PROJECT = /^(?<root>.*\/v3)\/(?<project>[^/]+)\/?$/;

export class ReadService {
  readonly project: string;
  readonly #peer: Peer;
  readonly #token: string;
  readonly #base: string;
  #version = '3.0';

  /** Throws `TypeError` for a URL that is none, or ends with no project. */
  constructor({ name, url, token, ca }: ReadServiceOptions) {
    const { pathname, href } = new URL(url);
    const { project } = ENDS_WITH_PROJECT.exec(pathname)?.groups ?? {};
    if (project === undefined)
      throw new TypeError(`${name}: its URL ends with /v3/PROJECT, as the catalog of the token has it.`);
    this.project = project;
    this.#base = href.replace(/\/$/, '');
    this.#peer = new Peer({ name, url: this.#base, silenceMs: SILENCE_MS, ...(ca !== undefined && { ca }) });
    this.#token = token;
  }

  /** The newest microversion that it has. */
  async newest(signal: AbortSignal): Promise<string> {
    const { body } = await this.#get(new URL('..', `${this.#base}/x`).href, signal);
    const versions = (body as { versions?: readonly { id?: string; version?: string }[] } | null)?.versions ?? [];
    return versions.find(({ id }) => id === 'v3.0')?.version ?? '3.0';
  }

  /** What is asked from here on. */
  speak(version: string): void {
    this.#version = version;
  }

  async *pages(list: ComparedList, ofAll: boolean, signal: AbortSignal): AsyncGenerator<Page> {
    let marker: string | undefined;
    let first: string | undefined;
    for (;;) {
      const [path = '', given] = list.path.replace('{project}', this.project).split('?');
      const query = new URLSearchParams(given);
      if (list.ofAll && ofAll) query.set('all_tenants', '1');
      if (list.paged) query.set('limit', String(PAGE));
      if (marker !== undefined) query.set('marker', marker);
      const { status, body } = await this.#get(`${this.#base}${path}?${query}`, signal);
      const rows = status === 200 ? rowsOf(list, body).map((row) => this.#withoutBase(row)) : [];
      // Cinder has lists that know nothing of pages at some of their paths, and begin again.
      if (first !== undefined && String(rows[0]?.id) === first) return;
      first ??= String(rows[0]?.id);
      yield { status, rows };
      if (!list.paged || rows.length === 0) return;
      marker = String(rows.at(-1)?.id);
    }
  }

  async #get(url: string, signal: AbortSignal): Promise<{ readonly status: number; readonly body: unknown }> {
    const headers = { 'x-auth-token': this.#token, 'openstack-api-version': `volume ${this.#version}` };
    return this.#peer.ask({ path: url, headers, signal }, async (answer) => {
      const text = (await answer.whole(MOST_BYTES)).toString();
      return { status: answer.status, body: asJson(text) };
    });
  }

  /** Links begin with the address that was asked. */
  #withoutBase(row: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    if (!Array.isArray(row.links)) return row;
    const links = row.links.map((link: { rel?: string; href?: string }) => ({
      ...link,
      href: link.href && URL.canParse(link.href) ? new URL(link.href).pathname : link.href,
    }));
    return { ...row, links };
  }
}

function rowsOf({ key }: ComparedList, body: unknown): readonly Readonly<Record<string, unknown>>[] {
  const found = key === null ? body : (body as Readonly<Record<string, unknown>> | null)?.[key];
  if (Array.isArray(found)) return found;
  return typeof found === 'object' && found !== null ? [found as Readonly<Record<string, unknown>>] : [];
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
