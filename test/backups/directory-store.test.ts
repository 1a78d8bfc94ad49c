/** A directory as a store: the proof of all stores, and what only a directory can do wrong. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { STORE_FILE } from '../../src/backups/format/names.ts';
import { DirectoryStore } from '../../src/backups/stores/directory-store.ts';
import { BackupStoreFull, BackupStoreRefused } from '../../src/model/errors.ts';
import { cannotMount, mountFileSystem } from '../drivers/file/file-systems.ts';
import { proveStoreOfBackups } from './prove-store-of-backups.ts';

const NEVER = new AbortController().signal;
const PACK = 'scopes/s/packs/b/1-0';

async function world() {
  const path = await mkdtemp(join(tmpdir(), 'pumice-store-'));
  await writeFile(join(path, STORE_FILE), '{}');
  return {
    path,
    store: new DirectoryStore(path),
    other: new DirectoryStore(path),
    vanish: () => rename(path, `${path}-elsewhere`),
    remove: async () => {
      for (const each of [path, `${path}-elsewhere`]) await rm(each, { recursive: true, force: true });
    },
  };
}

proveStoreOfBackups('a directory', world);

describe('a directory of backups', () => {
  test('keeps nothing of a put that failed, and the directory of packs no longer than packs', async () => {
    const { store, path, remove } = await world();
    try {
      await store.put(PACK, Buffer.from('x'), NEVER);
      await writeFile(join(path, 'scopes/s/manifests'), 'in the way');
      await assert.rejects(store.put('scopes/s/manifests/b', Buffer.from('x'), NEVER));
      assert.deepEqual(await readdir(join(path, 'tmp')), []);
      await store.delete(PACK, NEVER);
      assert.deepEqual(await readdir(join(path, 'scopes/s/packs')), []);
    } finally {
      await remove();
    }
  });

  test('tidies up what a killed put left a day ago, and nothing else', async () => {
    const { store, path, remove } = await world();
    try {
      await store.put(PACK, Buffer.from('x'), NEVER);
      const [old, young] = [join(path, 'tmp/old'), join(path, 'tmp/young')];
      for (const each of [old, young]) await writeFile(each, 'half');
      const then = Date.now() / 1000 - 25 * 3600;
      for (const each of [old, join(path, PACK)]) await utimes(each, then, then);
      await store.tidy(NEVER);
      assert.deepEqual(await readdir(join(path, 'tmp')), ['young']);
      assert.equal((await stat(join(path, PACK))).size, 1);
    } finally {
      await remove();
    }
  });

  test('is not taken for the empty directory that is there while it is not mounted', async () => {
    const { store, path, vanish, remove } = await world();
    try {
      await store.put(PACK, Buffer.from('x'), NEVER);
      await vanish();
      await mkdir(path);
      for (const call of [
        () => store.put('scopes/s/packs/b/1-1', Buffer.from('x'), NEVER),
        () => store.putNew('scopes/s/scope.json', Buffer.from('x'), NEVER),
        () => store.get(PACK, NEVER),
        () => store.head(PACK, NEVER),
        () => store.delete(PACK, NEVER),
      ])
        await assert.rejects(call(), BackupStoreRefused);
      assert.deepEqual(await readdir(path), []);
    } finally {
      await remove();
    }
  });

  test('is never made by a put that it vanishes from under', async () => {
    const { store, path, vanish, remove } = await world();
    try {
      for (let round = 0; round < 100; round += 1) {
        const puts = Array.from({ length: 4 }, (_, n) =>
          store.put(`scopes/s${round}/packs/b${n}/1-0`, Buffer.from('x'), NEVER),
        );
        const ended = Promise.allSettled(puts);
        for (let turns = round % 10; turns > 0; turns -= 1) await new Promise(setImmediate);
        await vanish();
        await ended;
        assert.equal(existsSync(path), false, `in round ${round}`);
        await rename(`${path}-elsewhere`, path);
      }
    } finally {
      await remove();
    }
  });

  const why = cannotMount('ext4');
  test('on a disk that fills up says so, and keeps what it has', { skip: why ?? false }, async () => {
    const disk = mountFileSystem('ext4', 16);
    try {
      const store = new DirectoryStore(disk.path);
      await store.put(STORE_FILE, Buffer.from('{}'), NEVER);
      await store.put(PACK, Buffer.alloc(1024 ** 2, 'a'), NEVER);
      await assert.rejects(store.put('scopes/s/packs/b/1-1', Buffer.alloc(32 * 1024 ** 2), NEVER), BackupStoreFull);
      assert.equal(await store.head('scopes/s/packs/b/1-1', NEVER), null);
      assert.deepEqual(await readdir(join(disk.path, 'tmp')), []);
      assert.equal((await store.get(PACK, NEVER)).length, 1024 ** 2);
    } finally {
      disk.remove();
    }
  });
});
