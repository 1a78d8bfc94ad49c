/**
 * Whether traces are wanted, and where: in the words of OpenTelemetry's environment variables. OpenTelemetry is loaded where they are.
 */
import type { MakeTracing } from './make-tracing.ts';
import type { Tracing } from './tracing.ts';

/** Undefined where nobody asked for traces. Rejects when the environment says something that is not known here. */
export async function tracingOf(
  environment: NodeJS.ProcessEnv,
  options: Omit<MakeTracing, 'address' | 'environment'>,
): Promise<Tracing | undefined> {
  const address = collectorIn(environment);
  if (address === undefined) return undefined;
  const { makeTracing } = await import('./make-tracing.ts');
  return makeTracing({ ...options, address, environment });
}

/** The address of the collector. */
export function collectorIn(environment: NodeJS.ProcessEnv): string | undefined {
  const { OTEL_SDK_DISABLED: disabled, OTEL_TRACES_EXPORTER: exporter } = environment;
  if (disabled?.toLowerCase() === 'true' || exporter === 'none') return undefined;
  return environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || environment.OTEL_EXPORTER_OTLP_ENDPOINT || undefined;
}
