import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InvalidGroupType, NoValidBackend } from '../../src/model/errors.ts';
import { type GroupRequest, scheduleGroup } from '../../src/scheduler/schedule-group.ts';
import { aPool } from './pools.ts';

const type = (name: string, extraSpecs: Readonly<Record<string, string>> = {}) => ({ name, extraSpecs });
const fast = type('fast', { disks: 'fast' });
const slow = type('slow', { disks: 'slow' });

const request = (more: Partial<GroupRequest> = {}): GroupRequest => ({
  groupType: { name: 'plain', groupSpecs: {} },
  volumeTypes: [type('any')],
  availabilityZones: [],
  ...more,
});
const together = (demand: string) => ({
  groupType: { name: 'together', groupSpecs: { consistent_group_snapshot_enabled: demand } },
});
const at = (able: unknown) => ({ stats: { consistent_group_snapshot_enabled: able } });

describe('the backend of a group', () => {
  it('takes volumes of each of its types, in one pool or another', () => {
    const one = aPool('n@one#fast', { stats: { disks: 'fast' } });
    const both = [
      aPool('n@both#slow', { stats: { disks: 'slow' } }),
      aPool('n@both#fast', { stats: { disks: 'fast', free_capacity_gb: 1 } }),
    ];
    assert.equal(scheduleGroup([one, ...both], request({ volumeTypes: [fast, slow] })).name, 'n@both#fast');
    assert.equal(scheduleGroup([one, ...both], request({ volumeTypes: [fast] })).name, 'n@one#fast');
    const apart = [one, aPool('n@two#slow', { stats: { disks: 'slow' } })];
    assert.throws(() => scheduleGroup(apart, request({ volumeTypes: [fast, slow] })), NoValidBackend);
  });

  it('is up, in the zone, and need have no room left', () => {
    const full = aPool('n@full#p', { stats: { free_capacity_gb: 0 } });
    assert.equal(scheduleGroup([full], request({ availabilityZones: ['nova'] })).name, 'n@full#p');
    assert.throws(() => scheduleGroup([full], request({ availabilityZones: ['east'] })), NoValidBackend);
    assert.throws(() => scheduleGroup([aPool('n@down#p', { up: false })], request()), NoValidBackend);
    assert.throws(() => scheduleGroup([], request(together('<is> True'))), NoValidBackend);
  });

  it('keeps one moment where the group type demands it, or the group is refused by that name', () => {
    const [able, unable] = [aPool('n@able#p', at(true)), aPool('n@unable#p', at(false))];
    const silent = aPool('n@silent#p');
    assert.equal(scheduleGroup([unable, silent, able], request(together('<is> True'))).name, 'n@able#p');
    for (const pools of [[unable], [silent], [unable, silent]])
      assert.throws(
        () => scheduleGroup(pools, request(together(' <is> true '))),
        (error: Error) => error instanceof InvalidGroupType && /consistent_group_snapshot_enabled/.test(error.message),
      );
    assert.equal(scheduleGroup([unable], request(together('<is> False'))).name, 'n@unable#p');
  });
});
