import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CapacityGiB, Pool } from '../../src/model/backend.ts';
import { DEFAULT_OPTIONS, weighingsOf } from '../../src/scheduler/options.ts';
import { rank } from '../../src/scheduler/weighers.ts';
import { aPool } from './pools.ts';

const sized = (name: string, free: CapacityGiB, known: Partial<Pick<Pool, 'allocatedGiB' | 'volumes'>> = {}): Pool =>
  aPool(name, { ...known, stats: { total_capacity_gb: 1000, free_capacity_gb: free } });

/** Pool names, best first, each with its score. */
function ranking(
  pools: readonly Pool[],
  multipliers: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const weighings = weighingsOf({ ...DEFAULT_OPTIONS, weighers: Object.keys(multipliers), multipliers });
  const ranked = rank(pools, { sizeGiB: 1 }, weighings);
  return Object.fromEntries(ranked.map(({ pool, score }) => [pool.name, score]));
}

/** Compares order too, which `deepEqual` of objects does not. */
function assertRanking(
  actual: Readonly<Record<string, number>>,
  expected: readonly (readonly [string, number])[],
): void {
  assert.deepEqual(Object.entries(actual), expected);
}

describe('CapacityWeigher', () => {
  it('prefers the most room, in proportion', () => {
    assertRanking(ranking([sized('a', 100), sized('b', 500), sized('c', 200)], { CapacityWeigher: 1 }), [
      ['b', 1],
      ['c', 0.25],
      ['a', 0],
    ]);
  });

  it('with a negative multiplier prefers the least', () => {
    assertRanking(ranking([sized('a', 100), sized('b', 500), sized('c', 200)], { CapacityWeigher: -2 }), [
      ['a', 0],
      ['c', -0.5],
      ['b', -2],
    ]);
  });

  it('puts last who does not know or has no end', () => {
    // −1, 0 and 99 become 0, 0.01 and 1.
    assertRanking(ranking([sized('a', 'infinite'), sized('b', 0), sized('c', 99)], { CapacityWeigher: 1 }), [
      ['c', 1],
      ['b', 0.01],
      ['a', 0],
    ]);
    // 0, 10 and 10 + 100 × 10.
    const stacked = ranking([sized('a', 'unknown'), sized('b', 10), sized('c', 0)], { CapacityWeigher: -1 });
    assertRanking(stacked, [
      ['c', 0],
      ['b', -10 / 1010],
      ['a', -1],
    ]);
    // One known pool: 10 and 10 + 10 000.
    assertRanking(ranking([sized('a', 'unknown'), sized('b', 10)], { CapacityWeigher: -1 }), [
      ['b', 0],
      ['a', -1],
    ]);
  });

  it('is indifferent among those who do not know', () => {
    assertRanking(ranking([sized('b', 'unknown'), sized('a', 'infinite')], { CapacityWeigher: 1 }), [
      ['a', 0],
      ['b', 0],
    ]);
  });
});

describe('AllocatedCapacityWeigher', () => {
  it('prefers the pool with the least allocated', () => {
    const pools = [
      sized('a', 10, { allocatedGiB: 30 }),
      sized('b', 10, { allocatedGiB: 10 }),
      sized('c', 10, { allocatedGiB: 20 }),
    ];
    assertRanking(ranking(pools, { AllocatedCapacityWeigher: -1 }), [
      ['b', 0],
      ['c', -0.5],
      ['a', -1],
    ]);
  });
});

describe('VolumeNumberWeigher', () => {
  it('prefers the pool with the fewest volumes', () => {
    const pools = [sized('a', 10, { volumes: 8 }), sized('b', 10, { volumes: 4 }), sized('c', 10, { volumes: 5 })];
    assertRanking(ranking(pools, { VolumeNumberWeigher: -1 }), [
      ['b', 0],
      ['c', -0.25],
      ['a', -1],
    ]);
  });
});

describe('weighers together', () => {
  it('add up', () => {
    const pools = [sized('a', 100, { volumes: 4 }), sized('b', 300, { volumes: 8 }), sized('c', 200, { volumes: 0 })];
    // a: 0 − 2 × 0.5; b: 1 − 2 × 1; c: 0.5 − 0
    assertRanking(ranking(pools, { CapacityWeigher: 1, VolumeNumberWeigher: -2 }), [
      ['c', 0.5],
      ['a', -1],
      ['b', -1],
    ]);
  });

  it('use their own multipliers where none is configured', () => {
    const weighings = weighingsOf({
      ...DEFAULT_OPTIONS,
      weighers: ['CapacityWeigher', 'AllocatedCapacityWeigher', 'VolumeNumberWeigher'],
      multipliers: { VolumeNumberWeigher: 3 },
    });
    assert.deepEqual(
      weighings.map(({ multiplier }) => multiplier),
      [1, -1, 3],
    );
  });

  it('rank by name alone when there are none', () => {
    assertRanking(ranking([sized('b', 1), sized('c', 9), sized('a', 5)], {}), [
      ['a', 0],
      ['b', 0],
      ['c', 0],
    ]);
  });
});
