import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NoValidBackend } from '../../src/model/errors.ts';
import { consume } from '../../src/scheduler/consume.ts';
import { checkOptions, DEFAULT_OPTIONS } from '../../src/scheduler/options.ts';
import { schedule, sift } from '../../src/scheduler/schedule.ts';
import { aPool, typed } from './pools.ts';

const withFree = (name: string, free: number) =>
  aPool(name, { stats: { total_capacity_gb: 1000, free_capacity_gb: free } });

/** What the scheduler says when it finds nothing. */
function reasons(decide: () => unknown): readonly string[] {
  try {
    decide();
  } catch (error) {
    assert.ok(error instanceof NoValidBackend);
    return error.reasons;
  }
  return assert.fail('a pool was chosen');
}

describe('schedule', () => {
  it('takes the roomiest of the pools that will do', () => {
    const pools = [withFree('n@a#p', 100), { ...withFree('n@b#p', 900), up: false }, withFree('n@c#p', 300)];
    assert.equal(schedule(pools, { sizeGiB: 10 }).name, 'n@c#p');
  });

  it('takes the first name of pools that are alike', () => {
    assert.equal(
      schedule(
        ['n@c#p', 'n@a#p', 'n@b#p'].map((name) => aPool(name)),
        { sizeGiB: 1 },
      ).name,
      'n@a#p',
    );
  });

  it('returns the very pool it was given', () => {
    const pool = aPool('n@a#p');
    assert.equal(schedule([pool], { sizeGiB: 1 }), pool);
  });

  it('stands on liveness, pin and attempts even when no filter is configured', () => {
    const none = { ...DEFAULT_OPTIONS, filters: [] };
    assert.equal(schedule([aPool('n@a#p')], { sizeGiB: 9999 }, none).name, 'n@a#p');
    assert.throws(() => schedule([aPool('n@a#p', { up: false })], { sizeGiB: 1 }, none), NoValidBackend);
    assert.throws(() => schedule([aPool('n@a#p')], { sizeGiB: 1, resourceBackend: 'n@b' }, none), NoValidBackend);
    assert.throws(() => schedule([aPool('n@a#p')], { sizeGiB: 1, attempted: ['n@a'] }, none), NoValidBackend);
  });

  it('judges an extend by the difference alone', () => {
    const pool = withFree('n@a#p', 5);
    assert.equal(schedule([pool], { sizeGiB: 5, resourceBackend: pool.name }), pool);
    assert.throws(() => schedule([pool], { sizeGiB: 6, resourceBackend: pool.name }), NoValidBackend);
  });
});

describe('a refusal', () => {
  it('says so when there is no pool at all', () => {
    assert.deepEqual(
      reasons(() => schedule([], { sizeGiB: 1 })),
      ['No pool has been reported.'],
    );
  });

  it('names filter, pools and why, a line a filter, in the order of the filters', () => {
    const pools = [
      withFree('n@d#p', 3),
      withFree('n@b#p', 7),
      aPool('n@e#p', { up: false }),
      aPool('n@a#p', { availabilityZone: 'west' }),
      aPool('n@c#p', { availabilityZone: 'east' }),
    ];
    assert.deepEqual(
      reasons(() => schedule(pools, { sizeGiB: 10, availabilityZones: ['nova'] })),
      [
        'UpFilter refused 1 pool: down, disabled or failing (n@e#p).',
        'AvailabilityZoneFilter refused 2 pools: not in zone nova (n@a#p, n@c#p).',
        'CapacityFilter refused 2 pools: 10 GiB wanted, 3 GiB free (n@d#p); 10 GiB wanted, 7 GiB free (n@b#p).',
      ],
    );
  });

  it('is part of the message', () => {
    assert.throws(() => schedule([aPool('n@a#p')], typed({ volume_backend_name: 'gold' })), {
      message:
        'No valid backend was found. CapabilitiesFilter refused 1 pool: volume_backend_name is not reported (n@a#p).',
    });
  });

  it('stays short with hundreds of pools', () => {
    const pools = Array.from({ length: 400 }, (_, index) => withFree(`n@b#p${index}`, index % 40));
    const [line = '', ...others] = reasons(() => schedule(pools, { sizeGiB: 100 }));
    assert.deepEqual(others, []);
    assert.equal(
      line,
      'CapacityFilter refused 400 pools: ' +
        '100 GiB wanted, 0 GiB free (n@b#p0, n@b#p120, n@b#p160 and 7 more); ' +
        '100 GiB wanted, 1 GiB free (n@b#p1, n@b#p121, n@b#p161 and 7 more); ' +
        '100 GiB wanted, 10 GiB free (n@b#p10, n@b#p130, n@b#p170 and 7 more); ' +
        'and 370 pools for like reasons.',
    );
  });
});

describe('sift', () => {
  it('parts the pools, each refused by one filter', () => {
    const pools = [aPool('n@a#p', { up: false, availabilityZone: 'west' }), aPool('n@b#p')];
    const { passed, refusals } = sift(pools, { sizeGiB: 1, availabilityZones: ['nova'] });
    assert.deepEqual(passed, [pools[1]]);
    assert.deepEqual(refusals, [{ filter: 'UpFilter', pool: 'n@a#p', reason: 'down, disabled or failing' }]);
  });
});

describe('consume', () => {
  const pool = aPool('n@a#p', { allocatedGiB: 30, provisionedGiB: 35, volumes: 3, stats: { free_capacity_gb: 60 } });

  it('counts a new volume', () => {
    const after = consume(pool, 8);
    assert.partialDeepStrictEqual(after, {
      allocatedGiB: 38,
      provisionedGiB: 43,
      volumes: 4,
      stats: { free_capacity_gb: 52 },
    });
    assert.equal(pool.stats.free_capacity_gb, 60);
  });

  it('counts the growth of a volume that is there', () => {
    assert.partialDeepStrictEqual(consume(pool, 8, 0), { allocatedGiB: 38, volumes: 3 });
  });

  it('leaves alone what is not a number', () => {
    const endless = aPool('n@a#p', { stats: { free_capacity_gb: 'infinite' } });
    assert.equal(consume(endless, 8).stats.free_capacity_gb, 'infinite');
  });
});

describe('options', () => {
  it('are right by default', () => {
    checkOptions(DEFAULT_OPTIONS);
  });

  it('with an unknown filter are refused, and the known ones named', () => {
    assert.throws(() => checkOptions({ ...DEFAULT_OPTIONS, filters: ['CapacityFilter', 'CapcityFilter'] }), {
      message:
        'Unknown scheduler filter "CapcityFilter". Known are UpFilter, PinnedBackendFilter, IgnoreAttemptedHostsFilter, ' +
        'AvailabilityZoneFilter, CapacityFilter, CapabilitiesFilter, DifferentBackendFilter, SameBackendFilter.',
    });
  });

  it('with an unknown weigher are refused, be it only in a multiplier', () => {
    const unknown = {
      message:
        'Unknown scheduler weigher "Chance". Known are CapacityWeigher, AllocatedCapacityWeigher, VolumeNumberWeigher.',
    };
    assert.throws(() => checkOptions({ ...DEFAULT_OPTIONS, weighers: ['Chance'] }), unknown);
    assert.throws(() => checkOptions({ ...DEFAULT_OPTIONS, multipliers: { Chance: 1 } }), unknown);
  });

  it('with a multiplier that is no number are refused', () => {
    assert.throws(
      () => checkOptions({ ...DEFAULT_OPTIONS, multipliers: { CapacityWeigher: Number.NaN } }),
      /not a number/,
    );
  });
});
