/**
 * The image cache: images that a backend keeps, as raw objects, so that a volume of one that was used before is a clone and no download.
 *
 * What a backend keeps and what its rows say are two things that no transaction joins, so nothing depends on them being one: an
 * image that is not there is fetched and kept again, and a volume that was made has all it needs. Where nobody can keep anything the volume
 * is made as without a cache. What holds, however a process dies:
 *
 * - An image is there whole or not at all (the driver sees to that), under an id that says which image it is in which version: one
 *   that was changed is another.
 * - A row comes after its object and goes after it. An object without a row belongs to an unfinished flow, which gives it a row or drops it.
 * - To evict is to mark a row. The upkeep drops what the backend keeps, and then the row.
 *
 * One process serves a backend, so those who want the same image at once meet here: one fetches it.
 */
import type { Database } from '../../db/database.ts';
import { type CachedImage, cachedImages, evictCachedImage, forgetCachedImage } from '../../db/image-cache.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { getVolume } from '../../db/volumes.ts';
import type { DriverCall, VolumeDriver } from '../../drivers/driver.ts';
import { Semaphore } from '../../drivers/semaphore.ts';
import { inGiB } from '../../lib/bytes.ts';
import type { BackendConfig } from '../../lib/config/config.ts';
import { SingleFlight } from '../../lib/single-flight.ts';
import { hostOf } from '../../model/backend.ts';
import { tellImageCache } from '../tell.ts';

/** Of a pool; 0 is no limit. */
export interface CacheLimits {
  readonly maxCount: number;
  /** Sum of the sizes of what is kept, as disks. */
  readonly maxSizeGiB: number;
}

export const cacheLimitsOf = (section: BackendConfig): CacheLimits | null =>
  section.image_volume_cache_enabled
    ? { maxCount: section.image_volume_cache_max_count, maxSizeGiB: section.image_volume_cache_max_size_gb }
    : null;

export interface ImageCacheOptions {
  readonly db: Database;
  driver(host: string): VolumeDriver;
  /** Null where there is no cache. */
  limits(host: string): CacheLimits | null;
}

/** For which volume, and at whose request. */
export interface Cause {
  readonly volumeId: string;
  readonly requestId: string;
}

/** GiB of what is there; null: it could not be made. */
type Had = number | null | 'dropped';

/** Of clones. Whoever waited for an image goes on as soon as it is there, and that may be hundreds at once. */
const AT_ONCE = 4;

export class ImageCache {
  readonly turns = new Semaphore(AT_ONCE);
  readonly #options: ImageCacheOptions;
  readonly #flights = new SingleFlight<Had>();

  constructor(options: ImageCacheOptions) {
    this.#options = options;
  }

  /** Null where a pool has no cache. */
  limits(pool: string): CacheLimits | null {
    return this.#options.limits(hostOf(pool));
  }

  /** GiB of a cached image, by `make` where it is not there: for all who want it at once. Null when it could not be made. */
  async have(pool: string, id: string, call: DriverCall, make: () => Promise<boolean>): Promise<number | null> {
    const driver = this.#options.driver(pool);
    const find = async (): Promise<number | null> => {
      const there = await sizeOf(driver, id, call.signal);
      return there === null && (await make()) ? sizeOf(driver, id, call.signal) : there;
    };
    for (;;) {
      const had = await this.#flights.run(keyOf(pool, id), call, find);
      if (had !== 'dropped') return had;
    }
  }

  /** Whoever had it made is undone; it stays when it has a row, or is another's who is at it. */
  async dropUnknown(pool: string, id: string, call: DriverCall): Promise<void> {
    await this.#drop(pool, id, call, async () => {
      const known = await cachedImages(this.#options.db.read, pool);
      return known.some((each) => each.id === id) ? undefined : async () => {};
    });
  }

  /** Evicts the image that was not used for longest, and drops it. False: there is none. */
  async makeRoom(pool: string, cause: Cause, call: DriverCall): Promise<boolean> {
    const evicted = await this.#options.db.write(async (tx) => {
      const oldest = (await present(tx, pool)).at(-1);
      return oldest !== undefined && (await evict(tx, oldest, cause));
    });
    if (evicted) await this.dropEvicted(hostOf(pool), call);
    return evicted;
  }

  /** Of a backend: what was evicted, and everything where there is no cache any more. */
  async dropEvicted(host: string, call: DriverCall): Promise<void> {
    const { db, limits } = this.#options;
    const goes = ({ pool, evictedAt }: CachedImage): boolean =>
      hostOf(pool) === host && (evictedAt !== null || limits(host) === null);
    for (const { pool, id } of (await cachedImages(db.read)).filter(goes))
      await this.#drop(pool, id, call, async () => {
        // Somebody may want it again since.
        const still = (await cachedImages(db.read, pool)).find((each) => each.id === id && goes(each));
        return still && (() => db.write((tx) => forgetCachedImage(tx, still)));
      });
  }

  /**
   * Drops what `wanted` says in its turn, and tells it then. Not one that somebody makes, or drops: that is another's, and none of them
   * waits for another.
   */
  async #drop(
    pool: string,
    id: string,
    call: DriverCall,
    wanted: () => Promise<(() => Promise<void>) | undefined>,
  ): Promise<void> {
    const key = keyOf(pool, id);
    if (this.#flights.isUnderWay(key)) return;
    await this.#flights.run(key, call, async () => {
      const dropped = await wanted();
      if (dropped === undefined) return 'dropped';
      await this.#options.driver(pool).dropCachedImage(id, call);
      await dropped();
      return 'dropped';
    });
  }
}

const keyOf = (pool: string, id: string): string => `${pool} ${id}`;

/** Those of a pool that nobody has evicted; the last used first. */
export async function present({ db }: Tx, pool: string): Promise<readonly CachedImage[]> {
  return (await cachedImages(db, pool)).filter(({ evictedAt }) => evictedAt === null);
}

/** False when it was evicted before. */
export async function evict(tx: Tx, image: CachedImage, { volumeId, requestId }: Cause): Promise<boolean> {
  if (!(await evictCachedImage(tx, image))) return false;
  await tellImageCache(tx, 'evict', image, await getVolume(tx.db, volumeId), requestId);
  return true;
}

/** Of images, the last used first, those that go so that the others are within the limits. */
export function beyond<Sized extends { readonly sizeGiB: number }>(
  images: readonly Sized[],
  { maxCount, maxSizeGiB }: CacheLimits,
): readonly Sized[] {
  let sizeGiB = 0;
  const first = images.findIndex((image, index) => {
    sizeGiB += image.sizeGiB;
    return (maxCount > 0 && index >= maxCount) || (maxSizeGiB > 0 && sizeGiB > maxSizeGiB);
  });
  return first < 0 ? [] : images.slice(first);
}

async function sizeOf(driver: VolumeDriver, id: string, signal: AbortSignal): Promise<number | null> {
  const found = await driver.probe({ kind: 'image', id }, signal);
  return found.is === 'present' ? inGiB(found.bytes) : null;
}
