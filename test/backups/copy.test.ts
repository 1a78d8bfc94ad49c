/** What a copy stores, and how it finds out: full, by digests, by a map of changes, with pages over a base. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFile, open, readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import type { Bite } from '../../src/backups/backups.ts';
import { SEGMENT_CHUNKS } from '../../src/backups/format/segment.ts';
import { deleteUnrecorded } from '../../src/backups/remove.ts';
import { BackupFailed, BackupMissing } from '../../src/model/errors.ts';
import { attemptCopy, type BackupWorld, backUp, backupWorld, finish, MIB, NEVER, SCOPE } from './backup-world.ts';
import { Died, dyingStore } from './dying-store.ts';
import { packsThere, readPlainly } from './plain-reader.ts';

const text = (bytes: number, word: string): Buffer => Buffer.alloc(bytes, `${word} and more of it `);

async function inWorld(body: (world: BackupWorld) => Promise<void>, packBytes?: number): Promise<void> {
  const world = await backupWorld(packBytes);
  try {
    await body(world);
  } finally {
    await world.remove();
  }
}

async function write(file: string, at: number, data: Buffer): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.write(data, 0, data.length, at);
  await handle.close();
}

async function assertHolds(world: BackupWorld, backupId: string, file: string) {
  const backup = readPlainly(world.storePath, SCOPE, backupId);
  assert.ok(backup.bytes.equals(await readFile(file)), `${backupId} holds what ${file} holds`);
  return backup;
}

describe('a copy', () => {
  test('of a volume stores its data once, and no zeroes', () =>
    inWorld(async (world) => {
      const noise = randomBytes(MIB);
      const bytes = 12 * MIB;
      const file = await world.file('v', bytes, [
        [0, noise],
        [3 * MIB + 5, text(MIB, 'one')],
        [6 * MIB, Buffer.alloc(MIB)],
        [9 * MIB, noise],
      ]);
      const { outcome, bites } = await backUp(world, 'a', { file, bytes });
      const { chunks, packs } = await assertHolds(world, 'a', file);
      assert.deepEqual(chunks, { zero: 8, whole: 4, paged: 0 });
      assert.deepEqual(packsThere(world.storePath, SCOPE), packs);
      assert.equal(outcome.way, 'full');
      assert.equal(outcome.readBytes, 5 * MIB);
      assert.equal(outcome.storedBytes, bites[0]?.bytes);
      assert.ok(outcome.storedBytes < 1.1 * MIB, 'the noise once');
    }));

  test('of a volume without data stores nothing', () =>
    inWorld(async (world) => {
      const bytes = 5 * MIB;
      const file = await world.file('v', bytes, []);
      const { bites } = await backUp(world, 'a', { file, bytes });
      assert.deepEqual(bites, []);
      await assertHolds(world, 'a', file);
    }));

  test('goes over many packs, each with what came with it', () =>
    inWorld(async (world) => {
      const bytes = 13 * MIB;
      const file = await world.file('v', bytes, [[2 * MIB, randomBytes(9 * MIB)]]);
      const { bites } = await backUp(world, 'a', { file, bytes });
      assert.deepEqual(
        bites.map(({ pack, first, chunks }) => [pack, first, chunks]),
        [
          ['a/1-0', 0, 6],
          ['a/1-1', 6, 4],
          ['a/1-2', 10, 3],
        ],
      );
      await assertHolds(world, 'a', file);
    }));

  for (const way of ['digests', 'map'] as const) {
    test(`with a parent stores what is other than there, by ${way}`, () =>
      inWorld(async (world) => {
        const bytes = 10 * MIB;
        const file = await world.file('v', bytes, [[0, randomBytes(8 * MIB)]]);
        const first = await backUp(world, 'a', { file, bytes });
        const writes = [
          [MIB, randomBytes(MIB)],
          [3 * MIB, Buffer.alloc(MIB)],
          [9 * MIB, text(MIB, 'new')],
        ] as const;
        for (const [at, data] of writes) await write(file, at, data);
        const changed = way === 'map' ? writes.map(([at, data]) => ({ at, bytes: data.length })) : null;
        const { outcome, manifest } = await backUp(world, 'b', { file, bytes, parentId: 'a', changed });
        assert.equal(outcome.way, way);
        // The zeroes are no hole, so they are read.
        assert.equal(outcome.readBytes, (way === 'map' ? 3 : 9) * MIB);
        assert.ok(outcome.storedBytes < 1.1 * MIB);
        await assertHolds(world, 'b', file);
        assert.notEqual(manifest.root, first.manifest.root);
      }));
  }

  test('of what has not changed stores nothing, and is the same volume', () =>
    inWorld(async (world) => {
      const bytes = 4 * MIB;
      const noise = randomBytes(MIB);
      const file = await world.file('v', bytes, [
        [0, noise],
        [2 * MIB, noise],
      ]);
      const { manifest } = await backUp(world, 'a', { file, bytes });
      for (const [id, changed] of [
        ['b', null],
        ['c', []],
      ] as const) {
        const again = await backUp(world, id, { file, bytes, parentId: 'a', changed });
        assert.deepEqual(again.bites, []);
        assert.equal(again.outcome.readBytes, changed === null ? 2 * MIB : 0);
        assert.equal(again.manifest.root, manifest.root);
        await assertHolds(world, id, file);
      }
    }));

  test('believes what is told to have changed also when the base has been dropped meanwhile', () =>
    inWorld(async (world) => {
      const bytes = 4 * MIB;
      const file = await world.file('v', bytes, [[0, randomBytes(3 * MIB)]]);
      await backUp(world, 'a', { file, bytes });
      await write(file, MIB + 77, randomBytes(100));
      const changed = [{ at: MIB, bytes: 4096 }];
      const { outcome } = await backUp(world, 'b', { file, bytes, parentId: 'a', changed, base: `${file}-gone` });
      assert.deepEqual([outcome.way, outcome.readBytes], ['map', MIB]);
      const { chunks } = await assertHolds(world, 'b', file);
      assert.equal(chunks.paged, 0);
    }));

  for (const way of ['map', 'digests'] as const)
    test(`with a base stores pages, over the same record each time, until half of them are others, by ${way}`, () =>
      inWorld(async (world) => {
        const bytes = 3 * MIB;
        const file = await world.file('v', bytes, [[0, randomBytes(2 * MIB)]]);
        await backUp(world, 'p0', { file, bytes });
        const ways: string[] = [];
        const stored: number[] = [];
        for (let round = 1; round <= 5; round += 1) {
          const base = `${file}-${round}`;
          await copyFile(file, base);
          for (let page = 0; page < 28; page += 1)
            await write(file, MIB + (page * 5 + round) * 4096 + 77, randomBytes(100));
          const { outcome } = await backUp(world, `p${round}`, {
            file,
            bytes,
            base,
            parentId: `p${round - 1}`,
            changed: way === 'map' ? [{ at: MIB, bytes: MIB }] : null,
          });
          const { chunks } = await assertHolds(world, `p${round}`, file);
          assert.equal(outcome.way, way);
          ways.push(chunks.paged === 1 ? 'pages' : 'whole');
          stored.push(Math.round(outcome.storedBytes / MIB / 0.11));
        }
        assert.deepEqual(ways, ['pages', 'pages', 'pages', 'pages', 'whole']);
        assert.deepEqual(stored, [1, 2, 3, 4, 9]);
      }));

  test('reads everything when what is said to be the same is not, or the base is another', () =>
    inWorld(async (world) => {
      const bytes = 4 * MIB;
      const file = await world.file('v', bytes, [[0, randomBytes(3 * MIB)]]);
      const base = await world.file('base', bytes, [[0, await readFile(file)]]);
      await backUp(world, 'a', { file, bytes });
      await write(base, MIB + 8192, randomBytes(10));
      await write(file, MIB + 100, randomBytes(10));
      const lies = { file, bytes, parentId: 'a' };
      const wrongBase = { ...lies, base, changed: [{ at: 0, bytes: 4 * MIB }] };
      for (const [id, wanted] of [
        [
          'b',
          {
            ...lies,
            changed: [
              { at: 0, bytes: 1 },
              { at: 2 * MIB, bytes: 2 * MIB },
            ],
          },
        ],
        ['c', wrongBase],
      ] as const) {
        const { outcome } = await backUp(world, id, wanted);
        assert.deepEqual([outcome.way, outcome.distrusted], ['digests', true], id);
        await assertHolds(world, id, file);
      }
      const { outcome } = await backUp(world, 'd', { ...wrongBase, changed: null });
      assert.deepEqual([outcome.way, outcome.distrusted], ['digests', false]);
      await assertHolds(world, 'd', file);
    }));

  test('looks at some of what is said to be the same, of a small volume at all of it', () =>
    inWorld(async (world) => {
      const bytes = 17 * MIB;
      const file = await world.file('v', bytes, [[0, randomBytes(bytes)]]);
      await backUp(world, 'a', { file, bytes });
      await write(file, 0, randomBytes(10));
      await write(file, 11 * MIB + 100, randomBytes(10));
      const { outcome } = await backUp(world, 'b', { file, bytes, parentId: 'a', changed: [{ at: 0, bytes: MIB }] });
      assert.deepEqual([outcome.way, outcome.distrusted], ['digests', true]);
      await assertHolds(world, 'b', file);
    }));

  test('that finds late what it cannot believe begins anew, and what it has stored counts no more', () =>
    inWorld(async (world) => {
      const bytes = 9 * MIB;
      const noise = randomBytes(9 * MIB);
      const file = await world.file('v', bytes, [[0, noise]]);
      const base = await world.file('base', bytes, [[0, noise]]);
      await backUp(world, 'a', { file, bytes });
      await write(file, 0, randomBytes(8 * MIB));
      await write(file, 8 * MIB + 9000, randomBytes(10));
      await write(base, 8 * MIB, randomBytes(10));
      const wanted = { file, bytes, base, parentId: 'a', changed: [{ at: 0, bytes }] };
      const { bites, manifest } = await backUp(world, 'b', wanted);
      assert.equal(bites.filter(({ first }) => first === 0).length, 2);
      assert.equal(new Set(bites.map(({ pack }) => pack)).size, bites.length);
      assert.ok(manifest.packs.length < bites.length);
      await assertHolds(world, 'b', file);
    }));

  test('goes on believing nothing when an attempt has found that it cannot', () =>
    inWorld(async (world) => {
      const bytes = 6 * MIB;
      const file = await world.file('v', bytes, [[0, randomBytes(6 * MIB)]]);
      await backUp(world, 'a', { file, bytes });
      await write(file, 0, randomBytes(6 * MIB));
      const wanted = { file, bytes, parentId: 'a', changed: [{ at: 0, bytes: MIB }] };
      const bites: Bite[] = [];
      await attemptCopy(world, 'b', wanted, bites);
      const recorded = bites.slice(0, 1);
      const outcome = await attemptCopy(world, 'b', { ...wanted, attempt: 2 }, recorded);
      assert.deepEqual([outcome.way, outcome.distrusted], ['digests', true]);
      await finish(world, 'b', wanted, recorded);
      await assertHolds(world, 'b', file);
    }));

  test('of a volume that has grown or shrunk takes what it can from the parent', () =>
    inWorld(async (world) => {
      const small = await world.file('small', 4 * MIB, [[0, randomBytes(4 * MIB)]]);
      const large = await world.file('large', 9 * MIB, [
        [0, await readFile(small)],
        [7 * MIB, randomBytes(MIB)],
      ]);
      await backUp(world, 'a', { file: small, bytes: 4 * MIB });
      for (const [id, changed] of [
        ['b', null],
        ['c', []],
      ] as const) {
        const grown = await backUp(world, id, { file: large, bytes: 9 * MIB, parentId: 'a', changed });
        assert.ok(grown.outcome.storedBytes < 1.1 * MIB);
        await assertHolds(world, id, large);
      }
      const blank = await world.file('blank', 9 * MIB, []);
      await backUp(world, 'blank', { file: blank, bytes: 9 * MIB, parentId: 'a' });
      await assertHolds(world, 'blank', blank);
      const shrunk = await backUp(world, 'd', { file: small, bytes: 4 * MIB, parentId: 'b' });
      assert.ok(shrunk.outcome.storedBytes < 0.1 * MIB);
      await assertHolds(world, 'd', small);
    }));

  test('of a large volume looks only at the segments that have something new', () =>
    inWorld(async (world) => {
      const bytes = 20 * SEGMENT_CHUNKS * MIB;
      const middle = 11 * SEGMENT_CHUNKS * MIB;
      const file = await world.file('v', bytes, [
        [middle - MIB, randomBytes(MIB)],
        [bytes - 10, randomBytes(10)],
      ]);
      const { manifest } = await backUp(world, 'a', { file, bytes });
      const stored = manifest.segments.flatMap((segment, index) => (segment === null ? [] : [index]));
      assert.deepEqual(stored, [10, 19]);
      await write(file, middle, randomBytes(10));
      await write(file, middle - MIB, Buffer.alloc(MIB));
      const changed = [{ at: middle - MIB, bytes: MIB + 10 }];
      const next = await backUp(world, 'b', { file, bytes, parentId: 'a', changed });
      assert.equal(next.manifest.segments[10], null);
      assert.notEqual(next.manifest.segments[11], null);
      assert.deepEqual(next.manifest.segments[19], manifest.segments[19]);
      const whole = await backUp(world, 'c', { file, bytes });
      assert.equal(whole.manifest.root, next.manifest.root);
    }));

  test('of what is not there, or of no parent, fails and says so', () =>
    inWorld(async (world) => {
      const bytes = 2 * MIB;
      const file = await world.file('v', bytes, [[0, randomBytes(MIB)]]);
      await assert.rejects(backUp(world, 'a', { file: `${file}-not`, bytes }), BackupFailed);
      await assert.rejects(backUp(world, 'a', { file, bytes: bytes + 1 }), BackupFailed);
      await assert.rejects(
        backUp(world, 'a', { file: await world.file('w', MIB, [[0, randomBytes(9)]]), bytes }),
        BackupFailed,
      );
      await assert.rejects(backUp(world, 'a', { file, bytes, parentId: 'none' }), BackupMissing);
      assert.deepEqual(packsThere(world.storePath, SCOPE), []);
    }));

  test('that dies before or after any put goes on where its bites end, and what nobody recorded is removed', () =>
    inWorld(async (world) => {
      const bytes = (SEGMENT_CHUNKS + 20) * MIB;
      const edge = SEGMENT_CHUNKS * MIB;
      const noise = randomBytes(4 * MIB);
      const parent = await world.file('parent', bytes, [[edge - 3 * MIB, noise]]);
      const file = await world.file('v', bytes, [
        [edge - 5 * MIB, randomBytes(3 * MIB)],
        [edge - MIB, noise],
        [edge + 4 * MIB, noise.subarray(0, MIB)],
      ]);
      const { manifest: first } = await backUp(world, 'parent', { file: parent, bytes });
      const { bites: whole, manifest } = await backUp(world, 'v', { file, bytes, parentId: 'parent' });
      assert.ok(whole.length >= 2);
      for (let after = 0; after < whole.length; after += 1) {
        for (const death of [0, 1, 2]) {
          const id = `${after}-${death}`;
          const bites: Bite[] = [];
          const wanted = { file, bytes, parentId: 'parent' };
          const dying = dyingStore(world.store, { after, isMade: death > 0 });
          await assert.rejects(attemptCopy(world, id, wanted, bites, dying), Died);
          // Told, and the one who was told died before it was recorded.
          if (death === 2) bites.pop();
          const done = bites.length;
          await attemptCopy(world, id, { ...wanted, attempt: 2 }, bites);
          assert.ok(bites.slice(done).every(({ pack }) => pack.startsWith(`${id}/2-`)));
          const again = await finish(world, id, wanted, bites);
          assert.equal(again.root, manifest.root, id);
          await deleteUnrecorded({ name: SCOPE, store: world.store }, id, 2, bites, NEVER);
          const kept = packsThere(world.storePath, SCOPE).filter((pack) => pack.startsWith(`${id}/`));
          const listed = again.packs.map(({ name }) => name).filter((pack) => pack.startsWith(`${id}/`));
          assert.deepEqual(kept.sort(), listed.sort());
          assert.ok(again.packs.every(({ name }) => kept.includes(name) || first.packs.some((p) => p.name === name)));
        }
      }
    }, 2 * MIB));
});
