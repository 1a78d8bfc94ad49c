/**
 * Make a volume of an image that its backend keeps, and let it keep one that it does not (`image-cache.ts`).
 *
 * An image that is not kept is fetched and converted into what is kept, not into the volume: the volume is a clone of it then as later
 * ones are, so its user waits for no second copy, and those who ask for the same image meanwhile wait for this one. Volumes whose image
 * is there never say `downloading`.
 */
import { cachedImages, putCachedImage } from '../../db/image-cache.ts';
import { getVolume } from '../../db/volumes.ts';
import type { DriverCall, ModelUpdate, VolumeRef } from '../../drivers/driver.ts';
import { partOf } from '../../lib/progress.ts';
import { cachedImageId, type Image } from '../../model/image.ts';
import { tellImageCache } from '../tell.ts';
import { flow, record, type Tools, world } from '../tools.ts';
import { neverAsked } from '../undo.ts';
import { discardImage, fetchImage, MarkDownloading, PATIENTLY, withDiskImage } from './fetched-image.ts';
import { beyond, evict, present } from './image-cache.ts';
import { withRoom } from './with-room.ts';

interface OfImage {
  readonly volumeId: string;
  readonly volumeRef: VolumeRef;
  readonly pool: string;
  readonly image: Image | null;
}

/** What the image is called in the cache. */
interface Cached extends OfImage {
  readonly cachedId: string | null;
}

/** Evicts what the pool keeps of the image as it was. `cachedId` is null where there is no cache, or no need of one. */
export const FindInImageCache = record({
  name: 'find_in_image_cache',
  execute: async (
    { volumeId, pool, image, cloned }: OfImage & { readonly cloned: boolean },
    { tx, tools, requestId },
  ): Promise<{ cachedId: string | null; isCached: boolean }> => {
    const isWanted = !cloned && image !== null && tools.imageCache.limits(pool) !== null;
    const cachedId = isWanted ? cachedImageId(image) : null;
    if (!isWanted || cachedId === null) return { cachedId: null, isCached: false };
    let isCached = false;
    for (const each of (await cachedImages(tx.db, pool)).filter(({ imageId }) => imageId === image.id)) {
      if (each.id === cachedId) isCached = true;
      else await evict(tx, each, { volumeId, requestId });
      // One that was evicted and is still there stays.
      if (each.id === cachedId) await putCachedImage(tx, each);
    }
    const volume = await getVolume(tx.db, volumeId);
    await tellImageCache(tx, isCached ? 'hit' : 'miss', { pool, imageId: image.id }, volume, requestId);
    return { cachedId, isCached };
  },
});

/** Of it all, fetching the image; writing it is the rest. */
const FETCHING = 0.5;

const CreateThroughCache = world({
  name: 'create_through_cache',
  retry: PATIENTLY,
  execute: async (
    input: Cached,
    call,
  ): Promise<{ fromCache: boolean; cachedModel: ModelUpdate; cachedGiB: number | null }> => {
    const { volumeRef, pool, cachedId } = input;
    const { tools } = call;
    const nothing = { fromCache: false, cachedModel: {}, cachedGiB: null };
    if (cachedId === null) return nothing;
    const cachedGiB = await tools.imageCache.have(pool, cachedId, call, () => cache(input, cachedId, call));
    if (cachedGiB === null) return nothing;
    const { made, model } = await tools.imageCache.turns.run(call, () =>
      withRoom(pool, volumeRef.id, call, (driver) => driver.createVolumeFromCachedImage(volumeRef, cachedId, call)),
    );
    return { fromCache: made, cachedModel: model, cachedGiB };
  },
  revert: async ({ volumeRef, pool, cachedId }, outcome, call) => {
    if (!neverAsked(outcome)) {
      await call.tools.driver(pool).deleteVolume(volumeRef, call);
      if (cachedId !== null) await call.tools.imageCache.dropUnknown(pool, cachedId, call);
    }
    await discardImage(call);
  },
});

interface Call extends Required<DriverCall> {
  readonly flowId: string;
  readonly requestId: string;
  readonly tools: Tools;
}

/** False when it could not be kept, for whatever reason: the volume is then filled without, of what was fetched, and says what is wrong. */
async function cache({ volumeRef, pool, image }: Cached, cachedId: string, call: Call): Promise<boolean> {
  const { tools, signal, progress } = call;
  const imagePath = await fetchImage(image, { ...call, progress: partOf(progress, 0, FETCHING) });
  const rest = { ...call, progress: partOf(progress, FETCHING, 1 - FETCHING) };
  const maxSizeGiB = tools.imageCache.limits(pool)?.maxSizeGiB || Number.POSITIVE_INFINITY;
  const mostGiB = Math.min(volumeRef.sizeGiB, maxSizeGiB);
  try {
    await withDiskImage({ volumeRef, image, imagePath }, rest, (disk, part) =>
      withRoom(pool, volumeRef.id, call, (driver) => driver.cacheImage(cachedId, disk, mostGiB, part)),
    );
  } catch {
    signal.throwIfAborted();
    return false;
  }
  await discardImage(call);
  return true;
}

/** The row, and those of others that are beyond the limits with it. */
const RememberCachedImage = record({
  name: 'remember_cached_image',
  execute: async (
    { volumeId, pool, image, cachedId, cachedGiB: sizeGiB }: Cached & { readonly cachedGiB: number | null },
    { tx, tools, requestId },
  ) => {
    const limits = tools.imageCache.limits(pool);
    if (image === null || cachedId === null || sizeGiB === null || limits === null) return;
    await putCachedImage(tx, { pool, id: cachedId, imageId: image.id, sizeGiB });
    for (const each of beyond(await present(tx, pool), limits)) await evict(tx, each, { volumeId, requestId });
  },
});

const miss = flow<OfImage>('miss').add(MarkDownloading).build({ version: 1 });

export const throughCache = flow<Cached & { readonly isCached: boolean }>('through_cache')
  .when('not_cached', ({ isCached }) => !isCached, miss)
  .add(CreateThroughCache)
  .add(RememberCachedImage)
  .build({ version: 1 });
