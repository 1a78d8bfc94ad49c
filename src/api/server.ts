/**
 * The door for HTTP: a request gets an id, a caller and a microversion, finds its route, and is answered by it or by a fault.
 *
 * Every route of the table is registered twice, below `/v3` and below `/v3/{project_id}`; the project in a path must look
 * like one (else there is nothing there) and be the caller's (else the request is wrong, whoever asks).
 *
 * Building is apart from listening, so that tests ask without a socket. One hook does all that precedes a route, and nothing is
 * logged of a request that went as expected unless the log is at `debug`: a list of a thousand volumes is read from memory,
 * and what surrounds it must not cost more than it does.
 */
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Desk } from '../commands/desk.ts';
import { uuid } from '../lib/clock.ts';
import type { ApiConfig } from '../lib/config.ts';
import type { Log } from '../lib/logging.ts';
import type { Caller } from '../model/caller.ts';
import { InvalidInput, RouteNotFound } from '../model/errors.ts';
import { type BodyCheck, bodyCheck, parseBody } from './body.ts';
import { callerOf, invitation } from './caller.ts';
import { faultAnswer, WrongMediaType, WrongMethod } from './fault.ts';
import { baseOf, linksOf } from './links.ts';
import { type Microversion, OLDEST, requestedVersion, versionText } from './microversion.ts';
import { parseQuery } from './query.ts';
import { Rendered } from './rendered.ts';
import type { Call, Route } from './route.ts';
import { routes } from './routes.ts';
import { versionDocument } from './versions.ts';

export interface ApiDeps {
  readonly desk: Desk;
  readonly log: Log;
  /** Default: all of them. */
  readonly routes?: readonly Route[];
}

/** What a path answers to, on the route's configuration in fastify. */
interface Place {
  /** Needs neither token nor version. */
  readonly open?: true;
  /** A method that no route of this path has. */
  readonly wrongMethod?: true;
  /** Before this version there is nothing. */
  readonly since: Microversion;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly place?: Place;
  }
  interface FastifyRequest {
    caller: Caller;
    version: Microversion;
  }
}

const NOBODY: Caller = { userId: '', projectId: '', roles: [], isAdmin: false, requestId: '' };
const JSON_TYPE = 'application/json';
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE'] as const;
/** The longest part of a path that may name something. */
const LONGEST_NAME = 1024;

export function buildApi({ desk, log, routes: table = routes }: ApiDeps): FastifyInstance {
  const config = desk.config.api;
  const app = Fastify({
    logger: false,
    genReqId: () => `req-${uuid()}`,
    requestIdHeader: false,
    bodyLimit: config.osapi_max_request_body_size,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: LONGEST_NAME, querystringParser: unparsed },
    frameworkErrors: (error, request, reply) => sendFault(error, request, reply, log),
  });
  // One for all requests would be shared; the hook gives each its own.
  app.decorateRequest('caller', null as never);
  app.decorateRequest('version', OLDEST);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(/^application\/(.+\+)?json/, { parseAs: 'string' }, (_request, text, done) =>
    parsed(String(text), done),
  );
  app.addContentTypeParser('*', { parseAs: 'string' }, ({ headers }, text, done) => {
    if (text === '' || headers['content-type'] === undefined) return parsed(String(text), done);
    done(new WrongMediaType('The content type of a request body must be application/json.'));
  });
  app.addHook('onRequest', (request, reply, done) => receive(request, reply, config, done));
  if (log.isLevelEnabled('debug'))
    app.addHook('onResponse', (request, reply, done) => logAnswer(request, reply, log, done));
  app.setErrorHandler((error, request, reply) => sendFault(error, request, reply, log));
  app.setNotFoundHandler((_request, _reply) => {
    throw new RouteNotFound('The resource could not be found.');
  });
  addOpenPlaces(app, desk);
  const room: Room = { desk, rendered: new Rendered(desk.db) };
  for (const place of placesOf(table)) addPlace(app, place, room);
  return app;
}

interface Unparsed {
  readonly text: string;
}

/** The router parses before any hook runs, where an error is nobody's. */
const unparsed = (text: string): { [key: string]: unknown } & Unparsed => ({ text });

function parsed(text: string, done: (error: Error | null, body?: unknown) => void): void {
  try {
    done(null, parseBody(text));
  } catch (error) {
    done(error as Error);
  }
}

// ── Before the route: id, caller, version

function receive(request: FastifyRequest, reply: FastifyReply, config: ApiConfig, done: (error?: Error) => void): void {
  reply.header('x-compute-request-id', request.id).header('x-openstack-request-id', request.id);
  const place = request.routeOptions.config.place;
  const caller = place?.open ? NOBODY : callerOf(request.headers, request.id);
  if (caller === undefined) {
    invite(request, reply, config);
    return;
  }
  request.caller = caller;
  try {
    if (!place?.open) enter(place, request, reply);
    done();
  } catch (error) {
    done(error as Error);
  }
}

function enter(place: Place | undefined, request: FastifyRequest, reply: FastifyReply): void {
  const version = requestedVersion(headerOf(request, 'openstack-api-version'));
  request.version = version;
  reply.header('openstack-api-version', `volume ${versionText(version)}`).header('vary', 'OpenStack-API-Version');
  if (place === undefined) return;
  if (place.since > version) {
    throw new RouteNotFound(`This is not found in version ${versionText(version)} of the API.`);
  }
  if (place.wrongMethod) throw new WrongMethod(`The method ${request.method} is not allowed here.`);
}

function invite(request: FastifyRequest, reply: FastifyReply, config: ApiConfig): void {
  const { token, projectId } = invitation(request.headers);
  reply
    .code(204)
    .header('x-auth-token', token)
    .header('x-server-management-url', linksOf(baseOf(request.headers.host, config), projectId).prefix)
    .send();
}

function headerOf(request: FastifyRequest, name: string): string | undefined {
  const header = request.headers[name];
  return Array.isArray(header) ? header.join(',') : header;
}

// ── Routes

/** The routes of one path, by method. A route with an action shares its method with others. */
interface PathRoutes {
  readonly path: string;
  readonly byMethod: ReadonlyMap<string, readonly Route[]>;
}

function placesOf(table: readonly Route[]): readonly PathRoutes[] {
  return [...Map.groupBy(table, ({ path }) => path)].map(([path, routes]) => {
    const byMethod = Map.groupBy(routes, ({ method }) => method);
    for (const [method, sharing] of byMethod) {
      const names = new Set(sharing.map(({ action }) => action));
      if (names.size < sharing.length || (names.size > 1 && names.has(undefined))) {
        throw new Error(`Two routes answer ${method} ${path}.`);
      }
    }
    return { path, byMethod };
  });
}

/** What every route works with. */
type Room = Pick<Call, 'desk' | 'rendered'>;

function addPlace(app: FastifyInstance, { path, byMethod }: PathRoutes, room: Room): void {
  const oldest = (routes: readonly Route[]): Microversion => Math.min(...routes.map(({ since = OLDEST }) => since));
  const missing = METHODS.filter((method) => !byMethod.has(method));
  for (const prefix of ['/v3', '/v3/:project_id']) {
    const url = `${prefix}${path}`;
    for (const [method, routes] of byMethod) {
      const config = { place: { since: oldest(routes) } };
      app.route({ method, url, config, handler: handlerOf(routes, room) });
    }
    const config = { place: { since: oldest([...byMethod.values()].flat()), wrongMethod: true } } as const;
    app.route({ method: missing, url, config, handler: unreachable });
  }
}

async function unreachable(): Promise<never> {
  throw new Error('The hook lets no request through to here.');
}

interface Prepared {
  readonly route: Route;
  readonly check: BodyCheck | undefined;
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => void;

function handlerOf(routes: readonly Route[], room: Room): Handler {
  const prepared: readonly Prepared[] = routes.map((route) => ({
    route,
    check: route.body === undefined ? undefined : bodyCheck(route.body),
  }));
  const [first] = prepared;
  const actions =
    first?.route.action === undefined ? undefined : new Map(prepared.map((one) => [one.route.action, one]));
  const isProject = new RegExp(`^(?:${room.desk.config.api.project_id_regex})$`);

  async function run(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const params = request.params as Readonly<Record<string, string>>;
    checkPath(params, request.caller, isProject);
    const { chosen, body } =
      actions === undefined ? { chosen: first as Prepared, body: request.body } : chosenAction(actions, request);
    if (chosen.check !== undefined) {
      if (body === undefined) throw new InvalidInput('The request has no body.');
      chosen.check(body, request.version);
    }
    const call = callOf(request, reply, body, room);
    send(reply, chosen.route.status ?? 200, await chosen.route.handle(call));
  }
  return (request, reply) => {
    run(request, reply).catch((error: unknown) => reply.send(error));
  };
}

function checkPath(params: Readonly<Record<string, string>>, caller: Caller, isProject: RegExp): void {
  const project = params.project_id;
  if (project !== undefined && !isProject.test(project)) throw new RouteNotFound('The resource could not be found.');
  if (project !== undefined && project !== caller.projectId) {
    throw new InvalidInput('Malformed request url: the project in it is not the one of the token.');
  }
  for (const name in params) {
    if (params[name] === '') throw new RouteNotFound('The resource could not be found.');
  }
}

function chosenAction(
  actions: ReadonlyMap<string | undefined, Prepared>,
  { body, version }: FastifyRequest,
): { readonly chosen: Prepared; readonly body: unknown } {
  const entries = Object.entries((body as object | undefined) ?? {});
  const [entry] = entries;
  if (entry === undefined || entries.length > 1)
    throw new InvalidInput('The request body must name exactly one action.');
  const [name, value] = entry;
  const chosen = actions.get(name);
  if (chosen === undefined) throw new InvalidInput(`There is no such action: ${name}.`);
  if ((chosen.route.since ?? OLDEST) > version) {
    throw new RouteNotFound(`The action ${name} is not found in version ${versionText(version)} of the API.`);
  }
  return { chosen, body: value };
}

function callOf(request: FastifyRequest, reply: FastifyReply, body: unknown, room: Room): Call {
  const params = request.params as Readonly<Record<string, string>>;
  return {
    ...room,
    caller: request.caller,
    version: request.version,
    params,
    query: parseQuery((request.query as Unparsed).text),
    body,
    headers: request.headers,
    get links() {
      return linksOf(baseOf(request.headers.host, room.desk.config.api), params.project_id);
    },
    header: (name, value) => void reply.header(name, value),
  };
}

function send(reply: FastifyReply, status: number, body: object | undefined): void {
  reply.code(status);
  if (body === undefined) {
    reply.send();
    return;
  }
  reply.header('content-type', JSON_TYPE).send(body instanceof Uint8Array ? body : bytesOf(JSON.stringify(body)));
}

/** Text would be sent with a character set that JSON does not have. */
const bytesOf = (text: string): Buffer => Buffer.from(text);

function sendFault(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): void {
  const { status, headers, body } = faultAnswer(error, request.id, log);
  // A URL that cannot be decoded comes here before any hook has run.
  reply.header('x-compute-request-id', request.id).header('x-openstack-request-id', request.id);
  reply.code(status).headers(headers).header('content-type', JSON_TYPE).send(bytesOf(body));
}

function logAnswer(request: FastifyRequest, reply: FastifyReply, log: Log, done: () => void): void {
  const { id, method, url } = request;
  log.debug({ request_id: id, method, url, status: reply.statusCode, ms: reply.elapsedTime }, 'request answered');
  done();
}

// ── What needs no token

function addOpenPlaces(app: FastifyInstance, desk: Desk): void {
  const config = { place: { open: true, since: OLDEST } } as const;
  const document = (request: FastifyRequest) => versionDocument(baseOf(request.headers.host, desk.config.api));
  app.get('/', { config }, (request, reply) => send(reply, 300, document(request)));
  app.get('/v3/', { config }, (request, reply) => send(reply, 200, document(request)));
  app.get('/v3', { config }, (request, reply) => {
    reply
      .code(302)
      .header('location', `${baseOf(request.headers.host, desk.config.api)}/v3/`)
      .send();
  });
  app.get('/healthcheck', { config }, async (_request, reply) => {
    await desk.db.reader.query('SELECT 1');
    return reply.type('text/plain').send('OK');
  });
}
