/**
 * Signing in at Keystone for somebody who has no client of their own: a password becomes a token of the user's, for a project.
 *
 * Two steps, as Keystone wants it of whoever does not know the project: a token for nothing, with which it tells the user's
 * projects, and with that a token for one of them. Nothing is kept here, and neither a password nor a token is in any error.
 */
import { Forbidden } from '../model/errors.ts';
import { Unauthorized } from '../model/token.ts';
import { KeystoneHttp, type Reply, unavailable } from './keystone-http.ts';

export interface KeystoneName {
  readonly id: string;
  readonly name: string;
}

export interface KeystoneUser {
  readonly user: string;
  readonly password: string;
  readonly domain: string;
}

/** What Keystone says of a token to whoever has it. */
export interface KeystoneAccount {
  readonly user: KeystoneName;
  readonly project: KeystoneName;
  /** UTC with a zone. */
  readonly expiresAt: string;
}

export class KeystoneSignIn {
  readonly #http: KeystoneHttp;

  constructor(http: KeystoneHttp) {
    this.#http = http;
  }

  /** Resolves with a token for the project, or the first of the user's. Rejects with `Unauthorized`, `Forbidden`, `IdentityUnavailable`. */
  async signIn({ user, password, domain }: KeystoneUser, project: string | undefined): Promise<string> {
    const unscoped = await this.#token({
      identity: { methods: ['password'], password: { user: { name: user, password, domain: { name: domain } } } },
      scope: 'unscoped',
    });
    const id = project ?? (await this.projects(unscoped))[0]?.id;
    if (id === undefined) throw new Forbidden('This user has no role in any project.');
    return this.change(unscoped, id);
  }

  /** A token for another project. */
  change(token: string, project: string): Promise<string> {
    return this.#token({
      identity: { methods: ['token'], token: { id: token } },
      scope: { project: { id: project } },
    });
  }

  async projects(token: string): Promise<readonly KeystoneName[]> {
    const reply = await this.#http.projects(token);
    const { projects } = bodyOf<{ readonly projects?: unknown }>(reply, 200);
    const found = Array.isArray(projects) ? projects.map(named) : [undefined];
    if (!found.every((each) => each !== undefined)) throw unavailable('tells of projects in a way that makes no sense');
    return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  async account(token: string): Promise<KeystoneAccount> {
    const reply = await this.#http.ask('?nocatalog=1', {
      headers: { 'x-auth-token': token, 'x-subject-token': token },
    });
    const { token: told } = bodyOf<{ readonly token?: Readonly<Record<string, unknown>> }>(reply, 200);
    const [user, project] = [named(told?.user), named(told?.project)];
    const expiresAt = told?.expires_at;
    if (user === undefined || project === undefined || typeof expiresAt !== 'string')
      throw unavailable('tells of a token in a way that makes no sense');
    return { user, project, expiresAt };
  }

  /** One that is gone already is as good. */
  async revoke(token: string): Promise<void> {
    const { status } = await this.#http.revoke(token);
    if (status !== 204 && status !== 401 && status !== 404) throw unavailable(`answers ${status} to a revocation`);
  }

  async #token(auth: object): Promise<string> {
    const reply = await this.#http.ask('', { headers: {}, body: { auth } });
    bodyOf(reply, 201);
    if (reply.subjectToken === null) throw unavailable('gives no token');
    return reply.subjectToken;
  }
}

export const keystoneSignIn = (url: string, timeoutMs: number, ca: string | undefined): KeystoneSignIn =>
  new KeystoneSignIn(new KeystoneHttp(url, timeoutMs, ca));

function bodyOf<Body>({ status, body }: Reply, wanted: number): Body {
  if (status === 401) throw new Unauthorized();
  if (status === 403) throw new Forbidden('The identity service refuses this.');
  if (status !== wanted || typeof body !== 'object' || body === null) throw unavailable(`answers ${status}`);
  return body as Body;
}

function named(value: unknown): KeystoneName | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, name } = value as Readonly<Record<string, unknown>>;
  return typeof id === 'string' && typeof name === 'string' ? { id, name } : undefined;
}
