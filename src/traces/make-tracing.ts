/** Makes the tracing of a service; loads OpenTelemetry. */
import { hostname } from 'node:os';
import type { Troubles } from '../lib/troubles.ts';
import { otlpCollector } from './otlp-collector.ts';
import { samplingOf } from './sampling.ts';
import { SpanQueue } from './span-queue.ts';
import { Tracing, type TracingOptions } from './tracing.ts';

export interface MakeTracing extends Pick<TracingOptions, 'flows' | 'journal'> {
  /** Of the collector. */
  readonly address: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly troubles: Troubles;
  /** The process' own name. */
  readonly process: string;
}

/** Throws when the environment says something that is not known here. */
export function makeTracing({ address, environment, troubles, process, ...options }: MakeTracing): Tracing {
  const sample = samplingOf(environment);
  const common = { 'service.name': 'pumice', 'service.instance.id': process, 'host.name': hostname() };
  return new Tracing({ ...options, sample, queue: new SpanQueue(otlpCollector(address, common), troubles) });
}
