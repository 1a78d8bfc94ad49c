/**
 * Pools and a request in, one pool out: filter, weigh, take the best.
 *
 * Pure: no clock, no chance, no reading. The same pools in any order give the same answer: of those with the same score (a tie) the first by
 * name. A filter can only take pools away. A caller that places several volumes on one reading passes each chosen pool through `consume` in between.
 */
import type { Pool } from '../model/backend.ts';
import { NoValidBackend } from '../model/errors.ts';
import { DEFAULT_OPTIONS, filtersOf, type SchedulerOptions, weighingsOf } from './options.ts';
import { explain, type Refusal } from './refusals.ts';
import type { ScheduleRequest } from './request.ts';
import { rank } from './weighers.ts';

export interface Sifted {
  readonly passed: readonly Pool[];
  /** One for each pool that did not pass: the first filter that refused it. */
  readonly refusals: readonly Refusal[];
}

/** Throws `NoValidBackend` whose reasons say which filter refused which pools and why. */
export function schedule(
  pools: readonly Pool[],
  request: ScheduleRequest,
  options: SchedulerOptions = DEFAULT_OPTIONS,
): Pool {
  const { passed, refusals } = sift(pools, request, options);
  const [best] = rank(passed, request, weighingsOf(options));
  if (best === undefined) throw new NoValidBackend(explain(refusals));
  return best.pool;
}

/** Which pools would do, in the order they came, and why the others would not. */
export function sift(
  pools: readonly Pool[],
  request: ScheduleRequest,
  options: SchedulerOptions = DEFAULT_OPTIONS,
): Sifted {
  const passed: Pool[] = [];
  const refused = new Map<string, Refusal[]>();
  const filters = filtersOf(options);
  for (const [filter] of filters) refused.set(filter, []);
  for (const pool of pools) {
    const refusal = firstRefusal(pool);
    if (refusal === undefined) passed.push(pool);
    else refused.get(refusal.filter)?.push(refusal);
  }
  return { passed, refusals: [...refused.values()].flat() };

  function firstRefusal(pool: Pool): Refusal | undefined {
    for (const [filter, refuses] of filters) {
      const reason = refuses(pool, request);
      if (reason !== undefined) return { filter, pool: pool.name, reason };
    }
    return undefined;
  }
}
