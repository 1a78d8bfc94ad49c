/** Sessions of the users of `[identity]`: the same proof, the same throttle and the same tokens as at `/identity/v3`. */
import { Forbidden } from '../../model/errors.ts';
import type { Named, User } from '../identity/people.ts';
import { DOMAIN } from '../identity/people.ts';
import { type SignInDeps, signIn } from '../identity/sign-in.ts';
import type { SessionFacts, Sessions, TypedCredentials } from './sessions.ts';

export class OwnSessions implements Sessions {
  readonly strategy = 'local';
  readonly #deps: SignInDeps;

  constructor(deps: SignInDeps) {
    this.#deps = deps;
  }

  async suggestions(): Promise<object> {
    return {};
  }

  async signIn({ user, password, project }: TypedCredentials, address: string): Promise<string> {
    const identity = { methods: ['password'], password: { user: { name: user, password, domain: DOMAIN } } };
    const scope = project ? { project: { id: project } } : undefined;
    const grant = await signIn({ auth: { identity, scope } }, address, this.#deps);
    const { text } = await this.#deps.tokens.issue({ ...grant, project: grant.project ?? this.#firstOf(grant.user) });
    return text;
  }

  /** The new token ends when the old one would have. */
  async change(token: string, project: string): Promise<string> {
    const identity = { methods: ['token'], token: { id: token } };
    const grant = await signIn({ auth: { identity, scope: { project: { id: project } } } }, '', this.#deps);
    const { text } = await this.#deps.tokens.issue(grant);
    await this.#deps.tokens.revoke(token);
    return text;
  }

  async facts(token: string): Promise<SessionFacts> {
    const { user, project, issued } = await this.#deps.tokens.session(token);
    return {
      user: shown(user),
      project: shown(project ?? this.#firstOf(user)),
      projects: this.#deps.people.projectsOf(user).map(shown),
      expires_at: `${issued.expiresAt}Z`,
    };
  }

  signOut(token: string): Promise<void> {
    return this.#deps.tokens.revoke(token);
  }

  #firstOf(user: User): Named {
    const [first] = this.#deps.people.projectsOf(user);
    if (first === undefined) throw new Forbidden('This user has no role in any project.');
    return first;
  }
}

const shown = ({ id, name }: Named): Named => ({ id, name });
