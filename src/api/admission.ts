/**
 * Admission: what is done about every request before it is answered, whichever of the two ways it takes (`fast-path.ts`,
 * `server.ts`). It is given an id, stands among the requests in flight and in the log, and passes authentication, the rate limit
 * and the choice of a microversion, in this order: the first that refuses says what the client is told.
 *
 * A request is admitted once. A fast path that cannot answer hands the visit over with all that came of it, so nothing is
 * asked, counted or logged twice.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { elapsed, uuid } from '../lib/clock.ts';
import type { Log } from '../lib/logging.ts';
import type { Caller } from '../model/caller.ts';
import type { RequestTrace, Tracing } from '../traces/tracing.ts';
import type { Authenticate } from './caller.ts';
import { type Microversion, OLDEST, requestedVersion } from './microversion.ts';
import type { RateLimit } from './rate-limit.ts';
import { measureAnswer, type RequestMeter, type RouteMeter } from './request-meter.ts';
import type { RequestsInFlight } from './requests-in-flight.ts';
import type { Mark } from './response-cache.ts';

export interface Admitted {
  readonly caller: Caller;
  readonly version: Microversion;
}

/** Null: nobody, who may come back with what `invitation` offers (`caller.ts`). */
type Outcome = Admitted | null;

export interface AdmissionDeps {
  readonly authenticate: Authenticate;
  /** Undefined where requests are not limited. */
  readonly rate: RateLimit | undefined;
  readonly requests: RequestsInFlight;
  readonly log: Log;
  /** Undefined where nobody measures. */
  readonly meter?: RequestMeter | undefined;
  /** Undefined where nobody traces. */
  readonly tracing?: Pick<Tracing, 'begin'> | undefined;
}

/** A request that has come. */
export class Visit {
  readonly id: string;
  /** The data version that was taken for it, once it has come (`response-cache.ts`). */
  mark: Mark | Promise<Mark> | undefined;
  /** Of the route that answers it, as far as that is known. */
  meter: RouteMeter | undefined;
  /** That it led to, as far as that is known: `/v3/volumes/:id`. */
  route: string | undefined;
  /** Undefined where nobody traces. */
  readonly trace: RequestTrace | undefined;
  /** Its answer goes on for as long as somebody listens, so its time says nothing. */
  isStream = false;
  readonly #admit: () => Outcome | Promise<Outcome>;
  #outcome: Outcome | Promise<Outcome> | undefined;

  constructor(id: string, trace: RequestTrace | undefined, admit: () => Outcome | Promise<Outcome>) {
    this.id = id;
    this.trace = trace;
    this.#admit = admit;
  }

  /** Asks when it is first called; the same ever after. At once where nobody elsewhere has to be asked. Rejects with the refusal. */
  admitted(): Outcome | Promise<Outcome> {
    if (this.#outcome === undefined) {
      this.#outcome = this.#admit();
      // A refusal that is handed over is heard later, or by nobody when the client has gone.
      if (this.#outcome instanceof Promise) this.#outcome.catch(() => {});
    }
    return this.#outcome;
  }
}

export class RequestAdmission {
  readonly #deps: AdmissionDeps;
  readonly #handedOver = new WeakMap<IncomingMessage, Visit>();

  constructor(deps: AdmissionDeps) {
    this.#deps = deps;
  }

  /** `versioned`: whether there is a microversion to be chosen. */
  begin(request: IncomingMessage, response: ServerResponse, id = newRequestId(), versioned = true): Visit {
    const { requests, log, meter, tracing } = this.#deps;
    requests.add(id, request, response);
    // The level may change while the service runs.
    const trace = tracing?.begin(id, oneHeader(request, 'traceparent'));
    if (log.isLevelEnabled('debug')) logWhenAnswered(id, trace, request, response, log);
    const visit = new Visit(id, trace, () => this.#admit(visit, request, versioned));
    if (trace !== undefined) response.on('close', () => endTrace(trace, visit, request, response));
    if (meter !== undefined)
      measureAnswer(response, () => (visit.isStream ? undefined : (visit.meter ?? meter.elsewhere)));
    return visit;
  }

  /** By whoever began it and does not answer. */
  handOver(request: IncomingMessage, visit: Visit): void {
    this.#handedOver.set(request, visit);
  }

  /** The id of a request whose visit may have begun. */
  idOf(request: IncomingMessage): string {
    return this.#handedOver.get(request)?.id ?? newRequestId();
  }

  /** The visit that was handed over, or one that begins. */
  visitOf(request: IncomingMessage, response: ServerResponse, id: string, versioned: boolean): Visit {
    return this.#handedOver.get(request) ?? this.begin(request, response, id, versioned);
  }

  #admit({ id, trace }: Visit, request: IncomingMessage, versioned: boolean): Outcome | Promise<Outcome> {
    const pass = (known: Caller | undefined): Outcome => {
      if (known === undefined) return null;
      const caller = trace === undefined ? known : { ...known, trace: trace.traceparent };
      this.#deps.rate?.take(caller.projectId);
      return { caller, version: versioned ? requestedVersion(oneHeader(request, 'openstack-api-version')) : OLDEST };
    };
    try {
      const caller = this.#deps.authenticate(request.headers, id, request);
      return caller instanceof Promise ? caller.then(pass) : pass(caller);
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

/** What each line of the log says of a request. */
export interface LogFacts {
  readonly request_id: string;
  readonly trace_id?: string;
}

export const logFacts = (requestId: string, trace?: Pick<RequestTrace, 'traceId'>): LogFacts => ({
  request_id: requestId,
  ...(trace && { trace_id: trace.traceId }),
});

const newRequestId = (): string => `req-${uuid()}`;

function oneHeader({ headers }: IncomingMessage, name: string): string | undefined {
  const header = headers[name];
  return Array.isArray(header) ? header.join(',') : header;
}

/** A stream is open for as long as somebody watches, which says nothing of the service. */
function endTrace(trace: RequestTrace, visit: Visit, request: IncomingMessage, response: ServerResponse): void {
  if (visit.isStream) return;
  const [path = ''] = (request.url ?? '').split('?', 1);
  trace.end({ method: request.method ?? '', route: visit.route, path, status: response.statusCode });
}

function logWhenAnswered(
  id: string,
  trace: RequestTrace | undefined,
  { method, url }: IncomingMessage,
  response: ServerResponse,
  log: Log,
): void {
  const from = elapsed();
  response.once('finish', () => {
    const ms = Math.round(elapsed() - from);
    log.debug({ ...logFacts(id, trace), method, url, status: response.statusCode, ms }, 'request answered');
  });
}
