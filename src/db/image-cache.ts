/**
 * The image cache of each pool, as rows: which images a backend keeps to make volumes of, and when each was last used.
 *
 * What is kept is under `id`, which is of one image in one version. An evicted row stays until the backend has dropped what it keeps.
 */
import { now, type Timestamp } from '../lib/clock.ts';
import type { Db } from './sql/db.ts';
import type { ImageCacheTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

export interface CachedImage {
  /** `node@backend#pool` */
  readonly pool: string;
  readonly id: string;
  readonly imageId: string;
  readonly sizeGiB: number;
  readonly lastUsedAt: Timestamp;
  readonly evictedAt: Timestamp | null;
}

/** Those of one pool, or of all; the last used first. */
export async function cachedImages(db: Db, pool?: string): Promise<readonly CachedImage[]> {
  const select = db.selectFrom('image_cache').selectAll().orderBy('last_used_at', 'desc').orderBy('id');
  const rows = await (pool === undefined ? select : select.where('pool', '=', pool)).execute();
  return rows.map(toCachedImage);
}

/** It is there and was used just now. One that was to be removed stays. */
export async function putCachedImage(
  { db }: Tx,
  { pool, id, imageId, sizeGiB }: Pick<CachedImage, 'pool' | 'id' | 'imageId' | 'sizeGiB'>,
): Promise<void> {
  const at = now();
  await db
    .insertInto('image_cache')
    .values({ pool, id, image_id: imageId, size_gib: sizeGiB, created_at: at, last_used_at: at, evicted_at: null })
    .onConflict((conflict) => conflict.columns(['pool', 'id']).doUpdateSet({ last_used_at: at, evicted_at: null }))
    .execute();
}

/** False when it is evicted already, or not there. */
export async function evictCachedImage({ db }: Tx, { pool, id }: Pick<CachedImage, 'pool' | 'id'>): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('image_cache')
    .set({ evicted_at: now() })
    .where('pool', '=', pool)
    .where('id', '=', id)
    .where('evicted_at', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** The backend has dropped it. A row that somebody has put back since stays. */
export async function forgetCachedImage(
  { db }: Tx,
  { pool, id, evictedAt }: Pick<CachedImage, 'pool' | 'id' | 'evictedAt'>,
): Promise<void> {
  await db
    .deleteFrom('image_cache')
    .where('pool', '=', pool)
    .where('id', '=', id)
    .where('evicted_at', evictedAt === null ? 'is' : '=', evictedAt)
    .execute();
}

const toCachedImage = (row: ImageCacheTable): CachedImage => ({
  pool: row.pool,
  id: row.id,
  imageId: row.image_id,
  sizeGiB: row.size_gib,
  lastUsedAt: row.last_used_at,
  evictedAt: row.evicted_at,
});
