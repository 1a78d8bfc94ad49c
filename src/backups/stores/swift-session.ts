/**
 * The way into Swift: a token and where the account is, from Keystone and its catalogue, or from Swift's own older sign-in (version 1, which
 * TempAuth and many appliances have). Signed in is when the first call comes, and again when a token is not taken any more.
 */
import { SingleFlight } from '../../lib/single-flight.ts';
import { BackupStoreRefused, BackupStoreUnavailable } from '../../model/errors.ts';
import type { SwiftAddress } from './store-address.ts';
import { StoreHttp } from './store-http.ts';

export interface SwiftSession {
  readonly token: string;
  /** Asks below the account. */
  readonly account: StoreHttp;
}

interface Granted {
  readonly token: string | null;
  readonly accountUrl: string | null;
}

const MOST_BYTES = 1024 ** 2;
const CA_OPTION = 'backup_swift_ca_cert_file';

export class SwiftSessions {
  readonly #address: SwiftAddress;
  readonly #door: StoreHttp;
  readonly #flights = new SingleFlight<SwiftSession>();
  #session: SwiftSession | undefined;

  /** Throws `BackupStoreRefused` when the certificates cannot be used. */
  constructor(address: SwiftAddress) {
    const { authUrl, silenceMs, caFile } = address;
    this.#address = address;
    this.#door = new StoreHttp({ url: new URL(authUrl).origin, silenceMs, caFile, caOption: CA_OPTION });
  }

  /** Rejects with `BackupStoreRefused`, `BackupStoreUnavailable`, or the signal's reason. */
  async current(signal: AbortSignal): Promise<SwiftSession> {
    if (this.#session !== undefined) return this.#session;
    return this.#flights.run('sign in', { signal }, async () => {
      this.#session = await this.#signIn(signal);
      return this.#session;
    });
  }

  /** Its token was not taken. */
  forget(session: SwiftSession): void {
    if (this.#session === session) this.#session = undefined;
  }

  async #signIn(signal: AbortSignal): Promise<SwiftSession> {
    const { storageUrl, silenceMs, caFile, authVersion } = this.#address;
    const { token, accountUrl } = authVersion === '3' ? await this.#byKeystone(signal) : await this.#byVersion1(signal);
    const url = storageUrl ?? accountUrl;
    if (token === null)
      throw this.#refused('it gives no token. Check backup_swift_auth_url and backup_swift_auth_version');
    if (url === null || !URL.canParse(url))
      throw this.#refused('it knows no object store there. Check backup_swift_region, or say backup_swift_storage_url');
    return { token, account: new StoreHttp({ url, silenceMs, caFile, caOption: CA_OPTION }) };
  }

  #byVersion1(signal: AbortSignal): Promise<Granted> {
    const { authUrl, user, key } = this.#address;
    const headers = { 'x-auth-user': user, 'x-auth-key': key };
    return this.#door.ask({ path: pathOf(authUrl), headers, signal }, async (answer) => {
      if (answer.status !== 200 && answer.status !== 204) throw this.#failure(answer.status);
      return { token: answer.header('x-auth-token'), accountUrl: answer.header('x-storage-url') };
    });
  }

  #byKeystone(signal: AbortSignal): Promise<Granted> {
    const { authUrl, user, key, userDomain, project, projectDomain, region } = this.#address;
    const password = { user: { name: user, password: key, domain: { name: userDomain } } };
    const scope = { project: { name: project, domain: { name: projectDomain } } };
    const request = {
      method: 'POST',
      path: `${pathOf(authUrl).replace(/\/?(v3\/?)?$/, '/v3/auth/tokens')}`,
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ auth: { identity: { methods: ['password'], password }, scope } }),
      repeatable: true,
      signal,
    } as const;
    return this.#door.ask(request, async (answer) => {
      if (answer.status !== 201) throw this.#failure(answer.status);
      const accountUrl = accountIn((await answer.whole(MOST_BYTES)).toString(), region);
      return { token: answer.header('x-subject-token'), accountUrl };
    });
  }

  #failure(status: number): Error {
    if (status === 408 || status === 429 || status >= 500)
      return new BackupStoreUnavailable(
        `The backup store (${this.#called}) lets nobody sign in: it is busy (${status}).`,
      );
    if (status === 401 || status === 403)
      return this.#refused(
        `it refused our credentials (${status}). Check backup_swift_user, backup_swift_key and their project`,
      );
    return this.#refused(`it answers ${status}. Check backup_swift_auth_url and backup_swift_auth_version`);
  }

  #refused(why: string): BackupStoreRefused {
    return new BackupStoreRefused(`The backup store (${this.#called}) does not let us sign in: ${why}.`);
  }

  get #called(): string {
    return `Swift by ${this.#address.authUrl}`;
  }
}

const pathOf = (url: string): string => new URL(url).pathname.slice(1);

interface Catalogue {
  readonly token?: {
    readonly catalog?: readonly {
      readonly type?: string;
      readonly endpoints?: readonly { readonly interface?: string; readonly region?: string; readonly url?: string }[];
    }[];
  };
}

/** The public URL of the object store, in that region or in any. Null: there is none. */
function accountIn(text: string, region: string | null): string | null {
  try {
    const { token } = JSON.parse(text) as Catalogue;
    const endpoints = token?.catalog?.find(({ type }) => type === 'object-store')?.endpoints ?? [];
    const ours = endpoints.find((each) => each.interface === 'public' && (region === null || each.region === region));
    return ours?.url ?? null;
  } catch {
    return null;
  }
}
