/**
 * Traces: what became of a request, as spans of one trace, whichever processes did it. Made only where the environment names a
 * collector, in OpenTelemetry's words (`OTEL_EXPORTER_OTLP_ENDPOINT`); nothing of this is loaded elsewhere.
 *
 * A flow keeps the `traceparent` of its request in its row. Whoever ends it reads its journal and tells of all of it, so a
 * trace has no holes where processes were killed on the way. What had ended within the second before a kill, and was not yet
 * sent, is not told of: traces are for looking, the journal is for keeping.
 */
import type { EngineEvent } from '../engine/events.ts';
import type { AnyFlow } from '../engine/flow.ts';
import type { FlowRow } from '../engine/journal.ts';
import type { Step } from '../engine/step.ts';
import { now, type Timestamp } from '../lib/clock.ts';
import { parseTraceparent, type TraceParent, traceparent } from '../lib/traceparent.ts';
import { spansOfFlow } from './flow-spans.ts';
import type { Sampler } from './sampling.ts';
import { type Span, type SpanAttributes, spanId, traceOfRequest } from './span.ts';
import type { SpanQueue } from './span-queue.ts';

export interface TracingOptions {
  readonly queue: SpanQueue;
  readonly sample: Sampler;
  readonly flows: readonly AnyFlow[];
  readonly journal: {
    find(flowId: string): Promise<FlowRow | undefined>;
    steps(flowId: string): Promise<readonly Step[]>;
  };
}

/** Flows that have ended and wait to be read; of more nothing is told. */
const MOST_ENDED = 1_000;

export class Tracing {
  readonly #options: TracingOptions;
  readonly #ended: string[] = [];
  #telling: Promise<void> | null = null;

  constructor(options: TracingOptions) {
    this.#options = options;
  }

  /** A request has come, `header` being its `traceparent`. */
  begin(requestId: string, header: string | undefined): RequestTrace {
    const { queue, sample } = this.#options;
    const parent = parseTraceparent(header);
    const own = traceOfRequest(requestId);
    const traceId = parent?.traceId ?? own.traceId;
    return new RequestTrace(queue, requestId, { ...own, traceId, sampled: sample(traceId, parent) }, parent?.spanId);
  }

  /** Of those that were to be told. */
  get lostSpans(): number {
    return this.#options.queue.lost;
  }

  hear(event: EngineEvent): void {
    if (event.is !== 'flow-ended') return;
    if (this.#ended.length >= MOST_ENDED) {
      this.#options.queue.loseFlow();
      return;
    }
    this.#ended.push(event.flowId);
    this.#telling ??= this.#tellAll().finally(() => {
      this.#telling = null;
    });
  }

  async close(): Promise<void> {
    await this.#telling;
    await this.#options.queue.close();
  }

  async #tellAll(): Promise<void> {
    const { queue } = this.#options;
    for (let id = this.#ended.shift(); id !== undefined; id = this.#ended.shift()) {
      try {
        queue.offer(await this.#spansOf(id));
      } catch {
        // The database is in trouble, and others tell of it.
        queue.loseFlow();
      }
    }
  }

  async #spansOf(id: string): Promise<readonly Span[]> {
    const { journal, flows, sample } = this.#options;
    const row = await journal.find(id);
    if (row === undefined) return [];
    const parent = parseTraceparent(row.trace ?? undefined);
    if (!(parent?.sampled ?? sample(traceOfRequest(row.requestId).traceId, undefined))) return [];
    const flow = flows.find(({ name, version }) => name === row.name && version === row.version);
    return spansOfFlow(row, await journal.steps(id), flow);
  }
}

/** What a request's span says of it. */
export interface RequestFacts {
  readonly method: string;
  /** Undefined where no route was found, or none was needed. */
  readonly route: string | undefined;
  readonly path: string;
  readonly status: number;
}

/** The two spans of a request: its own, and in it that of the command, which is the parent of the flows it begins. */
export class RequestTrace {
  /** For what the request's command begins. */
  readonly traceparent: string;
  readonly traceId: string;
  readonly #queue: SpanQueue;
  readonly #requestId: string;
  readonly #place: TraceParent;
  readonly #parentId: string | undefined;
  readonly #commandId: string;
  readonly #begun = now();

  constructor(queue: SpanQueue, requestId: string, place: TraceParent, parentId: string | undefined) {
    this.#queue = queue;
    this.#requestId = requestId;
    this.#place = place;
    this.#parentId = parentId;
    this.#commandId = spanId(`command ${requestId}`);
    this.traceId = place.traceId;
    this.traceparent = traceparent({ ...place, spanId: this.#commandId });
  }

  /** `name`: the rule that allowed it, `volume:create`. */
  async command<Answer>(name: string, work: () => Promise<Answer>): Promise<Answer> {
    const start = now();
    const tell = (failure?: string): void =>
      this.#offer({ name, kind: 'internal', spanId: this.#commandId, parentId: this.#place.spanId, start, failure });
    try {
      const answer = await work();
      tell();
      return answer;
    } catch (error) {
      tell(error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  /** It was answered, or its client has gone. The names are those of OpenTelemetry's HTTP conventions. */
  end({ method, route, path, status }: RequestFacts): void {
    this.#offer(
      {
        name: route === undefined ? method : `${method} ${route}`,
        kind: 'server',
        spanId: this.#place.spanId,
        parentId: this.#parentId,
        fromAfar: this.#parentId !== undefined,
        start: this.#begun,
        failure: status >= 500 ? `HTTP ${status}` : undefined,
      },
      {
        'http.request.method': method,
        'url.path': path,
        'http.response.status_code': status,
        ...(route !== undefined && { 'http.route': route }),
      },
    );
  }

  #offer(
    span: Pick<Span, 'name' | 'kind' | 'spanId' | 'parentId' | 'fromAfar' | 'failure'> & { readonly start: Timestamp },
    attributes: SpanAttributes = {},
  ): void {
    const { traceId, sampled } = this.#place;
    if (!sampled) return;
    const common = { traceId, end: now(), events: [] };
    this.#queue.offer([{ ...span, ...common, attributes: { ...attributes, 'pumice.request_id': this.#requestId } }]);
  }
}
