import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pool, PoolStats } from '../../src/model/backend.ts';
import { isThin, lacksRoom, overSubscriptionRatio, virtualFreeGiB } from '../../src/scheduler/capacity.ts';
import type { ScheduleRequest } from '../../src/scheduler/request.ts';
import { aPool, typed } from './pools.ts';

function pool(
  total: PoolStats['total_capacity_gb'],
  free: PoolStats['free_capacity_gb'],
  provisionedGiB = 0,
  stats: Partial<PoolStats> = {},
): Pool {
  return aPool('node1@lvm#pool0', {
    provisionedGiB,
    stats: { total_capacity_gb: total, free_capacity_gb: free, ...stats },
  });
}

const thin = (ratio: number | 'auto', reserved = 0): Partial<PoolStats> => ({
  thin_provisioning_support: true,
  max_over_subscription_ratio: ratio,
  reserved_percentage: reserved,
});

const any: ScheduleRequest = { sizeGiB: 1 };
const thick = typed({ 'provisioning:type': 'thick' });

describe('the over-subscription ratio', () => {
  it('is 1 where nothing is provisioned thin', () => {
    assert.equal(overSubscriptionRatio(pool(100, 50, 10, { max_over_subscription_ratio: 20 })), 1);
  });

  it('is what is configured', () => {
    assert.equal(overSubscriptionRatio(pool(100, 50, 10, thin(1.5))), 1.5);
  });

  it('when auto, is 20 as long as nothing is provisioned', () => {
    assert.equal(overSubscriptionRatio(pool(100, 100, 0, thin('auto'))), 20);
  });

  it('when auto, is learnt from promises and use', () => {
    // 1 + 300 / (100 − 41 + 1)
    assert.equal(overSubscriptionRatio(pool(100, 41, 300, thin('auto'))), 6);
    // 1 + 50 / (100 − 100 + 1)
    assert.equal(overSubscriptionRatio(pool(100, 100, 50, thin('auto'))), 51);
    // More free than there is: 1 + 50 / (0 + 1)
    assert.equal(overSubscriptionRatio(pool(100, 101, 50, thin('auto'))), 51);
  });
});

describe('a pool is used thin', () => {
  it('when it can and the type does not say thick', () => {
    const able = pool(100, 100, 0, thin(2));
    assert.equal(isThin(able, any), true);
    assert.equal(isThin(able, typed({ 'provisioning:type': 'thin' })), true);
    assert.equal(isThin(able, thick), false);
    assert.equal(isThin(pool(100, 100), typed({ 'provisioning:type': 'thin' })), false);
  });
});

describe('what may still be promised', () => {
  const rows: readonly [what: string, pool: Pool, request: ScheduleRequest, expected: number | undefined][] = [
    ['thick: what is free', pool(100, 60, 10), any, 60],
    ['thick: what is not promised, when that is less', pool(100, 60, 70), any, 30],
    ['thick: the reserve is kept', pool(100, 95, 10, { reserved_percentage: 15 }), any, 75],
    ['thick: the reserve is whole GiB, rounded down', pool(55, 55, 0, { reserved_percentage: 10 }), any, 50],
    ['thin: usable × ratio − provisioned', pool(100, 3, 50, thin(2, 10)), any, 130],
    ['thin: below nothing when too much is promised', pool(100, 50, 250, thin(2)), any, -50],
    ['thin, type says thick: as thick', pool(100, 60, 50, thin(2, 10)), thick, 40],
    ['thin, auto: the learnt ratio', pool(100, 41, 300, thin('auto')), any, 300],
    ['two decimals', pool(20, 20, 0, thin(1.15)), any, 23],
    ['two decimals of a third', pool(10, 10 / 3), any, 3.33],
    ['free unknown: no number', pool(100, 'unknown'), any, undefined],
    ['total infinite: no number', pool('infinite', 10), any, undefined],
  ];
  for (const [what, given, request, expected] of rows) {
    it(what, () => assert.equal(virtualFreeGiB(given, request), expected));
  }
});

describe('a pool has room', () => {
  const rows: readonly [what: string, pool: Pool, request: ScheduleRequest][] = [
    ['up to the last GiB', pool(100, 10, 90), { sizeGiB: 10 }],
    ['thin, up to the last promised GiB', pool(100, 1, 190, thin(2)), { sizeGiB: 10 }],
    ['thin, with nothing over-subscribed', pool(100, 100, 0, thin(1)), { sizeGiB: 100 }],
    ['thin, for one volume larger than the pool', pool(100, 100, 0, thin(2)), { sizeGiB: 200 }],
    ['for nothing at all', pool(0, 0), { sizeGiB: 0 }],
    ['for the volume it holds already', pool(100, 0, 100), { sizeGiB: 50, existingPool: 'node1@lvm#pool0' }],
    ['when it has no end', pool('infinite', 'infinite'), { sizeGiB: 1_000_000 }],
    ['when it does not know what is free', pool(10, 'unknown'), { sizeGiB: 1000 }],
    ['when it does not know its size and keeps no reserve', pool('unknown', 10), { sizeGiB: 10 }],
  ];
  for (const [what, given, request] of rows) {
    it(what, () => assert.equal(lacksRoom(given, request), undefined));
  }
});

describe('a pool lacks room', () => {
  const rows: readonly [what: string, pool: Pool, request: ScheduleRequest, why: string][] = [
    ['by one GiB', pool(100, 10, 90), { sizeGiB: 11 }, '11 GiB wanted, 10 GiB free'],
    ['thin, by one promised GiB', pool(100, 1, 190, thin(2)), { sizeGiB: 11 }, '11 GiB wanted, 10 GiB free'],
    ['thin, when the type says thick', pool(100, 1, 99, thin(2)), { ...thick, sizeGiB: 2 }, '2 GiB wanted, 1 GiB free'],
    [
      'for the volume another pool holds',
      pool(100, 0),
      { sizeGiB: 1, existingPool: 'node1@lvm#pool1' },
      '1 GiB wanted, 0 GiB free',
    ],
    [
      'when nobody can tell its reserve',
      pool('infinite', 10, 0, { reserved_percentage: 5 }),
      any,
      '5 % of an unknown size is reserved',
    ],
    ['when it has no size', pool(0, 10), any, 'the pool has no capacity'],
    ['when it is all reserve', pool(100, 100, 0, { reserved_percentage: 100 }), any, '1 GiB wanted, 0 GiB free'],
    [
      'thin, under a ratio that makes no sense',
      pool(100, 100, 0, thin(0.9)),
      any,
      'max_over_subscription_ratio 0.9 is below 1',
    ],
  ];
  for (const [what, given, request, why] of rows) {
    it(what, () => assert.equal(lacksRoom(given, request), why));
  }

  it('but not thick, under a ratio that only thin volumes look at', () => {
    assert.equal(lacksRoom(pool(100, 100, 0, thin(0.9)), thick), undefined);
  });
});
