/** Sessions of a Keystone's users: Pumice asks it in their name, and keeps neither password nor token. */
import { type KeystoneSignIn, keystoneSignIn } from '../../clients/keystone-sign-in.ts';
import { trustedCertificates } from '../../http/trusted-certificates.ts';
import type { KeystoneConfig } from '../../lib/config/config.ts';
import { InvalidInput } from '../../model/errors.ts';
import type { SessionFacts, Sessions, TypedCredentials } from './sessions.ts';

export class KeystoneSessions implements Sessions {
  readonly strategy = 'keystone';
  readonly #keystone: KeystoneSignIn;
  readonly #domain: string;

  constructor({ auth_url: url = '', http_request_timeout: seconds, cafile, user_domain_name: domain }: KeystoneConfig) {
    this.#keystone = keystoneSignIn(url, seconds * 1000, trustedCertificates('keystone.cafile', cafile));
    this.#domain = domain;
  }

  /** The domain of Pumice's own user is where a site's users are likely to be. */
  async suggestions(): Promise<{ readonly domain: string }> {
    return { domain: this.#domain };
  }

  signIn({ user, password, domain, project }: TypedCredentials): Promise<string> {
    if (!user) throw new InvalidInput('user must be text.');
    if (!password) throw new InvalidInput('password must be text.');
    return this.#keystone.signIn({ user, password, domain: domain || this.#domain }, project || undefined);
  }

  async change(token: string, project: string): Promise<string> {
    return this.#keystone.change(token, project);
  }

  async facts(token: string): Promise<SessionFacts> {
    const { user, project, expiresAt } = await this.#keystone.account(token);
    return { user, project, projects: await this.#keystone.projects(token), expires_at: expiresAt };
  }

  signOut(token: string): Promise<void> {
    return this.#keystone.revoke(token);
  }
}
