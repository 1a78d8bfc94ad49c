import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pool } from '../../src/model/backend.ts';
import { FILTERS } from '../../src/scheduler/filters.ts';
import type { ScheduleRequest } from '../../src/scheduler/request.ts';
import { aPool, typed } from './pools.ts';

const lvm = aPool('node1@lvm#fast', {
  availabilityZone: 'east',
  allocatedGiB: 30,
  provisionedGiB: 40,
  volumes: 3,
  stats: { volume_backend_name: 'lvm', multiattach: true },
});

type Row = readonly [what: string, request: Partial<ScheduleRequest>, refusal: string | undefined, pool?: Pool];

function table(name: string, rows: readonly Row[]): void {
  describe(name, () => {
    const filter = FILTERS.get(name);
    assert.ok(filter);
    for (const [what, request, refusal, pool = lvm] of rows) {
      it(`${refusal === undefined ? 'passes' : 'refuses'} ${what}`, () => {
        assert.equal(filter(pool, { sizeGiB: 1, ...request }), refusal);
      });
    }
  });
}

table('UpFilter', [
  ['a pool that is up', {}, undefined],
  ['a pool that is down', {}, 'down, disabled or failing', { ...lvm, up: false }],
]);

table('PinnedBackendFilter', [
  ['without a pin', { resourceBackend: null }, undefined],
  ['the host', { resourceBackend: 'node1@lvm' }, undefined],
  ['the pool', { resourceBackend: 'node1@lvm#fast' }, undefined],
  ['a host whose name only begins alike', { resourceBackend: 'node1@lv' }, 'only node1@lv will do'],
  ['another pool of the host', { resourceBackend: 'node1@lvm#slow' }, 'only node1@lvm#slow will do'],
]);

table('IgnoreAttemptedHostsFilter', [
  ['before the first attempt', {}, undefined],
  ['what was not tried', { attempted: ['node2@lvm', 'node1@lvm#slow'] }, undefined],
  ['a pool that was tried', { attempted: ['node1@lvm#fast'] }, 'tried already'],
  ['every pool of a host that was tried', { attempted: ['node2@lvm', 'node1@lvm'] }, 'tried already'],
]);

table('AvailabilityZoneFilter', [
  ['when none is asked for', { availabilityZones: [] }, undefined],
  ['the zone asked for', { availabilityZones: ['west', 'east'] }, undefined],
  ['another zone', { availabilityZones: ['west', 'nova'] }, 'not in zone west or nova'],
  ['a zone of the type', typed({ 'RESKEY:availability_zones': 'west, east' }), undefined],
  [
    'a zone the type is not for',
    typed({ 'RESKEY:availability_zones': 'west' }),
    'the volume type is not offered in zone east',
  ],
]);

table('CapacityFilter', [
  ['what has room', { sizeGiB: 60 }, undefined],
  ['what has not', { sizeGiB: 61 }, '61 GiB wanted, 60 GiB free'],
]);

table('CapabilitiesFilter', [
  ['without a type', { volumeType: null }, undefined],
  ['a type without extra specs', typed({}), undefined],
  [
    'what the type asks',
    typed({ volume_backend_name: 'lvm', multiattach: '<is> True', total_capacity_gb: '>= 100' }),
    undefined,
  ],
  [
    'by what the database knows',
    typed({ allocated_capacity_gb: '== 30', provisioned_capacity_gb: '== 40', total_volumes: '<= 3' }),
    undefined,
  ],
  ['another backend name', typed({ volume_backend_name: 'ceph' }), 'volume_backend_name does not satisfy "ceph"'],
  ['what is not reported', typed({ replication_enabled: '<is> True' }), 'replication_enabled is not reported'],
]);

table('DifferentBackendFilter', [
  ['without the hint', {}, undefined],
  ['a pool that holds none of them', { differentFrom: new Set(['node1@lvm#slow']) }, undefined],
  [
    'a pool that holds one of them',
    { differentFrom: new Set(['node2@lvm#fast', 'node1@lvm#fast']) },
    'holds a volume of different_host',
  ],
]);

table('SameBackendFilter', [
  ['without the hint', { sameAs: null }, undefined],
  ['a pool that holds one of them', { sameAs: new Set(['node2@lvm#fast', 'node1@lvm#fast']) }, undefined],
  ['a pool that holds none of them', { sameAs: new Set(['node1@lvm#slow']) }, 'holds no volume of same_host'],
  ['every pool, when no such volume exists', { sameAs: new Set<string>() }, 'holds no volume of same_host'],
]);
