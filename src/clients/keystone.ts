/**
 * The client of Keystone: validates tokens, with a cache, and gets a token of our own.
 *
 * A validated token is cached for the configured time and never beyond its end, under a digest, so that no token lies in
 * memory longer than its request. A token that Keystone does not know is cached for some seconds, too (a negative cache): a
 * client that tries it again and again does not reach Keystone. Requests that bring the same token at once wait for one
 * answer. A caller that Keystone cannot be asked about is not let in: away, slow or confused is 503, a token that is
 * unknown, expired or told wrongly is 401.
 */
import { hash } from 'node:crypto';
import { trustedCertificates } from '../http/trusted-certificates.ts';
import { elapsed, millis, now } from '../lib/clock.ts';
import type { KeystoneConfig } from '../lib/config/config.ts';
import type { Log } from '../lib/logging.ts';
import type { Pace, Troubles } from '../lib/troubles.ts';
import { type OwnToken, type Token, type TokenSource, Unauthorized } from '../model/token.ts';
import type { UpkeepName } from '../model/upkeep.ts';
import { KeystoneHttp, type Reply, unavailable } from './keystone-http.ts';
import { type ReadToken, readToken } from './keystone-token.ts';

export type KeystoneCredentials =
  | {
      readonly username: string;
      readonly password: string;
      readonly userDomainName: string;
      readonly projectName: string;
      readonly projectDomainName: string;
    }
  | { readonly applicationCredentialId: string; readonly applicationCredentialSecret: string };

export interface KeystoneOptions {
  readonly url: string;
  readonly credentials: KeystoneCredentials;
  readonly timeoutMs: number;
  /** How long an answer is believed. */
  readonly cacheMs: number;
  /** Certificates (PEM) to be trusted in place of those that come with Node. */
  readonly ca?: string | undefined;
  readonly log: Log;
  readonly troubles: Troubles;
}

/** Undefined: nobody's. */
interface Known {
  readonly token: Token | undefined;
  readonly until: number;
}

const MOST_KNOWN = 10_000;
const NOBODYS_MS = 10_000;
/** Our own token is renewed when less is left of it. */
const SPARE_MS = 60_000;
const LONGEST = 16_384;
/** Without it Keystone does not know a token that has access rules, lest somebody overlook them. */
const READS_ACCESS_RULES = { 'openstack-identity-access-rules': '1.0' } as const;

const IDENTITY: UpkeepName = 'identity';
const CREDENTIALS = 'our credentials';
const TOKENS = 'tokens';
/** A wrong password that is sent with every request locks the account out. */
const REFUSED: Pace = { firstMs: 1_000, longestMs: 60_000 };

export class Keystone implements TokenSource, OwnToken {
  readonly #http: KeystoneHttp;
  readonly #options: KeystoneOptions;
  readonly #known = new Map<string, Known>();
  readonly #asked = new Map<string, Promise<Token>>();
  #own: { readonly text: string; readonly until: number } | undefined;
  #renewal: Promise<string> | undefined;

  constructor(options: KeystoneOptions) {
    this.#options = options;
    this.#http = new KeystoneHttp(options.url, options.timeoutMs, options.ca);
  }

  token(text: string, { evenExpired = false } = {}): Token | Promise<Token> {
    if (!mayBeToken(text)) throw new Unauthorized();
    const key = `${evenExpired}${hash('sha256', text, 'base64')}`;
    const known = this.#known.get(key);
    if (known !== undefined && known.until > elapsed()) {
      if (known.token === undefined) throw new Unauthorized();
      return known.token;
    }
    const asked = this.#asked.get(key);
    if (asked !== undefined) return asked;
    const asking = this.#find(text, key, evenExpired).finally(() => this.#asked.delete(key));
    this.#asked.set(key, asking);
    return asking;
  }

  async #find(text: string, key: string, evenExpired: boolean): Promise<Token> {
    const found = await this.#ask(text, evenExpired);
    const leftMs = found === undefined ? 0 : found.expiresMs - millis(now());
    if (found === undefined || (leftMs <= 0 && !evenExpired)) {
      this.#keep(key, undefined, NOBODYS_MS);
      throw new Unauthorized();
    }
    const { expiresMs: _, ...token } = found;
    this.#keep(key, token, evenExpired ? this.#options.cacheMs : Math.min(this.#options.cacheMs, leftMs));
    return token;
  }

  async #ask(text: string, evenExpired: boolean): Promise<ReadToken | undefined> {
    const query = `?nocatalog=1${evenExpired ? '&allow_expired=1' : ''}`;
    const ask = async (own: string): Promise<Reply> =>
      this.#http.ask(query, {
        headers: { 'x-auth-token': own, 'x-subject-token': text, ...READS_ACCESS_RULES },
      });
    const own = await this.own();
    let reply = await ask(own);
    if (reply.status === 401) {
      // Ours was revoked, or Keystone has new keys.
      this.forget(own);
      reply = await ask(await this.own());
    }
    if (reply.status !== 404 && reply.status !== 200)
      throw this.#refused(TOKENS, `answers ${reply.status} when it is asked about a token`);
    this.#options.troubles.worked(IDENTITY, TOKENS);
    if (reply.status === 404) return undefined;
    if (reply.subjectToken !== null && reply.subjectToken !== text) return this.#lies('another token');
    return readToken(reply.body) ?? this.#lies('something that is no token');
  }

  #lies(what: string): undefined {
    this.#options.log.warn({ told: what }, 'the identity service told of something else than it was asked about');
    return undefined;
  }

  own(): string | Promise<string> {
    if (this.#own !== undefined && this.#own.until > elapsed()) return this.#own.text;
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  /** Whoever was refused with an older one finds that there is a new one already. */
  forget(text: string): void {
    if (this.#own?.text === text) this.#own = undefined;
  }

  /** Not tried while our credentials are known to be refused: rejects at once, with the reason. */
  async #renew(): Promise<string> {
    const { troubles } = this.#options;
    const refused = troubles.find(IDENTITY, CREDENTIALS);
    if (refused !== undefined && !troubles.isDue(IDENTITY, CREDENTIALS))
      throw unavailable('cannot be asked', new Error(refused.reason));
    const reply = await this.#http.ask('', { headers: {}, body: { auth: authOf(this.#options.credentials) } });
    const about = reply.status === 401 || reply.status === 403 ? CREDENTIALS : TOKENS;
    if (reply.status !== 201) throw this.#refused(about, `answers ${reply.status} to our own credentials`);
    const token = readToken(reply.body);
    if (reply.subjectToken === null || !mayBeToken(reply.subjectToken) || token === undefined)
      throw this.#refused(TOKENS, 'gives us no token');
    troubles.worked(IDENTITY, CREDENTIALS);
    this.#own = { text: reply.subjectToken, until: elapsed() + token.expiresMs - millis(now()) - SPARE_MS };
    return reply.subjectToken;
  }

  /** What an operator must put right, told once to the log and not to clients. */
  #refused(about: string, does: string): Error {
    const cause = new Error(`The identity service ${does}.`);
    this.#options.troubles.failed(IDENTITY, about, cause, REFUSED, { level: 'error' });
    return unavailable('cannot be asked', cause);
  }

  #keep(key: string, token: Token | undefined, ms: number): void {
    this.#known.delete(key);
    this.#known.set(key, { token, until: elapsed() + ms });
    if (this.#known.size <= MOST_KNOWN) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }
}

/** What cannot be a header of ours cannot be a token either. */
const mayBeToken = (text: string): boolean => text.length <= LONGEST && /^[\x21-\x7e]+$/.test(text);

export function keystoneOf(config: KeystoneConfig, log: Log, troubles: Troubles): Keystone {
  return new Keystone({
    url: config.auth_url ?? '',
    credentials: credentialsOf(config),
    timeoutMs: config.http_request_timeout * 1000,
    cacheMs: config.token_cache_time * 1000,
    ca: trustedCertificates('keystone.cafile', config.cafile),
    log,
    troubles,
  });
}

/** The configuration has one of the two. */
function credentialsOf(keystone: KeystoneConfig): KeystoneCredentials {
  const { application_credential_id: id, application_credential_secret: secret } = keystone;
  if (id !== undefined && secret !== undefined)
    return { applicationCredentialId: id, applicationCredentialSecret: secret };
  return {
    username: keystone.username ?? '',
    password: keystone.password ?? '',
    userDomainName: keystone.user_domain_name,
    projectName: keystone.project_name,
    projectDomainName: keystone.project_domain_name,
  };
}

function authOf(credentials: KeystoneCredentials): object {
  if ('applicationCredentialId' in credentials) {
    const { applicationCredentialId: id, applicationCredentialSecret: secret } = credentials;
    return { identity: { methods: ['application_credential'], application_credential: { id, secret } } };
  }
  const { username: name, password, userDomainName, projectName, projectDomainName } = credentials;
  return {
    identity: { methods: ['password'], password: { user: { name, password, domain: { name: userDomainName } } } },
    scope: { project: { name: projectName, domain: { name: projectDomainName } } },
  };
}
