/**
 * The weighers: the best of the pools that passed the filters.
 *
 * A weigher gives each pool a value; values are brought to 0…1 over the pools in question (all alike: 0), multiplied
 * and added up. The highest sum wins, and of equal sums the pool whose name sorts first, so the order in which pools
 * were read never matters. A negative multiplier turns a weigher round: with one, Capacity stacks instead of spreading.
 */
import type { Pool } from '../model/backend.ts';
import { virtualFreeGiB } from './capacity.ts';
import type { ScheduleRequest } from './request.ts';

export interface Weigher {
  /** What is used when the configuration names none. */
  readonly multiplier: number;
  /** Undefined when the pool has no such number: it then comes last, whichever way the multiplier points. */
  readonly value: (pool: Pool, request: ScheduleRequest) => number | undefined;
}

export interface Weighing {
  readonly value: Weigher['value'];
  readonly multiplier: number;
}

export interface RankedPool {
  readonly pool: Pool;
  readonly score: number;
}

export const WEIGHERS: ReadonlyMap<string, Weigher> = new Map<string, Weigher>([
  ['CapacityWeigher', { multiplier: 1, value: virtualFreeGiB }],
  ['AllocatedCapacityWeigher', { multiplier: -1, value: (pool) => pool.allocatedGiB }],
  ['VolumeNumberWeigher', { multiplier: -1, value: (pool) => pool.volumes }],
]);

/** The same pools, best first. */
export function rank(
  pools: readonly Pool[],
  request: ScheduleRequest,
  weighings: readonly Weighing[],
): readonly RankedPool[] {
  const terms = weighings.map(({ value, multiplier }) => {
    const values = numbered(
      pools.map((pool) => value(pool, request)),
      multiplier,
    );
    return normalised(values).map((weight) => multiplier * weight);
  });
  return pools
    .map((pool, index) => ({ pool, score: terms.reduce((sum, term) => sum + (term[index] ?? 0), 0) }))
    .sort((a, b) => b.score - a.score || (a.pool.name < b.pool.name ? -1 : 1));
}

/** Puts pools without a number at the losing end, far enough that the others keep their distances. */
function numbered(values: readonly (number | undefined)[], multiplier: number): readonly number[] {
  const known = values.filter((value) => value !== undefined);
  const highest = Math.max(...known);
  const lowest = Math.min(...known);
  const beyond = known.length === 0 ? 0 : highest > lowest ? highest + 100 * (highest - lowest) : highest + 10_000;
  const unknown = multiplier < 0 ? beyond : Math.min(-1, lowest - 1);
  return values.map((value) => value ?? unknown);
}

function normalised(values: readonly number[]): readonly number[] {
  const highest = Math.max(...values);
  const lowest = Math.min(...values);
  return values.map((value) => (highest > lowest ? (value - lowest) / (highest - lowest) : 0));
}
