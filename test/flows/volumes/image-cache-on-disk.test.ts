/** An image cache on file systems that share blocks: what it saves, and that a full one gives way to volumes. */
import assert from 'node:assert/strict';
import { mkdtemp, open, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Database, openDatabase } from '../../../src/db/database.ts';
import { cachedImages, putCachedImage } from '../../../src/db/image-cache.ts';
import { FileDriver } from '../../../src/drivers/file/file-driver.ts';
import { ImageCache } from '../../../src/flows/volumes/image-cache.ts';
import { withRoom } from '../../../src/flows/volumes/with-room.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { exec } from '../../../src/lib/exec.ts';
import { type FreshDatabase, freshSqlite } from '../../databases.ts';
import { makeVolume } from '../../db/rows.ts';
import { calm } from '../../drivers/driver-world.ts';
import { cannotMount, type FileSystem, type Kind, mountFileSystem } from '../../drivers/file/file-systems.ts';

const POOL = 'node@file#file';
const MIB = 1024 ** 2;
const IMAGE_BYTES = 96 * MIB;

const freeIn = async (directory: string): Promise<number> => {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
};

for (const kind of ['xfs', 'btrfs'] as const satisfies readonly Kind[])
  describe(`an image cache on ${kind}`, { skip: cannotMount(kind) ?? false }, () => {
    let disk: FileSystem;
    let fresh: FreshDatabase;
    let database: Database;
    let images: string;

    before(async () => {
      disk = mountFileSystem(kind, 400);
      images = await mkdtemp(join(tmpdir(), 'pumice-cached-'));
      fresh = await freshSqlite();
      database = await openDatabase(fresh.url, { as: 'server' });
      const image = await open(join(images, 'image'), 'w');
      await image.write(Buffer.alloc(IMAGE_BYTES, 'image'));
      await image.close();
    });
    after(async () => {
      await database.close();
      await fresh.remove();
      disk.remove();
      await rm(images, { recursive: true });
    });

    it('costs a volume no copy, and gives its room to one that has none', async (t) => {
      const driver = new FileDriver({ name: 'file', directory: join(disk.path, 'volumes'), exec, create: true });
      await driver.start(calm().signal);
      assert.equal(await driver.hold(calm().signal), true);
      // A disk whose backend is held cannot be unmounted.
      t.after(() => driver.release());
      const limits = { maxCount: 0, maxSizeGiB: 0 };
      const imageCache = new ImageCache({ db: database, driver: () => driver, limits: () => limits });
      const call = {
        ...calm(),
        requestId: 'req-1',
        tools: { driver: () => driver, imageCache, backups: { db: database } },
      };
      const image = { path: join(images, 'image'), format: 'raw' } as const;

      for (const id of [uuid(), uuid()]) {
        await driver.cacheImage(id, image, 1, calm());
        await database.write((tx) => putCachedImage(tx, { pool: POOL, id, imageId: uuid(), sizeGiB: 1 }));
      }
      const [newer] = await cachedImages(database.read, POOL);
      const before = await freeIn(disk.path);
      const clone = { id: uuid(), sizeGiB: 1 };
      assert.equal((await driver.createVolumeFromCachedImage(clone, newer?.id ?? '', calm())).made, true);
      assert.ok(before - (await freeIn(disk.path)) < IMAGE_BYTES / 8, 'its blocks are shared');

      const ballast = (await freeIn(disk.path)) - IMAGE_BYTES / 2;
      await exec(['fallocate', '--length', String(ballast), join(disk.path, 'ballast')], calm());
      const volume = await makeVolume(database, { host: POOL });
      await driver.createVolume(volume, calm());
      await withRoom(POOL, volume.id, call, (on) => on.copyImageToVolume(volume, image, calm()));
      const kept = await cachedImages(database.read, POOL);
      assert.deepEqual(
        kept.map(({ id }) => id),
        [newer?.id],
        'the last used is still there',
      );
    });
  });
