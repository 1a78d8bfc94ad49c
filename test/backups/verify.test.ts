/** Which packs a look at backups reads, where it stops and goes on, and whom it tells of what it finds. What damage is found: `restore.test.ts`. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { LookedPack, VerifyOrder } from '../../src/backups/backups.ts';
import { openScope } from '../../src/backups/scope.ts';
import type { BackupStore } from '../../src/backups/stores/store.ts';
import { verify } from '../../src/backups/verify.ts';
import { type BackupWorld, backUp, backupWorld, MIB, NEVER, SCOPE } from './backup-world.ts';

/** Two of 8 MiB: `a` in four packs, `b` an increment in which the first MiB is another. */
async function inWorld(body: (world: BackupWorld, packs: readonly string[]) => Promise<void>): Promise<void> {
  const world = await backupWorld(2 * MIB);
  try {
    const [bytes, data] = [8 * MIB, randomBytes(8 * MIB)];
    const { bites } = await backUp(world, 'a', { file: await world.file('v', bytes, [[0, data]]), bytes });
    const file = await world.file('w', bytes, [
      [0, data],
      [0, randomBytes(MIB)],
    ]);
    await backUp(world, 'b', { file, bytes, parentId: 'a' });
    await body(
      world,
      bites.map(({ pack }) => pack),
    );
  } finally {
    await world.remove();
  }
}

/** Of a pack whose last bytes are of its trailer. */
async function spoil(world: BackupWorld, pack: string): Promise<void> {
  const file = await open(join(world.storePath, 'scopes', SCOPE, 'packs', pack), 'r+');
  await file.write('spoilt', (await file.stat()).size - 60);
  await file.close();
}

async function look(world: BackupWorld, given: Partial<VerifyOrder> = {}) {
  const read = new Set<string>();
  const store: BackupStore = {
    ...world.store,
    head: (...call) => world.store.head(...call),
    get: (name, signal, range) => {
      if (name.includes('/packs/')) read.add(name.slice(name.indexOf('/packs/') + '/packs/'.length));
      return world.store.get(name, signal, range);
    },
  };
  const looked: LookedPack[] = [];
  const place = world.place('a');
  const watch = {
    signal: NEVER,
    progress: () => {},
    waiting: () => {},
    looked: (pack: LookedPack) => looked.push(pack),
  };
  const order: VerifyOrder = { place, backupIds: ['a'], depth: 'packs', patienceMs: 0, ...given };
  const outcome = await verify(await openScope(place, store, NEVER), order, watch);
  return { ...outcome, looked: looked.map(({ pack }) => pack), read: [...read].sort() };
}

describe('a look at backups', () => {
  test('goes through the packs in the order of their names, those that several need once', () =>
    inWorld(async (world, packs) => {
      const { looked, ended, damage } = await look(world, { backupIds: ['a', 'b'] });
      assert.deepEqual(looked, [...packs, 'b/1-0']);
      assert.deepEqual([ended, damage], [true, []]);
    }));

  test('stops when its budget is spent, and one that goes on behind reads the rest', () =>
    inWorld(async (world, packs) => {
      const first = await look(world, { budgetBytes: 3 * MIB });
      assert.deepEqual([first.ended, first.looked], [false, packs.slice(0, 2)]);
      const rest = await look(world, { after: first.looked.at(-1) ?? null });
      assert.deepEqual([rest.ended, rest.looked, rest.read], [true, packs.slice(2), packs.slice(2)]);
      assert.equal(first.readBytes + rest.readBytes, (await look(world)).readBytes);
    }));

  test('that is to see little asks for every pack, and reads few or none', () =>
    inWorld(async (world, packs) => {
      for (const how of [{ depth: 'present' }, { share: 0 }] as const) {
        const { looked, read, readBytes } = await look(world, how);
        assert.deepEqual([looked, read, readBytes], [packs, [], 0]);
      }
    }));

  test('that is to see little of few packs reads one of them', () =>
    inWorld(async (world, packs) => {
      const { looked, read } = await look(world, { share: 0.000001 });
      assert.deepEqual([looked, read.length], [packs, 1]);
    }));

  test('tells of every backup that is made of what it found, and does not read again what is known', () =>
    inWorld(async (world, packs) => {
      const [first = '', second = ''] = packs;
      await spoil(world, first);
      await spoil(world, second);
      const found = async (given: Partial<VerifyOrder>) => {
        const { damage, read } = await look(world, { others: ['b'], ...given });
        assert.ok(!read.includes(given.damaged?.[0] ?? 'none'));
        return damage.map(({ backupId, pack, ranges }) => [backupId, pack, ranges.map(({ at }) => at / MIB)]);
      };
      const wanted = [
        ['a', first, [0]],
        ['a', second, [2]],
        ['b', first, [1]],
        ['b', second, [2]],
      ];
      assert.deepEqual((await found({})).sort(), wanted);
      assert.deepEqual((await found({ damaged: [first] })).sort(), wanted);
      assert.deepEqual((await found({ after: second, damaged: [first, second] })).sort(), wanted);
    }));

  test('of a backup that is not there goes on with the others', () =>
    inWorld(async (world, packs) => {
      const { damage, looked } = await look(world, { backupIds: ['gone', 'a'] });
      assert.deepEqual(
        damage.map(({ backupId, pack }) => [backupId, pack]),
        [['gone', null]],
      );
      assert.deepEqual(looked, packs);
    }));
});
