/**
 * How a site wants its volumes placed: names out of the registries of filters and weighers.
 *
 * A wrong name is an error when the service starts, never a filter that silently does nothing.
 */
import { PumiceError } from '../model/errors.ts';
import { FILTERS, type Filter, STANDING_FILTERS } from './filters.ts';
import { WEIGHERS, type Weighing } from './weighers.ts';

export interface SchedulerOptions {
  readonly filters: readonly string[];
  readonly weighers: readonly string[];
  /** By the weigher's name, where another multiplier than its own is wanted. */
  readonly multipliers: Readonly<Record<string, number>>;
}

/** Cinder's defaults, and the two filters for hints: a hint that is accepted is honoured. */
export const DEFAULT_OPTIONS: SchedulerOptions = {
  filters: [
    'AvailabilityZoneFilter',
    'CapacityFilter',
    'CapabilitiesFilter',
    'DifferentBackendFilter',
    'SameBackendFilter',
  ],
  weighers: ['CapacityWeigher'],
  multipliers: {},
};

/** Throws when a name or a multiplier is wrong. Call it once at start. */
export function checkOptions(options: SchedulerOptions): void {
  filtersOf(options);
  weighingsOf(options);
  for (const [name, multiplier] of Object.entries(options.multipliers)) {
    known('weigher', WEIGHERS, name);
    if (!Number.isFinite(multiplier))
      throw new PumiceError(`The multiplier of ${name} is not a number: ${multiplier}.`);
  }
}

export function filtersOf(options: SchedulerOptions): readonly (readonly [name: string, filter: Filter])[] {
  const names = new Set([...STANDING_FILTERS, ...options.filters]);
  return [...names].map((name) => [name, known('filter', FILTERS, name)]);
}

export function weighingsOf(options: SchedulerOptions): readonly Weighing[] {
  return [...new Set(options.weighers)].map((name) => {
    const { value, multiplier } = known('weigher', WEIGHERS, name);
    return { value, multiplier: options.multipliers[name] ?? multiplier };
  });
}

function known<T>(kind: string, registry: ReadonlyMap<string, T>, name: string): T {
  const found = registry.get(name);
  if (found !== undefined) return found;
  throw new PumiceError(`Unknown scheduler ${kind} "${name}". Known are ${[...registry.keys()].join(', ')}.`);
}
