/** A rate is kept, whoever spends and whenever. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ByteRate } from '../../src/backups/byte-rate.ts';
import { copy } from '../../src/backups/copy/copy.ts';
import { restore } from '../../src/backups/restore/restore.ts';
import { openScope } from '../../src/backups/scope.ts';
import { exec } from '../../src/lib/exec.ts';
import { backUp, backupWorld, MIB, NEVER } from './backup-world.ts';

/** Time passes in pauses, and when it is told to. */
function timed() {
  let now = 0;
  return {
    elapsed: () => now,
    pause: async (ms: number) => {
      now += ms;
    },
    pass: (ms: number) => {
      now += ms;
    },
  };
}

describe('a rate', () => {
  test('lets no more pass than its rate and what a quarter of a second had left, however it is used', async () => {
    const steps = fc.array(fc.record({ idle: fc.nat(2000), bytes: fc.integer({ min: 1, max: 5000 }) }), {
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 100, max: 10_000 }), async (all, rate) => {
        const clock = timed();
        const kept = new ByteRate(clock, rate);
        let spent = 0;
        for (const { idle, bytes } of all) {
          clock.pass(idle);
          await kept.spend(bytes, NEVER);
          spent += bytes;
          assert.ok(spent <= (rate * (clock.elapsed() + 250)) / 1000 + 1e-6);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('uses its rate, with what a quarter of a second had left, and without one nobody waits', async () => {
    const clock = timed();
    const kept = new ByteRate(clock, 1000);
    for (let i = 0; i < 10; i += 1) await kept.spend(500, NEVER);
    assert.equal(clock.elapsed(), 5000);
    clock.pass(60_000);
    await kept.spend(500, NEVER);
    assert.equal(clock.elapsed(), 65_250);
    await new ByteRate(clock, 0).spend(1e12, NEVER);
    assert.equal(clock.elapsed(), 65_250);
  });

  test('is kept by a copy for what it reads, and by a restore for what it writes', async () => {
    const world = await backupWorld();
    try {
      const bytes = 5 * MIB;
      const file = await world.file('v', bytes, [[0, randomBytes(2 * MIB)]]);
      const { manifest } = await backUp(world, 'a', { file, bytes });
      const place = world.place('b');
      const scope = await openScope(place, world.store, NEVER);
      const watch = { signal: NEVER, progress: () => {}, waiting: () => {}, bite: () => {}, done: () => {} };
      const slow = { place, bytesPerSecond: MIB / 10, patienceMs: 0 };
      const source = { uri: `file:${file}`, bytes };
      const read = timed();
      const whole = { attempt: 1, parentId: null, changed: null, base: null, bites: [] };
      await copy(scope, { ...slow, ...whole, source }, watch, exec, read);
      assert.equal(read.elapsed(), 20_000);
      const target = { uri: `file:${await world.file('target', bytes, [])}`, bytes: manifest.bytes, isEmpty: true };
      const written = timed();
      const order = { ...slow, place: world.place('a'), target, doneBytes: 0 };
      await restore(scope, order, watch, exec, written);
      assert.equal(written.elapsed(), 20_000);
    } finally {
      await world.remove();
    }
  });
});
