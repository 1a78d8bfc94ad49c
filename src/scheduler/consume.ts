/**
 * A pool after a choice, so that a burst of requests decided on one report does not pile up on one pool. The next
 * report replaces the guess.
 */
import type { Pool } from '../model/backend.ts';

/** `volumes` is how many the pool gains: none when one that is there grows. */
export function consume(pool: Pool, sizeGiB: number, volumes = 1): Pool {
  const free = pool.stats.free_capacity_gb;
  return {
    ...pool,
    stats: { ...pool.stats, free_capacity_gb: typeof free === 'number' ? free - sizeGiB : free },
    allocatedGiB: pool.allocatedGiB + sizeGiB,
    provisionedGiB: pool.provisionedGiB + sizeGiB,
    volumes: pool.volumes + volumes,
  };
}
