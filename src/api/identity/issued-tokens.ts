/**
 * The tokens that Pumice issues itself.
 *
 * A token is chance alone; it stands for a row of the database, found by the token's digest. So it outlives a
 * restart, works on every host of the site, is gone for good when it is revoked, and there is no key to keep. Whether its user
 * still has roles in its project, and still has the secret it was got with, is asked of the configuration each time.
 *
 * A token once found is cached for some seconds: one that another process revokes works here as long.
 */
import { hash, randomBytes } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import { deleteToken, findToken, type IssuedToken, insertToken } from '../../db/tokens.ts';
import { elapsed, fromNow, millis, now, type Timestamp } from '../../lib/clock.ts';
import { type Token, type TokenSource, Unauthorized } from '../../model/token.ts';
import type { ApplicationCredential, Named, People, User } from './people.ts';

/** A token with all that is told of it. */
export interface TokenSession {
  readonly issued: IssuedToken;
  readonly user: User;
  readonly project: Named | undefined;
  readonly roles: readonly string[];
  readonly credential: ApplicationCredential | undefined;
}

export interface Grant {
  readonly methods: readonly string[];
  readonly user: User;
  readonly project: Named | undefined;
  readonly credential?: ApplicationCredential | undefined;
  /** A token got with a token ends with it. */
  readonly notAfter?: Timestamp;
}

const FORM = /^[0-9a-f]{64}$/;
const BELIEVED_MS = 5_000;
const MOST_KNOWN = 10_000;

export class IssuedTokens implements TokenSource {
  readonly #db: Database;
  readonly #people: People;
  readonly #lifetimeMs: number;
  readonly #known = new Map<string, { readonly token: Token; readonly until: number }>();

  constructor(db: Database, people: People, lifetimeMs: number) {
    this.#db = db;
    this.#people = people;
    this.#lifetimeMs = lifetimeMs;
  }

  async issue(grant: Grant): Promise<{ readonly text: string; readonly session: TokenSession }> {
    // In digits, so that none begins with a hyphen: `openstack token revoke TOKEN` would take it for an option.
    const text = randomBytes(32).toString('hex');
    const { methods, user, project, credential, notAfter } = grant;
    const latest = fromNow(this.#lifetimeMs);
    const issued: IssuedToken = {
      digest: digestOf(text),
      auditId: randomBytes(16).toString('base64url'),
      methods,
      userId: user.id,
      projectId: project?.id ?? null,
      applicationCredentialId: credential?.id ?? null,
      secretMark: markOf(credential?.secretHash ?? user.passwordHash),
      issuedAt: now(),
      expiresAt: notAfter !== undefined && notAfter < latest ? notAfter : latest,
    };
    await this.#db.write((tx) => insertToken(tx, issued));
    return { text, session: this.#sessionOf(issued) };
  }

  token(text: string): Token | Promise<Token> {
    const known = this.#known.get(digestOf(text));
    if (known !== undefined && known.until > elapsed()) return known.token;
    return this.#find(text);
  }

  async #find(text: string): Promise<Token> {
    const { issued, user, project, roles } = await this.session(text);
    const token = { userId: user.id, projectId: project?.id ?? null, roles, system: false };
    const leftMs = millis(issued.expiresAt) - millis(now());
    this.#known.delete(issued.digest);
    this.#known.set(issued.digest, { token, until: elapsed() + Math.min(BELIEVED_MS, leftMs) });
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST_KNOWN && oldest !== undefined) this.#known.delete(oldest);
    return token;
  }

  /** Rejects with `Unauthorized` when there is none, or none any more. */
  async session(text: string): Promise<TokenSession> {
    if (!FORM.test(text)) throw new Unauthorized();
    const issued = await findToken(this.#db.read, digestOf(text));
    if (issued === undefined || issued.expiresAt <= now()) throw new Unauthorized();
    return this.#sessionOf(issued);
  }

  async revoke(text: string): Promise<void> {
    const digest = digestOf(text);
    await this.#db.write((tx) => deleteToken(tx, digest));
    this.#known.delete(digest);
  }

  #sessionOf(issued: IssuedToken): TokenSession {
    const user = this.#people.user({ id: issued.userId });
    const project = issued.projectId === null ? undefined : this.#people.project({ id: issued.projectId });
    const credentialId = issued.applicationCredentialId ?? undefined;
    const credential = credentialId === undefined ? undefined : this.#people.credential({ id: credentialId });
    if (user === undefined || (issued.projectId !== null && project === undefined)) throw new Unauthorized();
    if (credentialId !== undefined && credential === undefined) throw new Unauthorized();
    if (issued.secretMark !== markOf(credential?.secretHash ?? user.passwordHash)) throw new Unauthorized();
    const roles = credential?.roles ?? (project === undefined ? [] : this.#people.rolesOf(user, project));
    if (project !== undefined && roles.length === 0) throw new Unauthorized();
    return { issued, user, project, roles, credential };
  }
}

const digestOf = (text: string): string => hash('sha256', text, 'base64url');
const markOf = (secretHash: string): string => hash('sha256', `mark:${secretHash}`, 'base64url').slice(0, 22);
