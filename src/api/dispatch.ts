/**
 * From a table of routes to handlers: the routes of a path registered below each prefix of the API, a request checked against its
 * route, its answer sent.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import findMyWay from 'find-my-way';
import type { Desk } from '../commands/desk.ts';
import type { Caller } from '../model/caller.ts';
import { InvalidInput, RouteNotFound, ServiceUnavailable } from '../model/errors.ts';
import { type BodyCheck, bodyCheck } from './body.ts';
import type { Authenticate } from './caller.ts';
import { LONGEST_NAME, type Place, send, type Unparsed, unparsed } from './exchange.ts';
import { baseOf, linksOf } from './links.ts';
import { type Microversion, OLDEST, versionText } from './microversion.ts';
import { attributesFor } from './policy/attributes.ts';
import { enforce } from './policy/enforce.ts';
import type { Policy } from './policy/policy.ts';
import { parseQuery } from './query.ts';
import type { RateLimit } from './rate-limit.ts';
import type { RequestMeter, RouteMeter } from './request-meter.ts';
import type { Mark, ResponseCache } from './response-cache.ts';
import type { ApiCall, Route } from './route.ts';
import type { RowCache } from './row-cache.ts';

export interface DestinationDeps {
  readonly desk: Desk;
  readonly policy: Policy;
  readonly rate: RateLimit | undefined;
  readonly answers: ResponseCache;
  readonly rowCache: RowCache;
  readonly meter: RequestMeter | undefined;
  readonly authenticate: Authenticate;
  /** Aborted when the server is about to close. */
  readonly closing: AbortSignal;
}

/** What every route works with. */
type Room = Pick<DestinationDeps, 'desk' | 'policy' | 'rate' | 'rowCache' | 'authenticate' | 'closing'> & {
  /** Undefined where nobody measures. */
  meterOf(route: { readonly method: string; readonly path: string; readonly action?: string }): RouteMeter | undefined;
};

/** What a method and a URL lead to. */
export interface Destination {
  readonly place: Place;
  /** Of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly handle: Handler;
}

interface Registered extends Pick<Destination, 'place' | 'handle'> {}

/** What a table of routes hangs below. */
export interface Root {
  readonly prefixes: readonly string[];
  /** Our own API, not Cinder's. */
  readonly own?: true;
}

export const CINDERS: Root = { prefixes: ['/v3', '/v3/:project_id'] };
export const OWN: Root = { prefixes: ['/pumice/v1'], own: true };

export const NOWHERE: Place = { since: OLDEST, nowhere: true };

/**
 * Finds what a request leads to. Fastify knows one route for all of a table: each it knows takes it 15 KB and a turn at the
 * start, and of Cinder's there are twice as many as in the table.
 */
export function destinations(
  table: readonly Route[],
  { prefixes, own }: Root,
  { answers, ...deps }: DestinationDeps,
): (method: string, url: string) => Destination {
  const { meter } = deps;
  const room: Room = {
    ...deps,
    meterOf: ({ method, path, action }) => meter?.route(method, `${prefixes[0]}${path}`, action),
  };
  const router = findMyWay({ maxParamLength: LONGEST_NAME, querystringParser: unparsed });
  const places = placesOf(table);
  const whose = own ? { own } : {};
  for (const { path, byMethod } of places) {
    for (const [method, routes] of byMethod) {
      const meter = room.meterOf({ method, path });
      const place: Place = {
        since: oldest(routes),
        route: `${prefixes[0]}${path}`,
        meter,
        ...whose,
        ...(routes.every(({ open }) => open) && { open: true }),
      };
      const store: Registered = { place, handle: handlerOf(routes, room, answers) };
      for (const prefix of prefixes) {
        router.on(method as Route['method'], `${prefix}${path}`, unreachable, store);
      }
    }
  }
  const others = places.map(({ path, byMethod }) => ({
    pattern: new RegExp(`^(?:${prefixes.join('|')})${path}$`.replaceAll(/:[a-z_]+/g, '[^/]*')),
    place: { since: oldest([...byMethod.values()].flat()), wrongMethod: true, ...whose } satisfies Place,
  }));
  const nowhere: Place = { ...NOWHERE, ...whose };
  return (method, url) => {
    const found = router.find(method as Route['method'], url);
    if (found !== null) return { ...(found.store as Registered), params: found.params as Destination['params'] };
    const [path = ''] = url.split('?', 1);
    const place = others.find(({ pattern }) => pattern.test(path))?.place ?? nowhere;
    return { place, params: {}, handle: unreachable };
  };
}

function unreachable(): never {
  throw new Error('No request gets here.');
}

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

const oldest = (routes: readonly Route[]): Microversion => Math.min(...routes.map(({ since = OLDEST }) => since));

interface Prepared {
  readonly route: Route;
  readonly check: BodyCheck | undefined;
  /** Of an action: its own. */
  readonly meter: RouteMeter | undefined;
}

interface Answer {
  readonly status: number;
  readonly body: object | undefined;
}

type Answering = (request: FastifyRequest, reply: FastifyReply) => Promise<Answer>;
type Handler = (request: FastifyRequest, reply: FastifyReply) => void;

function handlerOf(routes: readonly Route[], room: Room, answers: ResponseCache): Handler {
  const answer = answering(routes, room);
  if (routes[0]?.cacheable) return cachedHandler(answer, answers);
  return (request, reply) => {
    answer(request, reply).then(
      ({ status, body }) => {
        if (!reply.sent) send(reply, status, body);
      },
      (error: unknown) => {
        if (reply.sent) reply.raw.destroy();
        else reply.send(error);
      },
    );
  };
}

/** An answer that is known was given to a caller with the same rights for the same URL, so nothing is checked again. */
function cachedHandler(answer: Answering, answers: ResponseCache): Handler {
  return (request, reply) => {
    const { version, caller, headers, url, visit } = request;
    const asking = { version, caller, host: headers.host };
    const answerUnder = (mark: Mark): void => {
      const cached = answers.find(url, asking, mark);
      if (cached !== undefined) {
        answers.counts.slow += 1;
        send(reply, 200, cached.bytes);
        return;
      }
      answers.counts.missed += 1;
      answer(request, reply).then(
        ({ status, body }) => {
          if (body instanceof Buffer) answers.keep(url, asking, mark, body, visit.meter);
          send(reply, status, body);
        },
        (error: unknown) => reply.send(error),
      );
    };
    const mark = visit.mark ?? answers.mark();
    if (mark instanceof Promise) mark.then(answerUnder, (error: unknown) => reply.send(error));
    else answerUnder(mark);
  };
}

function answering(routes: readonly Route[], room: Room): Answering {
  const prepared: readonly Prepared[] = routes.map((route) => ({
    route,
    check: route.body === undefined ? undefined : bodyCheck(route.body),
    meter: route.action === undefined ? undefined : room.meterOf(route),
  }));
  const [first] = prepared;
  const actions =
    first?.route.action === undefined ? undefined : new Map(prepared.map((one) => [one.route.action, one]));
  const isProject = new RegExp(`^(?:${room.desk.config.api.project_id_regex})$`);

  return async (request, reply) => {
    const params = request.params as Readonly<Record<string, string>>;
    checkPath(params, request.caller, isProject);
    const { chosen, body } =
      actions === undefined ? { chosen: first as Prepared, body: request.body } : chosenAction(actions, request);
    if (chosen.meter !== undefined) request.visit.meter = chosen.meter;
    const call = callOf(request, reply, body, room);
    if (!chosen.route.open) {
      refuseInRehearsal(chosen.route, room);
      await enforce(room.policy, chosen.route, call);
    }
    if (chosen.check !== undefined) {
      if (body === undefined) throw new InvalidInput('The request has no body.');
      await chosen.check(body, request.version);
    }
    const work = (): Promise<object | undefined> => chosen.route.handle(call);
    const answer = await (request.visit.trace?.command(commandName(chosen.route), work) ?? work());
    return { status: chosen.route.status ?? 200, body: answer };
  };
}

function refuseInRehearsal({ method }: Route, { desk }: Room): void {
  if (desk.config.rehearsal && method !== 'GET')
    throw new ServiceUnavailable(
      'This service is a rehearsal: it shows what was imported, and changes nothing. Its operator ends that with `pumice import turn`.',
    );
}

/** In traces: the rule that allowed it says more than the path. */
const commandName = ({ policy, action, path }: Route): string => (policy === '@' ? (action ?? path) : policy);

function checkPath(params: Readonly<Record<string, string>>, caller: Caller, isProject: RegExp): void {
  const project = params.project_id;
  if (project !== undefined && !isProject.test(project)) throw new RouteNotFound('The resource could not be found.');
  if (project !== undefined && project !== caller.projectId) {
    throw new InvalidInput('Malformed request url: the project in it is not the one of the token.');
  }
  for (const name in params) {
    if (params[name] === '') throw new RouteNotFound('The resource could not be found.');
    if (params[name]?.includes('\0')) throw new InvalidInput('A path may not contain the NUL character.');
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

function callOf(request: FastifyRequest, reply: FastifyReply, body: unknown, room: Room): ApiCall {
  const { desk, policy, rate, rowCache, closing } = room;
  const { caller } = request;
  const params = request.params as Readonly<Record<string, string>>;
  return {
    desk,
    rowCache,
    rate,
    caller,
    get attributes() {
      return attributesFor(policy, caller);
    },
    may: (rule) => policy.allows(rule, caller),
    demand: (rule) => policy.demand(rule, caller),
    version: request.version,
    params,
    query: parseQuery((request.query as Unparsed).text),
    body,
    headers: request.headers,
    address: request.ip,
    get links() {
      return linksOf(baseOf(request.headers.host, desk.config.api), params.project_id);
    },
    header: (name, value) => void reply.header(name, value),
    takeOver() {
      for (const [name, value = ''] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value);
      request.visit.isStream = true;
      return reply.hijack().raw;
    },
    callerNow: async () => room.authenticate(request.headers, request.id, request.raw),
    callerBy: async (token) =>
      room.authenticate({ ...request.headers, 'x-auth-token': token }, request.id, request.raw),
    closing,
  };
}
