/**
 * The filters: each looks at one pool and says why it will not do, or nothing.
 *
 * They are known by the names cinder.conf gives them. Three need no naming and always stand first, because no
 * configuration makes sense of a volume on a dead backend, away from its pin, or where it has failed already.
 */
import type { Pool } from '../model/backend.ts';
import { lacksRoom } from './capacity.ts';
import { unmetSpec } from './extra-specs.ts';
import { contains, extraSpec, type ScheduleRequest } from './request.ts';

/** Why the pool is refused; undefined when it passes. The words do not name the pool, so that alike refusals group. */
export type Filter = (pool: Pool, request: ScheduleRequest) => string | undefined;

export const STANDING_FILTERS: readonly string[] = ['UpFilter', 'PinnedBackendFilter', 'IgnoreAttemptedHostsFilter'];

export const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['UpFilter', up],
  ['PinnedBackendFilter', pinnedBackend],
  ['IgnoreAttemptedHostsFilter', ignoreAttemptedHosts],
  ['AvailabilityZoneFilter', availabilityZone],
  ['CapacityFilter', lacksRoom],
  ['CapabilitiesFilter', capabilities],
  ['DifferentBackendFilter', differentBackend],
  ['SameBackendFilter', sameBackend],
]);

function up(pool: Pool): string | undefined {
  return pool.up ? undefined : 'down, disabled or failing';
}

function pinnedBackend(pool: Pool, { resourceBackend }: ScheduleRequest): string | undefined {
  if (resourceBackend == null || contains(resourceBackend, pool)) return undefined;
  return `only ${resourceBackend} will do`;
}

function ignoreAttemptedHosts(pool: Pool, { attempted = [] }: ScheduleRequest): string | undefined {
  return attempted.some((place) => contains(place, pool)) ? 'tried already' : undefined;
}

function availabilityZone(pool: Pool, request: ScheduleRequest): string | undefined {
  const zone = pool.availabilityZone;
  const asked = request.availabilityZones ?? [];
  if (asked.length > 0 && !asked.includes(zone)) return `not in zone ${asked.join(' or ')}`;
  const ofType = extraSpec(request, 'RESKEY:availability_zones')
    ?.split(',')
    .map((name) => name.trim());
  if (ofType !== undefined && !ofType.includes(zone)) return `the volume type is not offered in zone ${zone}`;
  return undefined;
}

function capabilities(pool: Pool, { volumeType }: ScheduleRequest): string | undefined {
  if (volumeType == null) return undefined;
  return unmetSpec(volumeType.extraSpecs, {
    ...pool.stats,
    allocated_capacity_gb: pool.allocatedGiB,
    provisioned_capacity_gb: pool.provisionedGiB,
    total_volumes: pool.volumes,
  });
}

function differentBackend(pool: Pool, { differentFrom }: ScheduleRequest): string | undefined {
  return differentFrom?.has(pool.name) ? 'holds a volume of different_host' : undefined;
}

function sameBackend(pool: Pool, { sameAs }: ScheduleRequest): string | undefined {
  return sameAs == null || sameAs.has(pool.name) ? undefined : 'holds no volume of same_host';
}
