/**
 * A collector that is told by OTLP over HTTP: OpenTelemetry's exporter, which reads where and how from the environment
 * (`OTEL_EXPORTER_OTLP_ENDPOINT`, `…_HEADERS`, `…_TIMEOUT`, `…_CERTIFICATE`, …), and tries again what may pass.
 *
 * Of it only the wire is used. Its tracer makes spans while something runs, and has none of what a process that was killed had
 * begun; ours are made from what is durable (`flow-spans.ts`).
 *
 * That a collector took only some of a batch the exporter says to its log alone, so that is where it is heard.
 */
import { DiagLogLevel, diag, type HrTime, SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { millis, type Timestamp } from '../lib/clock.ts';
import type { Span } from './span.ts';
import type { Collector } from './span-queue.ts';

/**
 * `resource`: what all spans of this process have in common (`service.name`, `host.name`); what `OTEL_SERVICE_NAME` and
 * `OTEL_RESOURCE_ATTRIBUTES` say is stronger.
 */
export function otlpCollector(address: string, resource: Readonly<Record<string, string>>): Collector {
  let refused = 0;
  const silent = (): void => {};
  const heard = (...words: readonly unknown[]): void => {
    for (const word of words) refused += refusedSpans(word);
  };
  diag.setLogger(
    { error: silent, warn: heard, info: silent, debug: silent, verbose: silent },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  const exporter = new OTLPTraceExporter();
  const common = resourceFromAttributes(resource).merge(detectResources({ detectors: [envDetector] }));
  return {
    address,
    send: (spans) =>
      new Promise((resolve, reject) => {
        refused = 0;
        exporter.export(
          spans.map((span) => readable(span, common)),
          // 0 is success (`ExportResultCode`).
          ({ code, error }) => (code === 0 ? resolve(refused) : reject(error ?? new Error('It could not be sent.'))),
        );
      }),
    close: () => exporter.shutdown(),
  };
}

function refusedSpans(word: unknown): number {
  if (typeof word !== 'string' || !word.includes('rejectedSpans')) return 0;
  const { rejectedSpans } = JSON.parse(word) as { readonly rejectedSpans?: string | number };
  return Number(rejectedSpans ?? 0);
}

const SCOPE = { name: 'pumice' };

function readable(span: Span, resource: Resource): ReadableSpan {
  const { traceId, parentId } = span;
  const context = (spanId: string, isRemote = false) => ({ traceId, spanId, isRemote, traceFlags: TraceFlags.SAMPLED });
  const [start, end] = [hrTime(span.start), hrTime(span.end)];
  return {
    name: span.name,
    kind: span.kind === 'server' ? SpanKind.SERVER : SpanKind.INTERNAL,
    spanContext: () => context(span.spanId),
    ...(parentId !== undefined && { parentSpanContext: context(parentId, span.fromAfar) }),
    startTime: start,
    endTime: end,
    duration: [end[0] - start[0], end[1] - start[1]],
    ended: true,
    status:
      span.failure === undefined
        ? { code: SpanStatusCode.UNSET }
        : { code: SpanStatusCode.ERROR, message: span.failure },
    attributes: span.attributes,
    events: span.events.map(({ name, at, attributes }) => ({ name, time: hrTime(at), attributes })),
    links: [],
    resource,
    instrumentationScope: SCOPE,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

/** Seconds, and nanoseconds of the next one. A timestamp has microseconds, of which a `Date` knows the first three digits. */
function hrTime(at: Timestamp): HrTime {
  const micros = Number(at.slice(20, 26).padEnd(6, '0'));
  return [Math.floor(millis(at) / 1000), micros * 1000];
}
