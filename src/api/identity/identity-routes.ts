/**
 * Identity v3 at `/identity`, as much of it as clients of a block storage need: tokens, the catalogue, and reading users,
 * projects, roles and the domain. Nothing but tokens is changed here; the rest stands in the configuration.
 *
 * Everybody reads about oneself and the own projects; an administrator of any project reads about all.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ApiConfig } from '../../lib/config/config.ts';
import type { Log } from '../../lib/logging.ts';
import { Forbidden, PumiceError, RouteNotFound } from '../../model/errors.ts';
import { Unauthorized } from '../../model/token.ts';
import { send, type Unparsed } from '../exchange.ts';
import { faultAnswer } from '../fault.ts';
import { baseOf } from '../links.ts';
import { parseQuery, type Query } from '../query.ts';
import {
  catalogueOf,
  domainShown,
  listed,
  projectShown,
  roleOf,
  roleShown,
  type Site,
  tokenOf,
  userShown,
  versionOf,
} from './documents.ts';
import type { TokenSession } from './issued-tokens.ts';
import { addNoImages } from './no-images.ts';
import { DOMAIN } from './people.ts';
import { type SignInDeps, signIn } from './sign-in.ts';

export interface IdentityDeps extends SignInDeps {
  readonly api: ApiConfig;
  readonly region: string;
  /** The image service, where there is one. */
  readonly images: string | undefined;
  readonly log: Log;
}

interface Asked {
  readonly session: TokenSession;
  readonly site: Site;
  readonly query: Query;
  readonly id: string;
}

type Answer = (asked: Asked) => object | undefined;

export function addIdentity(app: FastifyInstance, deps: IdentityDeps): void {
  const { people, tokens, region, images, api } = deps;
  const siteOf = ({ headers }: FastifyRequest): Site => ({ base: baseOf(headers.host, api), region, images });
  if (images === undefined) addNoImages(app, api);
  void app.register(
    async (identity) => {
      identity.addHook('onRequest', (request, reply, done) => {
        reply.header('x-openstack-request-id', request.id).header('vary', 'X-Auth-Token');
        done();
      });
      identity.setErrorHandler((error, request, reply) => sendError(error, request, reply, deps, siteOf(request)));
      identity.setNotFoundHandler(() => {
        throw new RouteNotFound('Identity here is for tokens, users, projects, roles and the catalogue.');
      });

      const versions = (request: FastifyRequest) => ({ versions: { values: [versionOf(siteOf(request))] } });
      const version = (request: FastifyRequest) => ({ version: versionOf(siteOf(request)) });
      // With and without a slash at the end.
      identity.get('/', (request, reply) => send(reply, 300, versions(request)));
      for (const url of ['/v3', '/v3/']) identity.get(url, (request, reply) => send(reply, 200, version(request)));

      identity.post('/v3/auth/tokens', async (request, reply) => {
        const grant = await signIn(request.body, request.ip, deps);
        const { text, session } = await tokens.issue(grant);
        send(reply.header('x-subject-token', text), 201, {
          token: tokenOf(session, siteOf(request), wantsAll(request)),
        });
        return reply;
      });
      for (const method of ['GET', 'HEAD'] as const) {
        identity.route({
          method,
          url: '/v3/auth/tokens',
          async handler(request, reply) {
            const { text, session } = await subjectOf(request, deps);
            const body = { token: tokenOf(session, siteOf(request), wantsAll(request)) };
            send(reply.header('x-subject-token', text), 200, method === 'HEAD' ? undefined : body);
            return reply;
          },
        });
      }
      identity.delete('/v3/auth/tokens', async (request, reply) => {
        const { text } = await subjectOf(request, deps);
        await tokens.revoke(text);
        send(reply, 204, undefined);
        return reply;
      });

      const read = (path: string, answer: Answer): void => {
        identity.get(`/v3${path}`, async (request, reply) => {
          const session = await tokens.session(tokenIn(request, 'x-auth-token'));
          const query = parseQuery((request.query as Unparsed).text);
          const { id = '' } = request.params as { readonly id?: string };
          const body = answer({ session, site: siteOf(request), query, id });
          if (body === undefined) throw new RouteNotFound(`Could not find ${path.split('/')[1]}: ${id}.`);
          send(reply, 200, body);
          return reply;
        });
      };

      read('/auth/catalog', ({ session, site }) => {
        if (session.project === undefined) throw new Forbidden('A token for no project has no catalogue.');
        return listed('catalog', catalogueOf(session.project, site), '/auth/catalog', site);
      });
      read('/auth/projects', ({ session, site }) =>
        listed(
          'projects',
          ownProjects(session).map((each) => projectShown(each, site)),
          '/auth/projects',
          site,
        ),
      );
      read('/auth/domains', ({ site }) => listed('domains', [], '/auth/domains', site));
      read('/auth/system', () => ({ system: [] }));
      read('/users', ({ session, site, query }) => {
        const seen = people.users.filter((user) => isAdmin(session) || user === session.user);
        return listed(
          'users',
          named(seen, query).map((user) => userShown(user, site)),
          '/users',
          site,
        );
      });
      read('/users/:id', ({ session, site, id }) => {
        const user = people.user({ id });
        return user && (user === session.user || isAdmin(session)) ? { user: userShown(user, site) } : undefined;
      });
      read('/users/:id/projects', ({ session, site, query, id }) => {
        const user = people.user({ id });
        if (user === undefined || (user !== session.user && !isAdmin(session))) return undefined;
        const projects = user === session.user ? ownProjects(session) : people.projectsOf(user);
        const shown = named(projects, query).map((each) => projectShown(each, site));
        return listed('projects', shown, `/users/${id}/projects`, site);
      });
      read('/projects', ({ session, site, query }) => {
        const seen = isAdmin(session) ? people.projects : ownProjects(session);
        return listed(
          'projects',
          named(seen, query).map((each) => projectShown(each, site)),
          '/projects',
          site,
        );
      });
      read('/projects/:id', ({ session, site, id }) => {
        const seen = isAdmin(session) ? people.projects : ownProjects(session);
        const project = seen.find((each) => each.id === id);
        return project && { project: projectShown(project, site) };
      });
      read('/domains', ({ site, query }) =>
        listed(
          'domains',
          named([DOMAIN], query).map(() => domainShown(site)),
          '/domains',
          site,
        ),
      );
      read('/domains/:id', ({ site, id }) => (id === DOMAIN.id ? { domain: domainShown(site) } : undefined));
      read('/roles', ({ site, query }) => {
        const roles = named(people.roles().map(roleOf), query).map(({ name }) => roleShown(name, site));
        return listed('roles', roles, '/roles', site);
      });
      read('/roles/:id', ({ site, id }) => {
        const role = people.roles().find((name) => roleOf(name).id === id);
        return role === undefined ? undefined : { role: roleShown(role, site) };
      });

      function ownProjects({ user, credential }: TokenSession) {
        return credential === undefined ? people.projectsOf(user) : [credential.project];
      }
    },
    { prefix: '/identity' },
  );
}

const isAdmin = ({ roles }: TokenSession): boolean => roles.some((role) => role.toLowerCase() === 'admin');

/** A list by name, as clients look for what they were told the name of. */
function named<Each extends { readonly name: string }>(all: readonly Each[], query: Query): readonly Each[] {
  const name = query.get('name');
  return name === undefined ? all : all.filter((each) => each.name === name);
}

const wantsAll = ({ query }: FastifyRequest): boolean => !parseQuery((query as Unparsed).text).has('nocatalog');

function tokenIn({ headers }: FastifyRequest, header: string): string {
  const text = headers[header];
  if (typeof text !== 'string') throw new Unauthorized();
  return text;
}

/** The token that is asked about: one of one's own, or any for an administrator or a service. */
async function subjectOf(
  request: FastifyRequest,
  { tokens }: IdentityDeps,
): Promise<{ readonly text: string; readonly session: TokenSession }> {
  const asker = await tokens.session(tokenIn(request, 'x-auth-token'));
  const text = tokenIn(request, 'x-subject-token');
  const session = await tokens.session(text).catch((error: unknown) => {
    throw error instanceof Unauthorized ? new RouteNotFound('Could not find the token.', { cause: error }) : error;
  });
  if (session.user !== asker.user && !isAdmin(asker) && !asker.roles.includes('service'))
    throw new Forbidden('You are not authorized to perform the requested action: identity:validate_token.');
  return { text, session };
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
};

/** The same faults as everywhere, in Identity's words. */
function sendError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  { log }: IdentityDeps,
  site: Site,
): void {
  const { status, body } = faultAnswer(error, { request_id: request.id }, log);
  const [fault] = Object.values(JSON.parse(body) as Record<string, { readonly message: string }>);
  if (status === 401) reply.header('www-authenticate', `Keystone uri="${site.base}/identity/v3"`);
  if (error instanceof PumiceError && status === 429) reply.header('retry-after', '30');
  send(reply, status, {
    error: { code: status, message: fault?.message ?? '', title: TITLES[status] ?? 'Internal Server Error' },
  });
}
