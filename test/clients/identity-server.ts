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
  };
  return server;
}

export const well: Behaviour = (request, response, server) => {
  const { pathname, searchParams } = new URL(request.url ?? '', server.url);
  if (pathname !== '/v3/auth/tokens') return answer(404, {})(request, response, server);
  if (request.method === 'POST') return login(request, response, server);
  if (!server.own.has(String(request.headers['x-auth-token']))) return answer(401, {})(request, response, server);
  const text = String(request.headers['x-subject-token']);
  const token = server.tokens.get(text);
  // As Keystone does: whoever does not know of access rules must not take the token.
  const { access_rules: rules = null } = (token?.application_credential ?? {}) as Record<string, unknown>;
  const isRead = rules === null || request.headers['openstack-identity-access-rules'] === '1.0';
  const good = isRead && token && (String(token.expires_at) > fromNow(0) || searchParams.has('allow_expired'));
  if (!good) return answer(404, { error: { code: 404, title: 'Not Found' } })(request, response, server);
  response.setHeader('x-subject-token', text);
  answer(200, { token })(request, response, server);
};

function login(request: IncomingMessage, response: ServerResponse, { logins, own }: IdentityServer): void {
  void json(request).then((body) => {
    logins.push(body);
    const text = `own-${uuid()}`;
    own.add(text);
    response.writeHead(201, { 'content-type': 'application/json', 'x-subject-token': text });
    response.end(JSON.stringify({ token: projectToken('service', ['service']) }));
  });
}

export const answer =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Behaviour =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };

export const sayNothing: Behaviour = () => {};
export const hangUp: Behaviour = (request) => void request.socket.destroy();
