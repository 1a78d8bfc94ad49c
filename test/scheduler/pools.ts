/** Pools and requests for the scheduler's tests: plain ones to vary by hand, and arbitrary ones for properties. */
import fc from 'fast-check';
import type { CapacityGiB, Pool, PoolStats } from '../../src/model/backend.ts';
import type { ScheduleRequest } from '../../src/scheduler/request.ts';

/** 100 GiB, empty, thick only, up, in zone nova; except for what is given. */
export function aPool(
  name: string,
  { stats, ...known }: Partial<Omit<Pool, 'stats' | 'name'>> & { readonly stats?: Partial<PoolStats> } = {},
): Pool {
  return {
    name,
    availabilityZone: 'nova',
    up: true,
    allocatedGiB: 0,
    provisionedGiB: 0,
    volumes: 0,
    reportedAt: '2026-01-31T12:00:00.000000',
    ...known,
    stats: {
      pool_name: name.slice(name.indexOf('#') + 1),
      total_capacity_gb: 100,
      free_capacity_gb: 100,
      reserved_percentage: 0,
      max_over_subscription_ratio: 20,
      thin_provisioning_support: false,
      thick_provisioning_support: true,
      multiattach: false,
      ...stats,
    },
  };
}

/** A request of a type with these extra specs. */
export const typed = (extraSpecs: Readonly<Record<string, string>>, sizeGiB = 1): ScheduleRequest => ({
  sizeGiB,
  volumeType: { name: 'gold', extraSpecs },
});

const capacity: fc.Arbitrary<CapacityGiB> = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 500 }) },
  { weight: 1, arbitrary: fc.constantFrom<CapacityGiB>('infinite', 'unknown') },
);

const zone = fc.constantFrom('nova', 'east', 'west');
const backendName = fc.constantFrom('lvm', 'ceph', 'file');
const poolName = fc
  .tuple(fc.constantFrom('node1', 'node2', 'node3'), backendName, fc.nat({ max: 3 }))
  .map(([node, backend, number]) => `${node}@${backend}#pool${number}`);

const somePool: fc.Arbitrary<Pool> = fc
  .record({
    name: poolName,
    availabilityZone: zone,
    up: fc.boolean(),
    total: capacity,
    free: capacity,
    reserved: fc.integer({ min: 0, max: 100 }),
    ratio: fc.oneof(fc.constant<'auto'>('auto'), fc.double({ min: 0.5, max: 30, noNaN: true })),
    thin: fc.boolean(),
    backend: backendName,
    allocated: fc.nat({ max: 500 }),
    snapshots: fc.nat({ max: 100 }),
    volumes: fc.nat({ max: 50 }),
  })
  .map((made) =>
    aPool(made.name, {
      availabilityZone: made.availabilityZone,
      up: made.up,
      allocatedGiB: made.allocated,
      provisionedGiB: made.allocated + made.snapshots,
      volumes: made.volumes,
      stats: {
        total_capacity_gb: made.total,
        free_capacity_gb: made.free,
        reserved_percentage: made.reserved,
        max_over_subscription_ratio: made.ratio,
        thin_provisioning_support: made.thin,
        volume_backend_name: made.backend,
      },
    }),
  );

/** Pools as a database gives them: no two of one name. */
export const somePools = fc.uniqueArray(somePool, { selector: ({ name }) => name, maxLength: 12 });

export const someRequest: fc.Arbitrary<ScheduleRequest> = fc.record(
  {
    sizeGiB: fc.nat({ max: 200 }),
    volumeType: fc.record({
      name: fc.constant('gold'),
      extraSpecs: fc.record(
        {
          volume_backend_name: fc.oneof(backendName, fc.constant('<or> lvm <or> ceph')),
          'provisioning:type': fc.constantFrom('thin', 'thick'),
          'RESKEY:availability_zones': fc.constantFrom('nova', 'nova,east'),
        },
        { requiredKeys: [] },
      ),
    }),
    availabilityZones: fc.uniqueArray(zone),
    differentFrom: fc.uniqueArray(poolName).map((names) => new Set(names)),
    sameAs: fc.uniqueArray(poolName, { minLength: 8 }).map((names) => new Set(names)),
    attempted: fc.array(fc.oneof(poolName, fc.constantFrom('node1@lvm', 'node2@ceph')), { maxLength: 3 }),
    resourceBackend: fc.constantFrom('node1@lvm', 'node2@ceph', 'node1@lvm#pool0'),
    existingPool: poolName,
  },
  { requiredKeys: ['sizeGiB'] },
);
