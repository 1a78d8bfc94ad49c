/** Bases of backups on file systems that share blocks: they give their room to whoever finds none, before anybody is refused. */
import assert from 'node:assert/strict';
import { open, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { allBases, keepBase } from '../../../src/db/backup-bases.ts';
import { openDatabase } from '../../../src/db/database.ts';
import { FileDriver } from '../../../src/drivers/file/file-driver.ts';
import { ImageCache } from '../../../src/flows/volumes/image-cache.ts';
import { withRoom } from '../../../src/flows/volumes/with-room.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { exec } from '../../../src/lib/exec.ts';
import { BackendFull } from '../../../src/model/errors.ts';
import { freshSqlite } from '../../databases.ts';
import { makeVolume } from '../../db/rows.ts';
import { calm, kept, theVolume } from '../../drivers/driver-world.ts';
import { cannotMount, type Kind, mountFileSystem } from '../../drivers/file/file-systems.ts';

const POOL = 'node@file#file';
const MIB = 1024 ** 2;
const BYTES = 96 * MIB;

async function write(path: string, byte: string): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(Buffer.alloc(BYTES, byte), 0, BYTES, 0);
  await file.sync();
  await file.close();
}

for (const kind of ['xfs', 'btrfs'] as const satisfies readonly Kind[])
  describe(`a base of backups on ${kind}`, { skip: cannotMount(kind) ?? false }, () => {
    it('costs what its volume changes, and gives that to a copy that has no room', async (t) => {
      const disk = mountFileSystem(kind, 400);
      t.after(() => disk.remove());
      const fresh = await freshSqlite();
      const database = await openDatabase(fresh.url, { as: 'server' });
      t.after(async () => {
        await database.close();
        await fresh.remove();
      });
      const free = async (): Promise<number> => {
        await exec(['sync', '-f', disk.path], calm());
        const { bavail, bsize } = await statfs(disk.path);
        return bavail * bsize;
      };
      const driver = new FileDriver({ name: 'file', directory: join(disk.path, 'pool'), exec, create: true });
      await driver.start(calm().signal);
      const volume = await makeVolume(database, { host: POOL });
      await driver.createVolume(volume, calm());
      const path = driver.localPath(volume);
      await write(path, 'a');
      const backupId = uuid();
      const before = await free();
      await driver.keepForBackup(backupId, { volume }, calm());
      assert.ok(before - (await free()) < BYTES / 8, 'its blocks are shared');
      await write(path, 'b');
      assert.ok(before - (await free()) > (BYTES * 7) / 8, 'until the volume gets others');
      const base = { backupId, volume: { id: volume.id, nameId: null }, pool: POOL, root: '' };
      await database.write((tx) => keepBase(tx, base, true));

      const ballast = (await free()) - BYTES / 2;
      await exec(['fallocate', '--length', String(ballast), join(disk.path, 'ballast')], calm());
      const imageCache = new ImageCache({ db: database, driver: () => driver, limits: () => null });
      const call = {
        ...calm(),
        requestId: 'req-1',
        tools: { driver: () => driver, imageCache, backups: { db: database } },
      };
      const copy = { id: uuid(), sizeGiB: 1 };
      const copied = () =>
        withRoom(POOL, volume.id, call, (on) =>
          on.receiveVolume(copy, { path, bytes: 1024 ** 3 }, { copies: true }, calm()),
        );
      await copied();
      assert.deepEqual(await allBases(database.read), []);
      assert.equal((await driver.probe(kept(backupId, volume), calm().signal)).is, 'absent');
      assert.equal((await driver.probe(theVolume(copy), calm().signal)).is, 'present');
      copy.id = uuid();
      await assert.rejects(copied(), BackendFull);
    });
  });
