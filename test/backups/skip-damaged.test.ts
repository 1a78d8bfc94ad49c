/** A restore of what can be read: the rest is zeroes, whatever was there, and it is told which bytes these are. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { RestoreOutcome } from '../../src/backups/backups.ts';
import type { Manifest } from '../../src/backups/format/manifest.ts';
import type { RecordRef } from '../../src/backups/format/record.ts';
import { readSegment } from '../../src/backups/read.ts';
import { restore } from '../../src/backups/restore/restore.ts';
import { openScope } from '../../src/backups/scope.ts';
import { CommandMissing, type Exec, exec } from '../../src/lib/exec.ts';
import { BackupDamaged, BackupMissing } from '../../src/model/errors.ts';
import { type BackupWorld, backUp, backupWorld, MIB, NEVER, SCOPE } from './backup-world.ts';

const CHUNKS = 8;
const BYTES = CHUNKS * MIB;
const cannotPunch: Exec = (argv, options) => {
  if (argv.includes('fallocate')) throw new CommandMissing('There is no fallocate.');
  return exec(argv, options);
};

interface Damaged extends BackupWorld {
  readonly content: Buffer;
  readonly manifest: Manifest;
  packPath(name: string): string;
  /** Into a volume that held something, with or without what gives its blocks back. */
  restored(how: { readonly skipsDamaged: boolean; readonly run?: Exec }): Promise<readonly [RestoreOutcome, Buffer]>;
}

/** A backup of noise but for its third MiB, in packs of 2 MiB. */
async function inWorld(body: (world: Damaged) => Promise<void>): Promise<void> {
  const world = await backupWorld(2 * MIB + 4096);
  try {
    const content = randomBytes(BYTES);
    content.fill(0, 2 * MIB, 3 * MIB);
    const file = await world.file('v', BYTES, [[0, content]]);
    const { manifest } = await backUp(world, 'a', { file, bytes: BYTES });
    await body({
      ...world,
      content,
      manifest,
      packPath: (name) => join(world.storePath, 'scopes', SCOPE, 'packs', name),
      restored: async ({ skipsDamaged, run = exec }) => {
        const path = await world.file('target', BYTES + MIB, [[0, randomBytes(BYTES + MIB)]]);
        const target = { uri: `file:${path}`, bytes: BYTES + MIB, isEmpty: false };
        const order = { place: world.place('a'), target, doneBytes: 0, skipsDamaged, patienceMs: 0 };
        const watch = { signal: NEVER, progress: () => {}, waiting: () => {}, done: () => {} };
        const scope = await openScope(order.place, world.store, NEVER);
        return [await restore(scope, order, watch, run), await readFile(path)];
      },
    });
  } finally {
    await world.remove();
  }
}

async function recordOf(world: Damaged, place: number): Promise<RecordRef> {
  const scope = await openScope(world.place('a'), world.store, NEVER);
  return (await readSegment(scope, world.manifest, 0, NEVER))[place] as RecordRef;
}

async function spoil(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] as number) ^ 0x10;
  await writeFile(path, bytes);
}

describe('a restore that leaves out what is damaged', () => {
  for (const [how, run] of [
    ['whose blocks can be given back', exec],
    ['whose blocks cannot', cannotPunch],
  ] as const)
    test(`has zeroes in its place in a volume ${how}, and tells which bytes, neighbours in one`, () =>
      inWorld(async (world) => {
        for (const place of [1, 4, 5, 7]) {
          const { pack, at } = await recordOf(world, place);
          await spoil(world.packPath(pack), at + 100);
        }
        await assert.rejects(world.restored({ skipsDamaged: false, run }), BackupDamaged);
        const [outcome, found] = await world.restored({ skipsDamaged: true, run });
        const range = (first: number, count: number) => ({ at: first * MIB, bytes: count * MIB });
        assert.deepEqual(outcome, { missingBytes: 4 * MIB, missing: [range(1, 1), range(4, 2), range(7, 1)] });
        const expected = Buffer.concat([world.content, Buffer.alloc(MIB)]);
        for (const { at, bytes } of outcome.missing) expected.fill(0, at, at + bytes);
        assert.ok(found.equals(expected));
      }));

  test('does so of packs that are gone, and of a table that nobody can read', () =>
    inWorld(async (world) => {
      const { pack } = await recordOf(world, 0);
      await rm(world.packPath(pack));
      const [outcome] = await world.restored({ skipsDamaged: true });
      assert.ok(outcome.missing[0]?.at === 0 && outcome.missingBytes < BYTES);
      const { record } = world.manifest.segments[0] ?? assert.fail('There is a table.');
      await spoil(world.packPath(record.pack), record.at + 10);
      await assert.rejects(world.restored({ skipsDamaged: false }), BackupDamaged);
      const [all, found] = await world.restored({ skipsDamaged: true, run: cannotPunch });
      assert.deepEqual(all, { missingBytes: BYTES, missing: [{ at: 0, bytes: BYTES }] });
      assert.ok(found.equals(Buffer.alloc(BYTES + MIB)));
    }));

  test('leaves nothing out of what is whole, and fails where there is no manifest', () =>
    inWorld(async (world) => {
      const [outcome, found] = await world.restored({ skipsDamaged: true });
      assert.deepEqual(outcome, { missingBytes: 0, missing: [] });
      assert.ok(found.subarray(0, BYTES).equals(world.content));
      await rm(join(world.storePath, 'scopes', SCOPE, 'manifests', 'a'));
      await assert.rejects(world.restored({ skipsDamaged: true }), BackupMissing);
    }));
});
