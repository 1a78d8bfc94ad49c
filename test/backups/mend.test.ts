/** Damage that is found, stored again by the next backup, and mended in the backups before it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { BackupManifest } from '../../src/backups/backups.ts';
import type { Manifest } from '../../src/backups/format/manifest.ts';
import { mend } from '../../src/backups/mend.ts';
import { openScope } from '../../src/backups/scope.ts';
import { verify } from '../../src/backups/verify.ts';
import { type BackupWorld, backUp, backupWorld, MIB, NEVER, SCOPE } from './backup-world.ts';
import { packsThere, readPlainly } from './plain-reader.ts';

const BYTES = 8 * MIB;
const KEY = { id: 'k', hex: 'ab'.repeat(32) };

interface Mended extends BackupWorld {
  readonly volume: string;
  /** Of `a`, which is all of the volume. */
  readonly manifest: Manifest;
}

async function inWorld(body: (world: Mended) => Promise<void>, keys = [] as (typeof KEY)[]): Promise<void> {
  const world = await backupWorld(2 * MIB, keys);
  try {
    const volume = await world.file('v', BYTES, [[0, randomBytes(7 * MIB)]]);
    const { manifest } = await backUp(world, 'a', { file: volume, bytes: BYTES });
    await body({ ...world, volume, manifest });
  } finally {
    await world.remove();
  }
}

/** In a fresh world each. */
async function forEachPack(body: (world: Mended, pack: string) => Promise<void>): Promise<void> {
  let packs = 1;
  for (let number = 0; number < packs; number += 1)
    await inWorld(async (world) => {
      packs = world.manifest.packs.length;
      await body(world, world.manifest.packs[number]?.name as string);
    });
}

const fileOf = (world: BackupWorld, pack: string): string => join(world.storePath, 'scopes', SCOPE, 'packs', pack);

async function flip(file: string, at: (size: number) => number): Promise<void> {
  const handle = await open(file, 'r+');
  const place = at((await handle.stat()).size);
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, place);
  await handle.write(Buffer.from([(buffer[0] as number) ^ 0x10]), 0, 1, place);
  await handle.close();
}

/** Names of damaged packs, by a look at all of the backup. */
async function damagedIn(world: Mended, backupId: string): Promise<string[]> {
  const place = world.place(backupId);
  const order = { place, backupIds: [backupId], depth: 'packs', patienceMs: 0 } as const;
  const watch = { signal: NEVER, progress: () => {}, waiting: () => {}, looked: () => {} };
  const { damage } = await verify(await openScope(place, world.store, NEVER), order, watch);
  return damage.map(({ pack }) => pack ?? 'the manifest');
}

interface Asked {
  readonly sources?: readonly string[];
  keep?(packs: readonly string[]): Promise<void>;
}

let count = 0;
async function mendA(world: Mended, damaged: readonly string[], { sources = ['b'], keep }: Asked = {}) {
  count += 1;
  const place = world.place('a');
  const order = { place, sources, damaged, name: `mended-${count}`, attempt: 1 };
  return mend(await openScope(place, world.store, NEVER), order, keep ?? (async () => {}), NEVER);
}

const packsOf = ({ packs }: BackupManifest): string[] => packs.map(({ name }) => name);

async function isWhole(world: Mended, backupId: string, content: Buffer): Promise<void> {
  assert.deepEqual(await damagedIn(world, backupId), []);
  assert.ok(readPlainly(world.storePath, SCOPE, backupId).bytes.equals(content));
}

describe('a damaged backup', () => {
  const places = [
    ['the first record', (size: number) => Math.min(10, size - 1)],
    ['the middle', (size: number) => Math.floor(size / 2)],
    ['the trailer', (size: number) => size - 60],
    ['the last byte', (size: number) => size - 1],
  ] as const;
  for (const [what, at] of places) {
    test(`with a bit changed in ${what} of any pack is found, and mended by the next increment`, () =>
      forEachPack(async (world, name) => {
        const content = await readFile(world.volume);
        await flip(fileOf(world, name), at);
        assert.deepEqual(await damagedIn(world, 'a'), [name]);
        await backUp(world, 'b', { file: world.volume, bytes: BYTES, parentId: 'a', damaged: [name] });
        const mended = await mendA(world, [name]);
        assert.equal(mended.root, world.manifest.root);
        assert.ok(!packsOf(mended).includes(name));
        await rm(fileOf(world, name));
        for (const backupId of ['a', 'b']) await isWhole(world, backupId, content);
      }));
  }

  test('is mended of another full one, in an encrypted scope too', () =>
    inWorld(
      async (world) => {
        await backUp(world, 'b', { file: world.volume, bytes: BYTES });
        const damaged = packsOf(world.manifest);
        for (const pack of damaged) await rm(fileOf(world, pack));
        const mended = await mendA(world, damaged, { sources: ['gone', 'b'] });
        assert.equal(mended.root, world.manifest.root);
        assert.deepEqual(await damagedIn(world, 'a'), []);
      },
      [KEY],
    ));

  test('is mended as far as others hold the same, and what it holds stays the same', () =>
    inWorld(async (world) => {
      const content = await readFile(world.volume);
      const damaged = packsOf(world.manifest).filter((name) => name !== world.manifest.segments[0]?.record.pack);
      const other = await world.file('w', BYTES, [
        [0, content],
        [0, randomBytes(MIB)],
      ]);
      await backUp(world, 'b', { file: other, bytes: BYTES, parentId: 'a', damaged });
      const mended = await mendA(world, damaged);
      assert.equal(mended.root, world.manifest.root);
      // The first MiB is another now.
      const left = packsOf(mended).filter((name) => damaged.includes(name));
      assert.equal(left.length, 1);
      for (const pack of damaged) if (!left.includes(pack)) await rm(fileOf(world, pack));
      await isWhole(world, 'a', content);
      await isWhole(world, 'b', await readFile(other));
    }));

  test('whose table cannot be read is mended of one that holds all the same, and of no other', () =>
    inWorld(async (world) => {
      const content = await readFile(world.volume);
      const table = world.manifest.segments[0]?.record.pack as string;
      await flip(fileOf(world, table), (size) => size - 2000);
      await rm(fileOf(world, table));
      const other = await world.file('w', BYTES, [
        [0, content],
        [7 * MIB, randomBytes(4096)],
      ]);
      await backUp(world, 'b', { file: other, bytes: BYTES, parentId: 'a', damaged: [table] });
      const before = packsThere(world.storePath, SCOPE);
      assert.deepEqual(packsOf(await mendA(world, [table])), packsOf(world.manifest));
      assert.deepEqual(packsThere(world.storePath, SCOPE), before, 'nothing was written');
      await backUp(world, 'c', { file: world.volume, bytes: BYTES, parentId: 'a', damaged: [table] });
      await mendA(world, [table], { sources: ['b', 'c'] });
      await isWhole(world, 'a', content);
    }));

  test('tells what it will be made of before its manifest says so, and stays what it is when that may not be', () =>
    inWorld(async (world) => {
      const damaged = packsOf(world.manifest).slice(0, 1);
      await backUp(world, 'b', { file: world.volume, bytes: BYTES, parentId: 'a', damaged });
      const there = readPlainly(world.storePath, SCOPE, 'a').packs;
      let told: readonly string[] = [];
      const keep = async (packs: readonly string[]): Promise<void> => {
        assert.deepEqual(readPlainly(world.storePath, SCOPE, 'a').packs, there);
        told = packs;
        throw new Error('It may not be.');
      };
      await assert.rejects(mendA(world, damaged, { keep }), /It may not be/);
      assert.deepEqual(readPlainly(world.storePath, SCOPE, 'a').packs, there);
      const mended = await mendA(world, damaged);
      const isTable = (pack: string): boolean => pack.startsWith('mended-');
      assert.deepEqual(
        told.filter((pack) => !isTable(pack)),
        packsOf(mended).filter((pack) => !isTable(pack)),
      );
    }));
});
