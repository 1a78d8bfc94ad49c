/**
 * A span as we make it, before anything of OpenTelemetry is loaded, and its ids.
 *
 * Ids are made from what they stand for (a request's id, a flow's id and the number of its step), so that whichever process tells
 * of it, and however often, it is the same span: Jaeger drops one that is equal to the byte, Tempo keeps the first.
 */
import { createHash } from 'node:crypto';
import type { Timestamp } from '../lib/clock.ts';
import type { TraceParent } from '../lib/traceparent.ts';

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanEvent {
  readonly name: string;
  readonly at: Timestamp;
  readonly attributes: SpanAttributes;
}

/** One that has ended: nothing is told of before. */
export interface Span {
  readonly name: string;
  readonly kind: 'server' | 'internal';
  readonly traceId: string;
  readonly spanId: string;
  /** Undefined for the first of its trace. */
  readonly parentId: string | undefined;
  /** The parent is another program's. */
  readonly fromAfar?: boolean;
  readonly start: Timestamp;
  readonly end: Timestamp;
  readonly attributes: SpanAttributes;
  readonly events: readonly SpanEvent[];
  /** What it failed with; absent when it did not. */
  readonly failure?: string | undefined;
}

const TRACE_DIGITS = 32;
const SPAN_DIGITS = 16;

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

export const spanId = (of: string): string => digest(of).slice(0, SPAN_DIGITS);

/** Where a request stands for whoever sent no `traceparent`: the first span of a trace of its own. */
export const traceOfRequest = (requestId: string): Omit<TraceParent, 'sampled'> => ({
  traceId: digest(`trace ${requestId}`).slice(0, TRACE_DIGITS),
  spanId: spanId(requestId),
});
