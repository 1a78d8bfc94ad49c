/** What a restore writes, where it goes on, and what is found of damage, by it and by a look at the whole backup. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFile, open, readFile, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { BackupDamage, VerifyOrder, VerifyWatch } from '../../src/backups/backups.ts';
import type { Manifest } from '../../src/backups/format/manifest.ts';
import { isPaged, type PagedChunk } from '../../src/backups/format/segment.ts';
import { readSegment } from '../../src/backups/read.ts';
import { readChunks } from '../../src/backups/restore/chunk-reader.ts';
import { contentOfBackup } from '../../src/backups/restore/content.ts';
import { restore } from '../../src/backups/restore/restore.ts';
import { openScope } from '../../src/backups/scope.ts';
import type { BackupStore } from '../../src/backups/stores/store.ts';
import { verify } from '../../src/backups/verify.ts';
import { CommandFailed, type Exec, exec } from '../../src/lib/exec.ts';
import { BackupDamaged, BackupFailed, BackupMissing } from '../../src/model/errors.ts';
import { type BackupWorld, backUp, backupWorld, MIB, NEVER, SCOPE } from './backup-world.ts';

const KIB = 1024;

/** Of 9 MiB: data with holes of 64 KiB in it, pages over it, and a chunk that is there twice. */
interface Restorable extends BackupWorld {
  readonly volume: string;
  readonly bytes: number;
  readonly manifest: Manifest;
}

async function inWorld(body: (world: Restorable) => Promise<void>): Promise<void> {
  const world = await backupWorld(2 * MIB);
  try {
    const bytes = 9 * MIB;
    const twice = randomBytes(MIB);
    const writes: [number, Buffer][] = [
      [0, twice],
      [MIB + 128 * KIB, randomBytes(100 * KIB)],
      [4 * MIB, Buffer.alloc(2 * MIB, 'a text ')],
      [7 * MIB, twice],
    ];
    const base = await world.file('base', bytes, writes);
    const file = await world.file('v', bytes, [...writes, [4 * MIB + 5000, randomBytes(9000)], [8 * MIB, twice]]);
    await backUp(world, 'a', { file: base, bytes });
    const { manifest } = await backUp(world, 'b', { file, base, bytes, parentId: 'a' });
    await body({ ...world, volume: file, bytes, manifest });
  } finally {
    await world.remove();
  }
}

interface Restored {
  readonly told: readonly number[];
}

async function restoreTo(
  world: Restorable,
  target: string,
  { isEmpty = false, doneBytes = 0, backupId = 'b', run = exec as Exec } = {},
): Promise<Restored> {
  const told: number[] = [];
  const place = world.place(backupId);
  const { size } = await stat(target);
  const watch = {
    signal: NEVER,
    progress: () => {},
    waiting: () => {},
    done: (bytes: number) => void told.push(bytes),
  };
  const order = { place, target: { uri: `file:${target}`, bytes: size, isEmpty }, doneBytes, patienceMs: 0 };
  await restore(await openScope(place, world.store, NEVER), order, watch, run);
  return { told };
}

const allocated = async (file: string): Promise<number> => (await stat(file)).blocks * 512;

async function flip(file: string, at: number): Promise<void> {
  const handle = await open(file, 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, at);
  byte[0] = (byte[0] as number) ^ 0x10;
  await handle.write(byte, 0, 1, at);
  await handle.close();
}

describe('a restore', () => {
  test('into a new volume gives the same bytes, and takes no more room than what is not zero', () =>
    inWorld(async (world) => {
      const target = await world.file('target', world.bytes, []);
      const { told } = await restoreTo(world, target, { isEmpty: true });
      assert.ok((await readFile(target)).equals(await readFile(world.volume)));
      assert.ok((await allocated(target)) <= (await allocated(world.volume)) + 64 * KIB);
      assert.equal(told.at(-1), world.bytes);
    }));

  test('into a volume with content gives the same bytes, zeroes behind them, and gives back what is zero', () =>
    inWorld(async (world) => {
      const target = await world.file('target', 12 * MIB, [[0, randomBytes(12 * MIB)]]);
      const started: string[] = [];
      const run: Exec = (argv, options) => {
        started.push(argv.slice(0, 4).join(' '));
        return exec(argv, options);
      };
      await restoreTo(world, target, { run });
      assert.deepEqual(started, ['setpriv --pdeathsig KILL fallocate']);
      const expected = Buffer.concat([await readFile(world.volume), Buffer.alloc(3 * MIB)]);
      assert.ok((await readFile(target)).equals(expected));
      assert.ok((await allocated(target)) < 7 * MIB);
    }));

  test('writes all zeroes where blocks cannot be given back', () =>
    inWorld(async (world) => {
      const target = await world.file('target', 12 * MIB, [[0, randomBytes(12 * MIB)]]);
      const cannot: Exec = async (argv) => {
        throw new CommandFailed(argv, 1, 'fallocate: fallocate failed: Operation not supported', false);
      };
      await restoreTo(world, target, { run: cannot });
      const expected = Buffer.concat([await readFile(world.volume), Buffer.alloc(3 * MIB)]);
      assert.ok((await readFile(target)).equals(expected));
    }));

  test('goes on where an earlier one was done, and touches nothing before', () =>
    inWorld(async (world) => {
      const mark = Buffer.alloc(2 * MIB, 'mark');
      const target = await world.file('target', world.bytes, [
        [0, mark],
        [3 * MIB, randomBytes(6 * MIB)],
      ]);
      await restoreTo(world, target, { doneBytes: 2 * MIB });
      const [restored, source] = [await readFile(target), await readFile(world.volume)];
      assert.ok(restored.subarray(0, 2 * MIB).equals(mark));
      assert.ok(restored.subarray(2 * MIB).equals(source.subarray(2 * MIB)));
      await restoreTo(world, target, { doneBytes: world.bytes });
      assert.ok((await readFile(target)).equals(restored));
    }));

  test('of an older backup is not disturbed by what was deleted since', () =>
    inWorld(async (world) => {
      const base = join(world.path, 'base');
      await rm(join(world.storePath, 'scopes', SCOPE, 'manifests', 'b'));
      const target = await world.file('target', world.bytes, []);
      await restoreTo(world, target, { isEmpty: true, backupId: 'a' });
      assert.ok((await readFile(target)).equals(await readFile(base)));
      await assert.rejects(restoreTo(world, target), BackupMissing);
    }));

  test('into what is too small, or not there, fails before a byte is written', () =>
    inWorld(async (world) => {
      const mark = Buffer.alloc(8 * MIB, 'mark');
      const target = await world.file('target', 8 * MIB, [[0, mark]]);
      await assert.rejects(restoreTo(world, target), BackupFailed);
      assert.ok((await readFile(target)).equals(mark));
      await truncate(target, 9 * MIB);
      const order = { place: world.place('b'), doneBytes: 0, patienceMs: 0 };
      const watch = { signal: NEVER, progress: () => {}, waiting: () => {}, done: () => {} };
      const scope = await openScope(order.place, world.store, NEVER);
      for (const [uri, bytes] of [
        [`file:${target}`, 10 * MIB],
        [`file:${target}-not`, 9 * MIB],
        [`http:${target}`, 9 * MIB],
      ] as const) {
        const wrong = { ...order, target: { uri, bytes, isEmpty: false } };
        await assert.rejects(restore(scope, wrong, watch, exec), BackupFailed, uri);
      }
    }));

  test('reads what lies together by one call, and each record once', () =>
    inWorld(async (world) => {
      const scope = await openScope(world.place('b'), world.store, NEVER);
      const calls: string[] = [];
      const { store } = world;
      const get: BackupStore['get'] = (name, signal, range) => {
        calls.push(name.replace(/^scopes\/scope\//, ''));
        return store.get(name, signal, range);
      };
      const content = await contentOfBackup(
        { ...scope, store: Object.assign(Object.create(store), { get }) },
        'b',
        NEVER,
      );
      for await (const _ of content.read(NEVER));
      // The manifest, its segment, the pages of one chunk, and all chunks of two packs.
      assert.deepEqual(calls, ['manifests/b', 'packs/b/1-0', 'packs/b/1-0', 'packs/a/1-0', 'packs/a/1-1']);
    }));

  test('as a stream gives the same bytes', () =>
    inWorld(async (world) => {
      const scope = await openScope(world.place('b'), world.store, NEVER);
      const content = await contentOfBackup(scope, 'b', NEVER);
      const pieces: Buffer[] = [];
      for await (const piece of content.read(NEVER)) pieces.push(Buffer.from(piece));
      assert.equal(content.bytes, world.bytes);
      assert.ok(Buffer.concat(pieces).equals(await readFile(world.volume)));
    }));
});

const WATCH: VerifyWatch = { signal: NEVER, progress: () => {}, waiting: () => {}, looked: () => {} };

describe('damage of a backup', () => {
  const look = async (world: BackupWorld, depth: VerifyOrder['depth']): Promise<readonly BackupDamage[]> => {
    const place = world.place('b');
    const order = { place, backupIds: ['b'], depth, patienceMs: 0 };
    return (await verify(await openScope(place, world.store, NEVER), order, WATCH)).damage;
  };
  const pack = (world: BackupWorld, name: string): string => join(world.storePath, 'scopes', SCOPE, 'packs', name);

  test('is not seen where none is', () =>
    inWorld(async (world) => {
      for (const depth of ['present', 'packs', 'chunks'] as const) assert.deepEqual(await look(world, depth), []);
    }));

  test('of any one bit of a pack that the backup needs is found, and a restore fails or gives the right bytes', () =>
    inWorld(async (world) => {
      const target = await world.file('target', world.bytes, []);
      const source = await readFile(world.volume);
      for (const { name, bytes } of world.manifest.packs) {
        for (const at of [bytes - 1, Math.floor(Math.random() * bytes)]) {
          const file = pack(world, name);
          await copyFile(file, `${file}.kept`);
          await flip(file, at);
          const found = await look(world, 'packs');
          assert.deepEqual(
            found.map((damage) => damage.pack),
            [name],
          );
          const deeply = await look(world, 'chunks');
          assert.deepEqual(
            deeply.map((damage) => damage.pack),
            [name],
          );
          const restored = await restoreTo(world, target).then(
            () => true,
            (error: unknown) => {
              assert.ok(error instanceof BackupDamaged && error.message.includes(name), String(error));
              return false;
            },
          );
          if (restored) assert.ok((await readFile(target)).equals(source));
          else assert.notDeepEqual(deeply[0]?.ranges, []);
          await copyFile(`${file}.kept`, file);
          await rm(`${file}.kept`);
        }
      }
    }));

  test('is told with the part of the volume that it takes', () =>
    inWorld(async (world) => {
      const first = world.manifest.packs.find(({ name }) => name.startsWith('a/')) as { name: string };
      await flip(pack(world, first.name), 10);
      const at = (place: number, chunks = 1) => ({ at: place * MIB, bytes: chunks * MIB });
      const [damage] = await look(world, 'chunks');
      assert.deepEqual(damage?.ranges, [at(0), at(7, 2)]);
      await assert.rejects(
        restoreTo(world, await world.file('target', world.bytes, [])),
        /The chunk at 0 B is damaged in pack a\/1-0\. Restore an older backup, or a newer one\./,
      );
      await rm(pack(world, first.name));
      for (const depth of ['present', 'packs', 'chunks'] as const) {
        const [missing] = await look(world, depth);
        assert.equal(missing?.what, `Pack ${first.name} is not there.`);
        assert.ok(missing.ranges.some((range) => range.at === 0));
      }
    }));

  test('of what lies over a chunk is found, though each part of it is right', () =>
    inWorld(async (world) => {
      const scope = await openScope(world.place('b'), world.store, NEVER);
      const chunks = await readSegment(scope, world.manifest, 0, NEVER);
      const paged = chunks.flatMap((chunk, place) => (chunk !== null && isPaged(chunk) ? [{ place, chunk }] : []));
      assert.equal(paged.length, 1);
      const taken: number[] = [];
      const missed: number[] = [];
      const taker = {
        take: async (place: number) => void taken.push(place),
        miss: async (placed: readonly { readonly place: number }[]) =>
          void missed.push(...placed.map((each) => each.place)),
      };
      const [{ place, chunk } = { place: 0, chunk: {} as PagedChunk }] = paged;
      // The same pages, one further each; and one more than there are.
      for (const bitmap of [`${chunk.bitmap.slice(62)}${chunk.bitmap.slice(0, 62)}`, 'f'.repeat(64)])
        await readChunks(scope, [{ place, chunk: { ...chunk, bitmap } }], taker, NEVER);
      assert.deepEqual([taken, missed], [[], [place, place]]);
      await readChunks(scope, paged, taker, NEVER);
      assert.deepEqual(taken, [place]);
    }));

  test('of a pack that was cut is seen without reading it', () =>
    inWorld(async (world) => {
      const [{ name, bytes } = { name: '', bytes: 0 }] = world.manifest.packs;
      await truncate(pack(world, name), bytes - 1);
      const [damage] = await look(world, 'present');
      assert.equal(damage?.what, `Pack ${name} has ${bytes - 1} bytes in place of ${bytes}.`);
    }));

  test('of its manifest is found, and told as that', () =>
    inWorld(async (world) => {
      const manifest = join(world.storePath, 'scopes', SCOPE, 'manifests', 'b');
      const { size } = await stat(manifest);
      for (const at of [0, Math.floor(size / 2), size - 1]) {
        await flip(manifest, at);
        const [damage] = await look(world, 'present');
        assert.equal(damage?.pack, null);
        await assert.rejects(restoreTo(world, await world.file('target', world.bytes, [])), BackupDamaged);
        await flip(manifest, at);
      }
      assert.deepEqual(await look(world, 'chunks'), []);
      await rm(manifest);
      assert.equal((await look(world, 'present'))[0]?.pack, null);
    }));
});
