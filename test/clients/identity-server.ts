/** A Keystone for tests, which misbehaves on demand: each request is answered by the next behaviour, then well. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { fromNow, uuid } from '../../src/lib/clock.ts';
import { httpServer } from './http-server.ts';

export type Behaviour = (request: IncomingMessage, response: ServerResponse, server: IdentityServer) => void;

export interface IdentityServer {
  readonly url: string;
  /** What it says of each token that it knows; the body's `token`. */
  readonly tokens: Map<string, Record<string, unknown>>;
  /** Used up one a request. */
  readonly next: Behaviour[];
  readonly requests: { readonly method: string; readonly path: string; readonly headers: IncomingMessage['headers'] }[];
  /** Bodies of requests for a token of the service's own. */
  readonly logins: unknown[];
  /** Our own tokens that it still knows. */
  readonly own: Set<string>;
  /** Whoever else may sign in, by name; the password is the name. */
  readonly people: Map<string, readonly PersonsProject[]>;
}

export interface PersonsProject {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly string[];
}

/** Microseconds and a zone, as Keystone writes times. */
export const later = (ms = 3_600_000): string => `${fromNow(ms)}Z`;

export const projectToken = (projectId: string, roles: readonly string[], more: Record<string, unknown> = {}) => ({
  user: { id: 'ada', name: 'Ada', domain: { id: 'default', name: 'Default' } },
  project: { id: projectId, name: 'demo', domain: { id: 'default', name: 'Default' } },
  roles: roles.map((name) => ({ id: `id-of-${name}`, name })),
  methods: ['password'],
  issued_at: later(-1000),
  expires_at: later(),
  ...more,
});

export async function identityServer(t: TestContext): Promise<IdentityServer> {
  const url = await httpServer(t, (request, response) => {
    server.requests.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers });
    (server.next.shift() ?? well)(request, response, server);
  });
  const server: IdentityServer = {
    url,
    tokens: new Map(),
    next: [],
    requests: [],
    logins: [],
    own: new Set(),
    people: new Map(),
  };
  return server;
}

export const well: Behaviour = (request, response, server) => {
  const { pathname, searchParams } = new URL(request.url ?? '', server.url);
  const asker = String(request.headers['x-auth-token']);
  if (pathname === '/v3/auth/projects') return projectsOf(asker)(request, response, server);
  if (pathname !== '/v3/auth/tokens') return answer(404, {})(request, response, server);
  if (request.method === 'POST') return login(request, response, server);
  const text = String(request.headers['x-subject-token']);
  if (!server.own.has(asker) && !(server.tokens.has(asker) && asker === text))
    return answer(401, {})(request, response, server);
  if (request.method === 'DELETE') {
    server.tokens.delete(text);
    return void response.writeHead(204).end();
  }
  const token = server.tokens.get(text);
  // As Keystone does: whoever does not know of access rules must not take the token.
  const { access_rules: rules = null } = (token?.application_credential ?? {}) as Record<string, unknown>;
  const isRead = rules === null || request.headers['openstack-identity-access-rules'] === '1.0';
  const good = isRead && token && (String(token.expires_at) > fromNow(0) || searchParams.has('allow_expired'));
  if (!good) return answer(404, { error: { code: 404, title: 'Not Found' } })(request, response, server);
  response.setHeader('x-subject-token', text);
  answer(200, { token })(request, response, server);
};

const projectsOf =
  (asker: string): Behaviour =>
  (request, response, server) => {
    const user = server.tokens.get(asker)?.user as { readonly name: string } | undefined;
    const projects = server.people.get(user?.name ?? '');
    answer(projects ? 200 : 401, { projects, links: {} })(request, response, server);
  };

interface Login {
  readonly auth: {
    readonly identity: {
      readonly password?: { readonly user: { readonly name: string; readonly password: string } };
      readonly token?: { readonly id: string };
    };
    readonly scope?: { readonly project?: { readonly id: string } };
  };
}

function login(request: IncomingMessage, response: ServerResponse, server: IdentityServer): void {
  void json(request).then((body) => {
    const { identity, scope } = (body as Login).auth;
    const user = identity.password?.user;
    const before = server.tokens.get(identity.token?.id ?? '')?.user as { readonly name: string } | undefined;
    if (before !== undefined || (user !== undefined && server.people.has(user.name)))
      return personsLogin(before?.name ?? user?.name ?? '', user, scope?.project?.id)(request, response, server);
    server.logins.push(body);
    const text = `own-${uuid()}`;
    server.own.add(text);
    response.writeHead(201, { 'content-type': 'application/json', 'x-subject-token': text });
    response.end(JSON.stringify({ token: projectToken('service', ['service']) }));
  });
}

const personsLogin =
  (name: string, user: { readonly password: string } | undefined, projectId: string | undefined): Behaviour =>
  (request, response, server) => {
    const project = server.people.get(name)?.find(({ id }) => id === projectId);
    if ((user && user.password !== name) || (projectId !== undefined && project === undefined))
      return answer(401, {})(request, response, server);
    const text = `theirs-${uuid()}`;
    const { project: _, ...unscoped } = projectToken('', []);
    const token = project === undefined ? unscoped : projectToken(project.id, project.roles, { project });
    server.tokens.set(text, { ...token, user: { id: `id-of-${name}`, name } });
    answer(201, { token: server.tokens.get(text) }, { 'x-subject-token': text })(request, response, server);
  };

export const answer =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Behaviour =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };

export const sayNothing: Behaviour = () => {};
export const hangUp: Behaviour = (request) => void request.socket.destroy();
