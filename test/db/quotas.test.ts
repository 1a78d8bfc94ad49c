import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Database } from '../../src/db/database.ts';
import {
  classLimits,
  deleteProjectLimits,
  dropTypeResources,
  quotaLimits,
  renameTypeResources,
  setClassLimits,
  setProjectLimits,
} from '../../src/db/quota-limits.ts';
import { countUsage, recountUsage } from '../../src/db/quota-recount.ts';
import {
  commitReservations,
  countQuota,
  QuotaExceeded,
  quotaUsage,
  reserveQuota,
  rollbackReservations,
  takeQuota,
  type Usage,
} from '../../src/db/quotas.ts';
import { defaultVolumeType } from '../../src/db/volume-types.ts';
import { insertVolume } from '../../src/db/volumes.ts';
import { uuid } from '../../src/lib/clock.ts';
import { proveStore } from '../prove-store.ts';
import { makeSnapshot, makeVolume } from './rows.ts';

const WITH_SNAPSHOTS = { snapshotGigabytes: true };
const FREE = {};

const used = async (database: Database): Promise<Record<string, Usage>> =>
  Object.fromEntries(
    Object.entries(await quotaUsage(database.read, 'p')).filter(
      ([, { inUse, reserved }]) => inUse !== 0 || reserved !== 0,
    ),
  );

proveStore('quotas', (test) => {
  test('the limit is the project’s, else the class’s, else the configured, else none', async ({ database }) => {
    await database.write(async (tx) => {
      await setClassLimits(tx, 'default', { volumes: 20, snapshots: 21 });
      await setProjectLimits(tx, 'p', { volumes: 30 });
      await setProjectLimits(tx, 'p', { volumes: 31 });
    });
    const limits = () =>
      quotaLimits(database.read, 'p', ['volumes', 'snapshots', 'gigabytes', 'volumes_x'], {
        volumes: 1,
        gigabytes: 1000,
      });
    assert.deepEqual(await limits(), { volumes: 31, snapshots: 21, gigabytes: 1000, volumes_x: -1 });
    await database.write((tx) => deleteProjectLimits(tx, 'p'));
    assert.deepEqual(await limits(), { volumes: 20, snapshots: 21, gigabytes: 1000, volumes_x: -1 });
    assert.deepEqual(await classLimits(database.read, 'default'), { volumes: 20, snapshots: 21 });
  });

  test('what is taken is counted up to the limit, all of it or nothing', async ({ database }) => {
    const take = (volumes: number, gigabytes: number) =>
      database.write((tx) => takeQuota(tx, 'p', { volumes, gigabytes }, { volumes: 3, gigabytes: 10 }));
    await take(1, 10);
    await assert.rejects(take(1, 1), (error: unknown) => {
      assert.ok(error instanceof QuotaExceeded);
      assert.deepEqual(error.shortages, [{ resource: 'gigabytes', limit: 10, inUse: 10, reserved: 0, requested: 1 }]);
      return true;
    });
    await assert.rejects(take(3, 1), (error: unknown) => {
      assert.ok(error instanceof QuotaExceeded);
      assert.deepEqual(
        error.shortages.map(({ resource }) => resource),
        ['gigabytes', 'volumes'],
      );
      return true;
    });
    assert.deepEqual(await used(database), {
      volumes: { inUse: 1, reserved: 0 },
      gigabytes: { inUse: 10, reserved: 0 },
    });
    await take(-1, -10);
    await take(3, 0);
    assert.deepEqual(await used(database), { volumes: { inUse: 3, reserved: 0 } });
  });

  test('of many takers at once no more succeed than there is room for', async ({ database, open }) => {
    const other = await open();
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 ? database : other).write((tx) =>
          takeQuota(tx, 'p', { volumes: 1, gigabytes: 2 }, { volumes: 100, gigabytes: 14 }),
        ),
      ),
    );
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 7);
    assert.deepEqual(await used(database), {
      volumes: { inUse: 7, reserved: 0 },
      gigabytes: { inUse: 14, reserved: 0 },
    });
  });

  test('below zero a limit is none, and giving back is never refused', async ({ database }) => {
    await database.write((tx) => takeQuota(tx, 'p', { volumes: 1_000_000 }, { volumes: -1 }));
    await database.write((tx) => takeQuota(tx, 'p', { volumes: -1 }, { volumes: 1 }));
    assert.deepEqual(await used(database), { volumes: { inUse: 999_999, reserved: 0 } });
  });

  test('a reservation counts at once, and is committed or rolled back once', async ({ database }) => {
    const limits = { gigabytes: 10 };
    const reserve = (flow: string, gigabytes: number) =>
      database.write((tx) => reserveQuota(tx, flow, 'p', { gigabytes }, limits));
    await reserve('one', 6);
    await reserve('one', 6);
    await assert.rejects(reserve('two', 5), QuotaExceeded);
    assert.deepEqual(await used(database), { gigabytes: { inUse: 0, reserved: 6 } });
    for (let again = 0; again < 2; again++) await database.write((tx) => commitReservations(tx, 'one'));
    assert.deepEqual(await used(database), { gigabytes: { inUse: 6, reserved: 0 } });
    await reserve('three', 4);
    for (let again = 0; again < 2; again++) await database.write((tx) => rollbackReservations(tx, 'three'));
    assert.deepEqual(await used(database), { gigabytes: { inUse: 6, reserved: 0 } });
  });

  test('a negative reservation counts only when committed', async ({ database }) => {
    await database.write((tx) => countQuota(tx, 'p', { gigabytes: 5 }));
    await database.write((tx) => reserveQuota(tx, 'f', 'p', { gigabytes: -3 }, FREE));
    assert.deepEqual(await used(database), { gigabytes: { inUse: 5, reserved: 0 } });
    await database.write((tx) => commitReservations(tx, 'f'));
    assert.deepEqual(await used(database), { gigabytes: { inUse: 2, reserved: 0 } });
  });

  test('a recount adds up rows, snapshots and reservations, and mends the counters', async ({ database }) => {
    const volume = await makeVolume(database, { sizeGiB: 3 });
    await makeVolume(database, { sizeGiB: 9, usesQuota: false });
    await makeVolume(database, { sizeGiB: 9, projectId: 'q' });
    await makeSnapshot(database, volume, { volumeSizeGiB: 2 });
    await database.write((tx) => reserveQuota(tx, 'f', 'p', { gigabytes: 4 }, FREE));
    await database.write((tx) => countQuota(tx, 'p', { backups: 7 }));
    const expected = {
      volumes: { inUse: 1, reserved: 0 },
      volumes___DEFAULT__: { inUse: 1, reserved: 0 },
      snapshots: { inUse: 1, reserved: 0 },
      snapshots___DEFAULT__: { inUse: 1, reserved: 0 },
      gigabytes: { inUse: 5, reserved: 4 },
      gigabytes___DEFAULT__: { inUse: 5, reserved: 0 },
    };
    assert.deepEqual(await countUsage(database.read, 'p', WITH_SNAPSHOTS), expected);
    assert.equal((await countUsage(database.read, 'p', { snapshotGigabytes: false })).gigabytes?.inUse, 3);
    const wrong = await database.write((tx) => recountUsage(tx, 'p', WITH_SNAPSHOTS));
    assert.deepEqual(wrong.backups, { was: { inUse: 7, reserved: 0 }, is: { inUse: 0, reserved: 0 } });
    assert.deepEqual(await used(database), expected);
    assert.deepEqual(await database.write((tx) => recountUsage(tx, 'p', WITH_SNAPSHOTS)), {});
  });

  test('a type that is renamed takes its resources along, one that is gone leaves none', async ({ database }) => {
    const limits = () => quotaLimits(database.read, 'p', ['volumes_gold', 'volumes_silver'], {});
    await database.write(async (tx) => {
      await setProjectLimits(tx, 'p', { volumes_gold: 5 });
      await countQuota(tx, 'p', { gigabytes_gold: 2 });
      await renameTypeResources(tx, 'gold', 'silver');
    });
    assert.deepEqual(await limits(), { volumes_gold: -1, volumes_silver: 5 });
    assert.deepEqual(await used(database), { gigabytes_silver: { inUse: 2, reserved: 0 } });
    await database.write((tx) => dropTypeResources(tx, 'silver'));
    assert.deepEqual(await limits(), { volumes_gold: -1, volumes_silver: -1 });
    assert.deepEqual(await used(database), {});
  });

  test('whatever is created, extended, deleted and given up at once, usage equals a recount', async ({
    database,
    open,
  }) => {
    const writers = [database, await open()];
    const type = await defaultVolumeType(database.read);
    const twins = (amounts: Record<string, number>): Record<string, number> =>
      Object.fromEntries(
        Object.entries(amounts).flatMap(([kind, amount]) => [
          [kind, amount],
          [`${kind}_${type.name}`, amount],
        ]),
      );
    const limits = { volumes: 6, gigabytes: 12 };
    const step = fc.record({
      act: fc.constantFrom('create' as const, 'delete' as const, 'extend' as const, 'give-up' as const),
      size: fc.integer({ min: 1, max: 4 }),
      who: fc.integer({ min: 0, max: 1 }),
      which: fc.nat(5),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { maxLength: 6 }), async (turns) => {
        const volumes: string[] = [];
        for (const turn of turns) {
          await Promise.allSettled(
            turn.map(async ({ act, size, who, which }) => {
              const write = (unit: Parameters<Database['write']>[0]) => (writers[who] ?? database).write(unit);
              const id = volumes[which];
              const flow = uuid();
              if (act === 'create') {
                const made = uuid();
                await write(async (tx) => {
                  await takeQuota(tx, 'p', twins({ volumes: 1, gigabytes: size }), limits);
                  await insertVolume(tx, {
                    id: made,
                    projectId: 'p',
                    userId: 'u',
                    sizeGiB: size,
                    status: 'available',
                    volumeTypeId: type.id,
                  });
                });
                volumes.push(made);
              } else if (id === undefined) {
                return;
              } else if (act === 'delete') {
                await write(async (tx) => {
                  const gone = tx.db.deleteFrom('volume').where('id', '=', id).returning('size_gib');
                  const row = await gone.executeTakeFirst();
                  if (row) await countQuota(tx, 'p', twins({ volumes: -1, gigabytes: -row.size_gib }));
                });
              } else {
                await write((tx) => reserveQuota(tx, flow, 'p', twins({ gigabytes: size }), limits));
                await write(async (tx) => {
                  const grow = tx.db.updateTable('volume').set(({ eb }) => ({ size_gib: eb('size_gib', '+', size) }));
                  const grown =
                    act === 'extend' && (await grow.where('id', '=', id).returning('id').executeTakeFirst());
                  await (grown ? commitReservations(tx, flow) : rollbackReservations(tx, flow));
                });
              }
            }),
          );
        }
        const counted = await countUsage(database.read, 'p', WITH_SNAPSHOTS);
        assert.deepEqual(await used(database), counted);
        assert.ok((counted.gigabytes?.inUse ?? 0) <= limits.gigabytes);
        assert.ok((counted.volumes?.inUse ?? 0) <= limits.volumes);
      }),
      { numRuns: 12 },
    );
  });
});
