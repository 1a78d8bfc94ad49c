import assert from 'node:assert/strict';
import {
  type CachedImage,
  cachedImages,
  evictCachedImage,
  forgetCachedImage,
  putCachedImage,
} from '../../src/db/image-cache.ts';
import { uuid } from '../../src/lib/clock.ts';
import { proveStore } from '../prove-store.ts';

const POOL = 'node@a#a';
const [ONE, OTHER] = [
  { pool: POOL, id: uuid(), imageId: uuid(), sizeGiB: 2 },
  { pool: POOL, id: uuid(), imageId: uuid(), sizeGiB: 3 },
];
const ids = (images: readonly CachedImage[]): string[] => images.map(({ id }) => id);

proveStore('the rows of an image cache', (test) => {
  test('are those of their pool, the last used first', async ({ database }) => {
    const elsewhere = { ...ONE, pool: 'node@b#b' };
    for (const image of [ONE, OTHER, elsewhere, ONE]) await database.write((tx) => putCachedImage(tx, image));
    assert.deepEqual(ids(await cachedImages(database.read, POOL)), [ONE.id, OTHER.id]);
    assert.equal((await cachedImages(database.read)).length, 3);
    assert.partialDeepStrictEqual((await cachedImages(database.read, POOL))[1], { ...OTHER, evictedAt: null });
  });

  test('stay when they are evicted, which happens once, until their backend has dropped what it keeps', async ({
    database,
  }) => {
    await database.write((tx) => putCachedImage(tx, ONE));
    const evict = (): Promise<boolean> => database.write((tx) => evictCachedImage(tx, ONE));
    assert.deepEqual([await evict(), await evict()], [true, false]);
    const [evicted] = await cachedImages(database.read, POOL);
    assert.ok(evicted?.evictedAt);
    await database.write((tx) => forgetCachedImage(tx, evicted));
    assert.deepEqual(await cachedImages(database.read), []);
    assert.equal(await evict(), false);
  });

  test('stay for good when somebody wants them again meanwhile', async ({ database }) => {
    await database.write((tx) => putCachedImage(tx, ONE));
    await database.write((tx) => evictCachedImage(tx, ONE));
    const [evicted] = await cachedImages(database.read, POOL);
    await database.write((tx) => putCachedImage(tx, ONE));
    if (evicted) await database.write((tx) => forgetCachedImage(tx, evicted));
    const [kept] = await cachedImages(database.read, POOL);
    assert.equal(kept?.evictedAt, null);
    if (kept) await database.write((tx) => forgetCachedImage(tx, kept));
    assert.deepEqual(await cachedImages(database.read), []);
  });
});
