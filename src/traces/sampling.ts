/** Which traces are sent: those whose beginner keeps them, and of our own as many as the environment says. */

import { ROOT_CONTEXT } from '@opentelemetry/api';
import { TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace';
import type { TraceParent } from '../lib/traceparent.ts';

/** `parent`: in which somebody else asked. */
export type Sampler = (traceId: string, parent: TraceParent | undefined) => boolean;

/**
 * As `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` say (OpenTelemetry's environment variables): all, or the ratio of
 * the trace ids; `parentbased_…`, the default, does as the beginner of the trace does. Throws for another word.
 */
export function samplingOf(environment: NodeJS.ProcessEnv): Sampler {
  const word = environment.OTEL_TRACES_SAMPLER || 'parentbased_always_on';
  const own = ownSampling(word.replace(/^parentbased_/, ''), environment.OTEL_TRACES_SAMPLER_ARG);
  if (own === undefined) throw new Error(`OTEL_TRACES_SAMPLER: there is no ${word} here.`);
  if (!word.startsWith('parentbased_')) return own;
  return (traceId, parent) => parent?.sampled ?? own(traceId);
}

function ownSampling(word: string, ratio = '1'): ((traceId: string) => boolean) | undefined {
  if (word === 'always_on') return () => true;
  if (word === 'always_off') return () => false;
  if (word !== 'traceidratio') return undefined;
  const share = Number(ratio);
  if (!(share >= 0 && share <= 1)) throw new Error(`OTEL_TRACES_SAMPLER_ARG: ${ratio} is no ratio from 0 to 1.`);
  const sampler = new TraceIdRatioBasedSampler(share);
  return (traceId) => sampler.shouldSample(ROOT_CONTEXT, traceId).decision === 2;
}
