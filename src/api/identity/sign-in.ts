/**
 * From the body of `POST auth/tokens` to a grant: who it is, proved by a password, a token or an application credential, and
 * which project it is to be for.
 *
 * Every refusal is the same 401, and one that is refused for its name takes as long as one refused for its password: nobody
 * learns who there is.
 */
import type { Log } from '../../lib/logging.ts';
import { isPassword } from '../../lib/password.ts';
import { Forbidden, InvalidInput } from '../../model/errors.ts';
import { Unauthorized } from '../../model/token.ts';
import type { Grant, IssuedTokens } from './issued-tokens.ts';
import { DOMAIN, type Named, type People, type User, type Wanted } from './people.ts';
import type { SignInThrottle } from './sign-in-throttle.ts';

export interface SignInDeps {
  readonly people: People;
  readonly tokens: IssuedTokens;
  readonly throttle: SignInThrottle;
  readonly log: Log;
}

/** A longer secret only costs time. */
const LONGEST_SECRET = 4_096;

export async function signIn(body: unknown, address: string, deps: SignInDeps): Promise<Grant> {
  const auth = object(object(body, 'body').auth, 'auth');
  const identity = object(auth.identity, 'auth.identity');
  const methods = identity.methods;
  if (!Array.isArray(methods) || methods.length === 0 || !methods.every((each) => typeof each === 'string'))
    throw new InvalidInput('auth.identity.methods must be a list of names.');
  const [method, ...more] = new Set(methods);
  // Two proofs at once would be two factors, of which there is only one here.
  if (more.length > 0) throw new Unauthorized();
  switch (method) {
    case 'password':
      return byPassword(object(object(identity.password, 'password').user, 'password.user'), auth.scope, address, deps);
    case 'token':
      return byToken(text(object(identity.token, 'token').id, 'token.id'), auth.scope, deps);
    case 'application_credential':
      return byCredential(object(identity.application_credential, 'application_credential'), auth.scope, address, deps);
    default:
      throw new Unauthorized();
  }
}

async function byPassword(given: Body, scope: unknown, address: string, deps: SignInDeps): Promise<Grant> {
  const { people } = deps;
  const user = people.user(wantedUser(given));
  const tried = { as: String(given.id ?? given.name).slice(0, 255), known: user?.name, address };
  const hashes = [user?.passwordHash, ...people.users.map(({ passwordHash }) => passwordHash)];
  await prove(text(given.password, 'password'), hashes, tried, deps);
  if (user === undefined) throw new Unauthorized();
  return { methods: ['password'], user, project: projectOf(scope, user, people) };
}

async function byToken(id: string, scope: unknown, { people, tokens }: SignInDeps): Promise<Grant> {
  const { user, credential, issued } = await tokens.session(id);
  if (credential !== undefined) throw new Forbidden('A token of an application credential gets no other.');
  const methods = [...new Set([...issued.methods, 'token'])];
  return { methods, user, project: projectOf(scope, user, people), notAfter: issued.expiresAt };
}

async function byCredential(given: Body, scope: unknown, address: string, deps: SignInDeps): Promise<Grant> {
  const { people } = deps;
  const id = optionalText(given.id, 'application_credential.id');
  const name = optionalText(given.name, 'application_credential.name');
  const owner =
    id === undefined ? people.user(wantedUser(object(given.user, 'application_credential.user'))) : undefined;
  const credential = people.credential({ id, name, user: owner });
  const tried = { as: `credential ${String(id ?? name).slice(0, 255)}`, known: credential?.name, address };
  const hashes = [credential?.secretHash, ...people.credentials.map(({ secretHash }) => secretHash)];
  await prove(text(given.secret, 'application_credential.secret'), hashes, tried, deps);
  if (credential === undefined || credential.roles.length === 0) throw new Unauthorized();
  // It has its project; a client may say which, not another.
  const { user, project } = credential;
  if (scope !== undefined && projectOf(scope, user, people)?.id !== project.id) throw new Unauthorized();
  return { methods: ['application_credential'], user, project, credential };
}

interface Tried {
  /** What the client calls itself, which may be a secret that was typed in the wrong place. */
  readonly as: string;
  /** The name, when somebody has it. */
  readonly known: string | undefined;
  readonly address: string;
}

/** The first hash is the one; where it is missing, another gives the same work to do. */
async function prove(
  secret: string,
  [hash, ...others]: readonly (string | undefined)[],
  { as, known, address }: Tried,
  { throttle, log }: SignInDeps,
): Promise<void> {
  if (secret.length > LONGEST_SECRET) throw new Unauthorized();
  const right = await throttle.attempt(`${as} ${address}`, async () => {
    const matches = await isPassword(secret, hash ?? others[0] ?? '');
    return matches && hash !== undefined;
  });
  if (right) return;
  log.warn({ user: known, address }, 'a wrong password or secret was given');
  throw new Unauthorized();
}

/** Undefined: for no project. */
function projectOf(scope: unknown, user: User, people: People): Named | undefined {
  if (scope === undefined || scope === null) {
    const project = user.defaultProject === undefined ? undefined : people.project({ name: user.defaultProject });
    return project !== undefined && people.rolesOf(user, project).length > 0 ? project : undefined;
  }
  if (scope === 'unscoped') return undefined;
  const wanted = object(scope, 'auth.scope');
  if (wanted.unscoped !== undefined) return undefined;
  if (wanted.project === undefined) throw new Unauthorized();
  const project = people.project(wantedIn(object(wanted.project, 'auth.scope.project'), 'auth.scope.project'));
  if (project === undefined || people.rolesOf(user, project).length === 0) throw new Unauthorized();
  return project;
}

function wantedUser(given: Body): Wanted {
  return wantedIn(given, 'user');
}

/** By id, or by name in the one domain there is. */
function wantedIn(given: Body, where: string): Wanted {
  const id = optionalText(given.id, `${where}.id`);
  if (id !== undefined) return { id };
  const name = text(given.name, `${where}.name`);
  const domain = object(given.domain, `${where}.domain`);
  const inDefault = domain.id === undefined ? domain.name === DOMAIN.name : domain.id === DOMAIN.id;
  // No name has an id of nothing.
  return inDefault ? { name } : { id: '' };
}

type Body = Readonly<Record<string, unknown>>;

function object(value: unknown, where: string): Body {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InvalidInput(`${where} must be an object.`);
  return value as Body;
}

function text(value: unknown, where: string): string {
  if (typeof value !== 'string' || value === '') throw new InvalidInput(`${where} must be text.`);
  return value;
}

const optionalText = (value: unknown, where: string): string | undefined =>
  value === undefined || value === null ? undefined : text(value, where);
