/** Backups that Cinder's own posix driver has made, restored by the process that restores, and found by a list of their store. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { cinderStoreAt } from '../../src/backups/cinder/cinder-store.ts';
import { describeCinder, listCinder } from '../../src/backups/cinder/list-cinder.ts';
import { restoreCinder } from '../../src/backups/cinder/restore-cinder.ts';
import { makeBackups } from '../../src/backups/make-backups.ts';
import { CommandMissing, exec } from '../../src/lib/exec.ts';
import { scratchDirectory } from '../scratch.ts';
import { NEVER } from './backup-world.ts';

const NODE_COMPILE_CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'pumice');
const KIB = 1024;
const BYTES = 64 * KIB;
const backups = makeBackups({
  exec: (argv, options) => exec(argv, { ...options, environment: { ...options.environment, NODE_COMPILE_CACHE } }),
});

interface Made {
  readonly id: string;
  readonly container: string;
  readonly prefix: string;
  readonly sha256: string;
}
const { backups: chain, files } = JSON.parse(readFileSync(join(import.meta.dirname, 'cinder', 'chain.json'), 'utf8'))
  .zstd as { readonly backups: readonly Made[]; readonly files: Readonly<Record<string, string>> };

async function inStore(body: (path: string) => Promise<void>): Promise<void> {
  const path = mkdtempSync(join(scratchDirectory(), `pumice-cinder-${process.pid}-`));
  try {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(path, name)), { recursive: true });
      await writeFile(join(path, name), Buffer.from(text, 'base64'));
    }
    await body(path);
  } finally {
    rmSync(path, { recursive: true });
  }
}

const metadataOf = ({ container, prefix }: Made): string => `${container}/${prefix}_metadata`;

async function restored(path: string, backup: Made, isEmpty: boolean): Promise<Buffer> {
  const file = join(path, 'target');
  await writeFile(file, isEmpty ? Buffer.alloc(2 * BYTES) : randomBytes(2 * BYTES));
  const target = { uri: `file:${file}`, bytes: 2 * BYTES, isEmpty };
  const place = { store: { kind: 'directory', path }, name: metadataOf(backup) } as const;
  const done: number[] = [];
  const watch = {
    signal: NEVER,
    progress: () => {},
    waiting: () => {},
    done: (bytes: number) => void done.push(bytes),
  };
  await backups.restoreCinder({ place, target, patienceMs: 0 }, watch);
  assert.equal(done.at(-1), 2 * BYTES);
  return readFile(file);
}

describe('a backup of a real Cinder', () => {
  for (const isEmpty of [true, false])
    test(`is restored with zeroes behind it into a volume that ${isEmpty ? 'is new' : 'held something'}, each of a chain`, () =>
      inStore(async (path) => {
        for (const backup of chain) {
          const found = await restored(path, backup, isEmpty);
          assert.equal(createHash('sha256').update(found.subarray(0, BYTES)).digest('hex'), backup.sha256);
          assert.ok(found.subarray(BYTES).equals(Buffer.alloc(BYTES)));
        }
      }));

  test('is restored with all its zeroes where blocks cannot be given back', () =>
    inStore(async (path) => {
      const file = join(path, 'target');
      await writeFile(file, randomBytes(2 * BYTES));
      const third = chain[2] ?? assert.fail('There are three.');
      const order = {
        place: { store: { kind: 'directory', path }, name: metadataOf(third) } as const,
        target: { uri: `file:${file}`, bytes: 2 * BYTES, isEmpty: false },
        patienceMs: 0,
      };
      const watch = { signal: NEVER, progress: () => {}, waiting: () => {}, done: () => {} };
      await restoreCinder(await cinderStoreAt(order.place.store), order, watch, async () => {
        throw new CommandMissing('There is no fallocate.');
      });
      const found = await readFile(file);
      assert.equal(createHash('sha256').update(found.subarray(0, BYTES)).digest('hex'), third.sha256);
      assert.ok(found.subarray(BYTES).equals(Buffer.alloc(BYTES)));
    }));

  test('fails to be restored when an object is not what it was', () =>
    inStore(async (path) => {
      const [full] = chain as [Made];
      const object = join(path, full.container, `${full.prefix}-00001`);
      const bytes = await readFile(object);
      bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
      await writeFile(object, bytes);
      await assert.rejects(restored(path, full, true), { name: 'BackupDamaged' });
    }));

  test('is found in a list of its store, and says what it is', () =>
    inStore(async (path) => {
      const store = await cinderStoreAt({ kind: 'directory', path });
      const names = await listCinder(store, NEVER);
      assert.deepEqual(names, chain.map(metadataOf).sort());
      const says = await Promise.all(chain.map((each) => describeCinder(store, metadataOf(each), NEVER)));
      assert.deepEqual(
        says.map((each) => [each?.backupId, each?.parentId, each?.bytes]),
        chain.map(({ id }, index) => [id, chain[index - 1]?.id ?? null, BYTES]),
      );
      assert.match(says[0]?.createdAt ?? '', /^2026-11-\d\dT00:00:00\.000000$/);
      assert.equal(await describeCinder(store, 'elsewhere', NEVER), null);
    }));
});
