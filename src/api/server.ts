/**
 * The door for HTTP: a request gets an id, a caller and a microversion, finds its route, and is answered by it or by a fault.
 *
 * Every route of Cinder's table is registered twice, below `/v3` and below `/v3/{project_id}`; the project in a path must look
 * like one (else there is nothing there) and be the caller's (else the request is wrong, whoever asks). Our own stand below
 * `/pumice/v1`, without versions and projects; they are loaded when the first of them is asked.
 *
 * Building is apart from listening, so that tests ask without a socket. One hook does all that precedes a route, and nothing is
 * logged of a request that went as expected unless the log is at `debug`: a list of a thousand volumes is read from memory,
 * and what surrounds it must not cost more than it does.
 */
import type { IncomingMessage, RequestListener } from 'node:http';
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type onRequestHookHandler,
} from 'fastify';
import type { Desk } from '../commands/desk.ts';
import type { ApiConfig } from '../lib/config/config.ts';
import type { Log } from '../lib/logging.ts';
import { once } from '../lib/once.ts';
import type { Caller } from '../model/caller.ts';
import { RouteNotFound } from '../model/errors.ts';
import { Unauthorized } from '../model/token.ts';
import type { Tracing } from '../traces/tracing.ts';
import { type Admitted, logFacts, RequestAdmission } from './admission.ts';
import { parseBody } from './body.ts';
import { type Authenticate, invitation } from './caller.ts';
import { connectionOptions, limitConnections } from './connections.ts';
import { bodyText } from './decode.ts';
import { CINDERS, type Destination, destinations, NOWHERE, OWN } from './dispatch.ts';
import { bytesOf, JSON_TYPE, LONGEST_NAME, type Place, send, unparsed } from './exchange.ts';
import { type FastPathDeps, fastPath } from './fast-path.ts';
import { faultAnswer, WrongMediaType, WrongMethod } from './fault.ts';
import { addHealthcheck } from './healthcheck.ts';
import { baseOf, linksOf } from './links.ts';
import { OLDEST, versionText } from './microversion.ts';
import { addPage } from './page/page-door.ts';
import { orBySession } from './page/session-cookie.ts';
import type { Sessions } from './page/sessions.ts';
import { Policy } from './policy/policy.ts';
import { RateLimit } from './rate-limit.ts';
import type { RequestMeter } from './request-meter.ts';
import { RequestsInFlight } from './requests-in-flight.ts';
import { ResponseCache } from './response-cache.ts';
import type { Route } from './route.ts';
import { routes } from './routes.ts';
import { RowCache } from './row-cache.ts';
import { versionDocument } from './versions.ts';

declare module 'fastify' {
  interface FastifyRequest {
    destination: Destination;
  }
}

export interface ApiDeps {
  readonly desk: Desk;
  readonly log: Log;
  /** Who may do what. Default: Cinder's rules. */
  readonly policy?: Policy;
  /** Who asks. */
  readonly admit: Authenticate;
  /** Told of each request while it is answered. */
  readonly requests?: RequestsInFlight;
  /** Adds an identity service of our own. */
  readonly addIdentity?: (app: FastifyInstance) => void;
  /** Of the page, as one signs in by this strategy. Default: there is no page. */
  readonly sessions?: () => Promise<Sessions>;
  /** Default: all of them. */
  readonly routes?: readonly Route[];
  /** Those below `/pumice/v1`. Default: all of them. */
  readonly ownRoutes?: () => Promise<readonly Route[]>;
  readonly answers?: ResponseCache;
  readonly rowCache?: RowCache;
  /** Told of each request when it is answered. Default: nobody measures. */
  readonly meter?: RequestMeter | undefined;
  /** Default: nobody traces. */
  readonly tracing?: Pick<Tracing, 'begin'> | undefined;
}

const OPEN: Place = { open: true, since: OLDEST };
const NOBODY: Caller = { userId: '', projectId: '', roles: [], isAdmin: false, serviceRoles: [], requestId: '' };

export function buildApi({
  desk,
  log,
  policy = new Policy(),
  admit,
  requests = new RequestsInFlight(),
  addIdentity,
  sessions,
  routes: table = routes,
  ownRoutes = async () => (await import('./pumice/own-routes.ts')).ownRoutes,
  answers = new ResponseCache(desk.db, policy),
  rowCache = new RowCache(desk.db),
  meter,
  tracing,
}: ApiDeps): FastifyInstance {
  const config = desk.config.api;
  const rate =
    config.rate_limit_per_minute > 0 ? new RateLimit(config.rate_limit_per_minute, config.rate_limit_burst) : undefined;
  const authenticate = orBySession(admit, config);
  const admission = new RequestAdmission({ authenticate, rate, requests, log, meter, tracing });
  const app = Fastify({
    ...connectionOptions(config),
    logger: false,
    genReqId: (request: IncomingMessage) => admission.idOf(request),
    requestIdHeader: false,
    bodyLimit: config.osapi_max_request_body_size,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    routerOptions: { maxParamLength: LONGEST_NAME, querystringParser: unparsed },
    frameworkErrors: (error, request, reply) => sendFault(error, request, reply, log),
  });
  // One for all requests would be shared; the hook gives each its own.
  app.decorateRequest('caller', null as never);
  app.decorateRequest('version', OLDEST);
  app.decorateRequest('visit', null as never);
  app.decorateRequest('destination', null as never);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(/^application\/(.+\+)?json/, { parseAs: 'buffer' }, (_request, bytes, done) =>
    parsed(bytes as Buffer, done),
  );
  app.addContentTypeParser('*', { parseAs: 'buffer' }, ({ headers }, bytes, done) => {
    if (bytes.length === 0 || headers['content-type'] === undefined) return parsed(bytes as Buffer, done);
    done(new WrongMediaType('The content type of a request body must be application/json.'));
  });
  app.setErrorHandler((error, request, reply) => sendFault(error, request, reply, log));
  const door: Door = { config, admission };
  app.setNotFoundHandler((request, reply) => receive(request, reply, NOWHERE, door, (error) => void reply.send(error)));
  const onRequest: onRequestHookHandler = (request, reply, done) => receive(request, reply, OPEN, door, done);
  const answerRoot = addOpenPlaces(app, desk, onRequest);
  if (sessions === undefined) app.get('/', { onRequest }, answerRoot);
  else addPage(app, { onRequest, answerRoot });
  addIdentity?.(app);
  const closing = new AbortController();
  app.addHook('preClose', (done) => {
    closing.abort();
    done();
  });
  const deps = { desk, policy, rate, answers, rowCache, meter, authenticate, closing: closing.signal };
  const lead = (
    found: Destination,
    request: FastifyRequest,
    reply: FastifyReply,
    done: (error?: Error) => void,
  ): void => {
    request.destination = found;
    request.params = found.params;
    receive(request, reply, found.place, door, done);
  };
  const handler = (request: FastifyRequest, reply: FastifyReply): void => request.destination.handle(request, reply);
  const find = destinations(table, CINDERS, deps);
  app.route({
    method: app.supportedMethods,
    url: '/v3/*',
    onRequest: (request, reply, done) => lead(find(request.method, request.url), request, reply, done),
    handler,
  });
  const own = once(async () => destinations([...(await ownRoutes()), ...(await routesOf(sessions))], OWN, deps));
  app.route({
    method: app.supportedMethods,
    url: '/pumice/v1/*',
    onRequest: (request, reply, done) => {
      own().then((find) => lead(find(request.method, request.url), request, reply, done), done);
    },
    handler,
  });
  limitConnections(app, config);
  addFastPath(app, { answers, admission });
  return app;
}

async function routesOf(sessions: ApiDeps['sessions']): Promise<readonly Route[]> {
  if (sessions === undefined) return [];
  const { sessionRoutes } = await import('./page/session-routes.ts');
  return sessionRoutes(once(sessions));
}

/** Puts it before Fastify's own listener, until Fastify is told to close: from then on that ends each connection. */
function addFastPath(app: FastifyInstance, deps: FastPathDeps): void {
  const [slow] = app.server.listeners('request') as [RequestListener];
  const fast = fastPath(deps, slow);
  let listener = fast;
  app.addHook('preClose', (done) => {
    listener = slow;
    done();
  });
  app.server.off('request', slow).on('request', (request, response) => listener(request, response));
}

/** Bodies are checked by `body.ts`. Without this Fastify loads two compilers, which is a quarter of its size, for nothing. */
function noSchemas(): never {
  throw new Error('No route has a schema that Fastify would compile.');
}

function parsed(bytes: Uint8Array, done: (error: Error | null, body?: unknown) => void): void {
  try {
    done(null, parseBody(bodyText(bytes)));
  } catch (error) {
    done(error as Error);
  }
}

interface Door {
  readonly config: ApiConfig;
  readonly admission: RequestAdmission;
}

function receive(
  request: FastifyRequest,
  reply: FastifyReply,
  place: Place,
  { config, admission }: Door,
  done: (error?: Error) => void,
): void {
  const visit = admission.visitOf(request.raw, reply.raw, request.id, !place.own);
  visit.meter ??= place.meter;
  visit.route = place.route;
  request.visit = visit;
  reply.header('x-compute-request-id', request.id).header('x-openstack-request-id', request.id);
  if (place.open) {
    request.caller = NOBODY;
    done();
    return;
  }
  const welcome = (admitted: Admitted | null): void => {
    if (admitted !== null) done(enter(admitted, place, request, reply));
    else if (place.own) done(new Unauthorized());
    else invite(request, reply, config);
  };
  const admitted = visit.admitted();
  if (admitted instanceof Promise) admitted.then(welcome, done);
  else welcome(admitted);
}

/** The refusal, where there is no such place, or the version has none. */
function enter(
  { caller, version }: Admitted,
  place: Place,
  request: FastifyRequest,
  reply: FastifyReply,
): Error | undefined {
  request.caller = caller;
  request.version = version;
  if (!place.own)
    reply.header('openstack-api-version', `volume ${versionText(version)}`).header('vary', 'OpenStack-API-Version');
  if (place.since > version) {
    return new RouteNotFound(`This is not found in version ${versionText(version)} of the API.`);
  }
  if (place.nowhere) return new RouteNotFound('The resource could not be found.');
  return place.wrongMethod && new WrongMethod(`The method ${request.method} is not allowed here.`);
}

function invite(request: FastifyRequest, reply: FastifyReply, config: ApiConfig): void {
  const { token, projectId } = invitation(request.headers);
  reply
    .code(204)
    .header('x-auth-token', token)
    .header('x-server-management-url', linksOf(baseOf(request.headers.host, config), projectId).prefix)
    .send();
}

function sendFault(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): void {
  const { status, headers, body } = faultAnswer(error, logFacts(request.id, request.visit?.trace), log);
  // A URL that cannot be decoded comes here before any hook has run.
  reply.header('x-compute-request-id', request.id).header('x-openstack-request-id', request.id);
  reply.code(status).headers(headers).header('content-type', JSON_TYPE).send(bytesOf(body));
}

/** Returns what `GET /` is answered where nobody wants a page. */
function addOpenPlaces(
  app: FastifyInstance,
  desk: Desk,
  onRequest: onRequestHookHandler,
): (request: FastifyRequest, reply: FastifyReply) => void {
  const document = (request: FastifyRequest) => versionDocument(baseOf(request.headers.host, desk.config.api));
  app.get('/v3/', { onRequest }, (request, reply) => send(reply, 200, document(request)));
  app.get('/v3', { onRequest }, (request, reply) => {
    reply
      .code(302)
      .header('location', `${baseOf(request.headers.host, desk.config.api)}/v3/`)
      .send();
  });
  addHealthcheck(app, desk, onRequest);
  return (request, reply) => send(reply, 300, document(request));
}
