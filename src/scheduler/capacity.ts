/**
 * Free capacity of a pool, with thin provisioning and over-subscription.
 *
 *     reserved     = floor(total × reserved_percentage / 100)
 *     usable       = total − reserved
 *     thin:  free  = usable × ratio − provisioned
 *     thick: free  = min(free, usable − provisioned)
 *
 * A volume is placed thin when the pool can and its type does not say `provisioning:type` = `thick`. The ratio is the
 * pool's `max_over_subscription_ratio`; `auto` learns it from how full the promises made so far turned out to be.
 * A backend may not know its size, or have no end: then there is no number, and each caller decides what that means.
 */
import type { CapacityGiB, Pool } from '../model/backend.ts';
import { extraSpec, type ScheduleRequest } from './request.ts';

/** The ratio of a pool that says `auto` and has promised nothing yet. */
const FIRST_AUTO_RATIO = 20;

/** The number of GiB, or undefined for `infinite`, `unknown` and whatever else is not an amount. */
export function amount(capacity: CapacityGiB): number | undefined {
  return typeof capacity === 'number' && Number.isFinite(capacity) ? capacity : undefined;
}

export function isThin(pool: Pool, request: ScheduleRequest): boolean {
  return pool.stats.thin_provisioning_support && extraSpec(request, 'provisioning:type') !== 'thick';
}

/** How many GiB may be promised for each usable GiB. */
export function overSubscriptionRatio(pool: Pool): number {
  const { thin_provisioning_support: thin, max_over_subscription_ratio: ratio } = pool.stats;
  if (!thin) return 1;
  if (ratio !== 'auto') return ratio;
  const total = amount(pool.stats.total_capacity_gb);
  const free = amount(pool.stats.free_capacity_gb);
  if (total === undefined || free === undefined || pool.provisionedGiB === 0) return FIRST_AUTO_RATIO;
  // A backend may report more free than there is in all.
  return 1 + pool.provisionedGiB / (Math.max(0, total - free) + 1);
}

/** What may still be promised to this request; undefined when the backend does not know or has no end. */
export function virtualFreeGiB(pool: Pool, request: ScheduleRequest): number | undefined {
  const total = amount(pool.stats.total_capacity_gb);
  const free = amount(pool.stats.free_capacity_gb);
  if (total === undefined || free === undefined) return undefined;
  const usable = total - Math.floor((total * pool.stats.reserved_percentage) / 100);
  const room = isThin(pool, request)
    ? usable * overSubscriptionRatio(pool) - pool.provisionedGiB
    : Math.min(free, usable - pool.provisionedGiB);
  // A ratio such as 1.15 makes 22.999999999999996 of what a person calls 23.
  return Math.round(room * 100) / 100;
}

/** Why the pool has no room for the request; undefined when it has. */
export function lacksRoom(pool: Pool, request: ScheduleRequest): string | undefined {
  const { total_capacity_gb, free_capacity_gb, reserved_percentage } = pool.stats;
  if (request.sizeGiB === 0 || request.existingPool === pool.name) return undefined;
  if (amount(free_capacity_gb) === undefined) return undefined;
  const total = amount(total_capacity_gb);
  if (total === undefined) {
    return reserved_percentage === 0 ? undefined : `${reserved_percentage} % of an unknown size is reserved`;
  }
  if (total <= 0) return 'the pool has no capacity';
  const ratio = overSubscriptionRatio(pool);
  if (isThin(pool, request) && !(ratio >= 1)) return `max_over_subscription_ratio ${ratio} is below 1`;
  const room = virtualFreeGiB(pool, request);
  if (room !== undefined && room >= request.sizeGiB) return undefined;
  return `${request.sizeGiB} GiB wanted, ${room} GiB free`;
}
