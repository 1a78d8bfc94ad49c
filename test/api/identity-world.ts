/** A service that knows its own users: Ada administers, Bob is a member, Eve reads, and each has the password of the name. */
import type { TestContext } from 'node:test';
import { hashPassword } from '../../src/lib/password.ts';
import { type Answer, freshWorld, PROJECT, type World, type WorldOptions } from './world.ts';

export const OTHER_PROJECT = 'aaaabbbbccccddddaaaabbbbccccdddd';

/** Work for a password is what makes it safe, and tests slow. */
const quick = (secret: string): Promise<string> => hashPassword(secret, { log2N: 10 });

export interface IdentityWorld extends World {
  /** `path` below `/identity/v3`. */
  identity(
    method: string,
    path: string,
    asked?: { readonly token?: string; readonly body?: unknown } & Headers,
  ): Promise<Answer>;
  /** The token of a user in a project, by name; for no project when null. */
  signIn(user: string, project?: string | null): Promise<string>;
  as(token: string, method: string, path: string, body?: unknown): Promise<Answer>;
}

interface Headers {
  readonly headers?: Readonly<Record<string, string>>;
}

export async function identityWorld(
  context: TestContext,
  { set = [], ...options }: WorldOptions = {},
): Promise<IdentityWorld> {
  const hash = async (section: string, secret: string) => `identity.${section}=${await quick(secret)}`;
  const world = await freshWorld(context, {
    ...options,
    set: [
      'api.auth_strategy=local',
      `identity.projects.demo.id=${PROJECT}`,
      `identity.projects.other.id=${OTHER_PROJECT}`,
      await hash('users.ada.password_hash', 'ada'),
      'identity.users.ada.roles.demo=admin',
      await hash('users.bob.password_hash', 'bob'),
      'identity.users.bob.default_project=demo',
      'identity.users.bob.roles.demo=member',
      'identity.users.bob.roles.other=reader',
      await hash('users.eve.password_hash', 'eve'),
      'identity.users.eve.roles.demo=reader',
      await hash('application_credentials.robot.secret_hash', 'wrench'),
      'identity.application_credentials.robot.id=robot',
      'identity.application_credentials.robot.user=bob',
      'identity.application_credentials.robot.project=demo',
      ...set,
    ],
  });
  const identity: IdentityWorld['identity'] = (method, path, { token, body, headers } = {}) =>
    world.ask(method, `//identity/v3${path}`, {
      project: null,
      headers: { ...(token !== undefined && { 'x-auth-token': token }), ...headers },
      ...(body !== undefined && { body }),
    });
  return {
    ...world,
    identity,
    async signIn(user, project = 'demo') {
      const { status, headers, text } = await identity('POST', '/auth/tokens', {
        body: passwordOf(user, user, project),
      });
      if (status !== 201) throw new Error(`${user} could not sign in: ${status} ${text}`);
      return String(headers['x-subject-token']);
    },
    as: (token, method, path, body) =>
      world.ask(method, path, {
        version: 'latest',
        project: null,
        headers: { 'x-auth-token': token },
        ...(body !== undefined && { body }),
      }),
  };
}

/** Project null: unscoped; undefined: nothing is said of it. */
export const passwordOf = (name: string, password: string, project?: string | null) => ({
  auth: {
    identity: { methods: ['password'], password: { user: { name, password, domain: { id: 'default' } } } },
    ...(project === null && { scope: 'unscoped' }),
    ...(typeof project === 'string' && { scope: { project: { name: project, domain: { name: 'Default' } } } }),
  },
});
