/** An increment to a backup whose packs are damaged: what lies in them is stored again, so that it needs none of them. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { ByteRange, ListedPack } from '../../src/backups/backups.ts';
import { openScope } from '../../src/backups/scope.ts';
import { verify } from '../../src/backups/verify.ts';
import { attemptCopy, type BackupWorld, backUp, backupWorld, finish, MIB, NEVER, SCOPE } from './backup-world.ts';
import { dyingStore } from './dying-store.ts';
import { readPlainly } from './plain-reader.ts';

/** Of 8 MiB in packs of two, the last with the table of all; one MiB of it is zeroes. */
const BYTES = 8 * MIB;

interface Damaged extends BackupWorld {
  readonly volume: string;
  readonly packs: readonly string[];
}

async function inWorld(body: (world: Damaged) => Promise<void>): Promise<void> {
  const world = await backupWorld(2 * MIB);
  try {
    const volume = await world.file('v', BYTES, [
      [0, randomBytes(5 * MIB)],
      [6 * MIB, randomBytes(2 * MIB)],
    ]);
    const { manifest } = await backUp(world, 'a', { file: volume, bytes: BYTES });
    await body({ ...world, volume, packs: manifest.packs.map(({ name }) => name).sort() });
  } finally {
    await world.remove();
  }
}

const fileOf = (world: BackupWorld, pack: string): string => join(world.storePath, 'scopes', SCOPE, 'packs', pack);

/** All of it is other bytes. */
async function spoil(world: BackupWorld, pack: string): Promise<void> {
  const file = await open(fileOf(world, pack), 'r+');
  const { size } = await file.stat();
  await file.write(Buffer.alloc(size, 'spoilt'), 0, size, 0);
  await file.close();
}

async function change(volume: string, at: number): Promise<ByteRange> {
  const file = await open(volume, 'r+');
  await file.write(randomBytes(4096), 0, 4096, at);
  await file.close();
  return { at, bytes: 4096 };
}

/** It gives back what the volume holds, and is made of none of these. */
async function isWholeWithout(world: Damaged, listed: readonly ListedPack[], damaged: readonly string[]) {
  const names = listed.map(({ name }) => name);
  assert.deepEqual(
    names.filter((name) => damaged.includes(name)),
    [],
  );
  for (const pack of damaged) await rm(fileOf(world, pack), { force: true });
  const place = world.place('b');
  const order = { place, backupIds: ['b'], depth: 'chunks', patienceMs: 0 } as const;
  const watch = { signal: NEVER, progress: () => {}, waiting: () => {}, looked: () => {} };
  assert.deepEqual((await verify(await openScope(place, world.store, NEVER), order, watch)).damage, []);
  assert.ok(readPlainly(world.storePath, SCOPE, 'b').bytes.equals(await readFile(world.volume)));
}

describe('an increment to a damaged backup', () => {
  for (const way of ['a map', 'digests'] as const) {
    test(`by ${way} stores again what lies in the packs that are damaged, and nothing else`, () =>
      inWorld(async (world) => {
        for (const damaged of [...world.packs.map((pack) => [pack]), world.packs]) {
          const copy = await backupWorldOf(world);
          try {
            for (const pack of damaged) await spoil(copy, pack);
            const range = await change(copy.volume, 3 * MIB);
            const changed = way === 'a map' ? [range] : null;
            const wanted = { file: copy.volume, bytes: BYTES, parentId: 'a', changed, damaged };
            const { outcome, manifest } = await backUp(copy, 'b', wanted);
            assert.equal(outcome.distrusted, false);
            // What is changed, two MiB of a pack, and tables.
            if (damaged.length === 1 && damaged[0] !== world.packs.at(-1))
              assert.ok(outcome.storedBytes < 3.1 * MIB, `${outcome.storedBytes}`);
            await isWholeWithout(copy, manifest.packs, damaged);
          } finally {
            await copy.remove();
          }
        }
      }));
  }

  test('that dies after any pack goes on, and gives back the same', () =>
    inWorld(async (world) => {
      const damaged = world.packs;
      for (const pack of damaged) await spoil(world, pack);
      for (let after = 0; ; after += 1) {
        const bites: Parameters<typeof attemptCopy>[3] = [];
        const wanted = { file: world.volume, bytes: BYTES, parentId: 'a', changed: [], damaged };
        const store = dyingStore(world.store, { after, isMade: true });
        const died = await attemptCopy(world, 'b', wanted, bites, store).then(
          () => false,
          () => true,
        );
        await attemptCopy(world, 'b', { ...wanted, attempt: 2 }, bites);
        const { packs } = await finish(world, 'b', wanted, bites);
        const place = world.place('b');
        const scope = await openScope(place, world.store, NEVER);
        const order = { place, backupIds: ['b'], depth: 'chunks', patienceMs: 0 } as const;
        const watch = { signal: NEVER, progress: () => {}, waiting: () => {}, looked: () => {} };
        assert.deepEqual((await verify(scope, order, watch)).damage, []);
        assert.ok(readPlainly(world.storePath, SCOPE, 'b').bytes.equals(await readFile(world.volume)));
        assert.ok(packs.every(({ name }) => name.startsWith('b/')));
        if (!died) break;
        assert.ok(after < 20);
      }
    }));

  test('takes zeroes for zeroes where the table of the parent cannot be read', () =>
    inWorld(async (world) => {
      const zero = await world.file('zero', BYTES, []);
      const last = world.packs.at(-1) as string;
      await spoil(world, last);
      const { manifest } = await backUp(world, 'b', { file: zero, bytes: BYTES, parentId: 'a', damaged: [last] });
      assert.deepEqual(manifest.segments, [null]);
    }));
});

/** Another like it, to be spoilt. */
async function backupWorldOf(world: Damaged): Promise<Damaged> {
  const copy = await backupWorld(2 * MIB);
  const volume = await copy.file('v', BYTES, [[0, await readFile(world.volume)]]);
  const { manifest } = await backUp(copy, 'a', { file: volume, bytes: BYTES });
  return { ...copy, volume, packs: manifest.packs.map(({ name }) => name).sort() };
}
