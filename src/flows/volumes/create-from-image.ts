/**
 * Fill a volume from an image: the part of `create_volume` that is many steps, each resumable and revertable.
 *
 * The backend may take the image as it lies, without a copy, or have it in its cache (`create-through-cache.ts`). If it does not, the
 * volume is made blank and says `downloading`; the image is fetched into a file of its own, named by the flow so that a download that was cut off goes
 * on where it stopped; the backend converts it into the volume; the file is removed. Which way was taken is journaled:
 * after a crash the flow goes on with it, not with another. A process that takes the flow over on another host has not
 * got the file and fetches it again; what it left is swept where it lies (`sweep-downloads.ts`).
 *
 * A compressed image is unpacked beside the download for as long as it is converted. Any other container is refused.
 *
 * When the image cannot be used the failure is final: no other backend could help (S27, S28).
 */
import type { ModelUpdate, VolumeRef } from '../../drivers/driver.ts';
import type { Image } from '../../model/image.ts';
import { flow, record, world } from '../tools.ts';
import { neverAsked } from '../undo.ts';
import { FindInImageCache, throughCache } from './create-through-cache.ts';
import { discardImage, diskImageOf, FetchImage, MarkDownloading, withDiskImage } from './fetched-image.ts';
import { withRoom } from './with-room.ts';

interface FromImage {
  readonly volumeId: string;
  readonly volumeRef: VolumeRef;
  readonly pool: string;
  readonly image: Image | null;
}

const CloneImage = world({
  name: 'clone_image',
  execute: async (
    { volumeRef, pool, image }: FromImage,
    call,
  ): Promise<{ cloned: boolean; clonedModel: ModelUpdate }> => {
    const { wanted, format, packed } = diskImageOf(image);
    if (packed) return { cloned: false, clonedModel: {} };
    const driver = call.tools.driver(pool);
    const { images } = call.tools;
    const path = await images.local(wanted, call.signal);
    const { imageSchemes } = driver.capabilities;
    const locations = imageSchemes.length > 0 ? await images.locations(wanted, call.signal) : [];
    if (path === null && locations.length === 0) return { cloned: false, clonedModel: {} };
    const { cloned, model } = await driver.cloneImage(volumeRef, { path, locations, format }, call);
    return { cloned, clonedModel: model };
  },
  revert: async ({ volumeRef, pool }, outcome, call) => {
    if (!neverAsked(outcome)) await call.tools.driver(pool).deleteVolume(volumeRef, call);
  },
});

const AllocateVolume = world({
  name: 'allocate_volume',
  execute: async ({ volumeRef, pool }: FromImage, call) => ({
    allocatedModel: await call.tools.driver(pool).createVolume(volumeRef, call),
  }),
  revert: async ({ volumeRef, pool }, outcome, call) => {
    if (!neverAsked(outcome)) await call.tools.driver(pool).deleteVolume(volumeRef, call);
  },
});

const CopyImageToVolume = world({
  name: 'copy_image_to_volume',
  execute: async (input: FromImage & { imagePath: string }, call) =>
    withDiskImage(input, call, (image, part) =>
      withRoom(input.pool, input.volumeRef.id, call, (driver) =>
        driver.copyImageToVolume(input.volumeRef, image, part),
      ),
    ),
});

const DiscardImage = world({
  name: 'discard_image',
  execute: async (_input: { imagePath: string }, call) => discardImage(call),
});

interface Models {
  readonly clonedModel: ModelUpdate;
  /** The volume was made of what the cache had; one that could not be was made without. */
  readonly fromCache?: boolean | undefined;
  readonly cachedModel?: ModelUpdate | undefined;
  readonly allocatedModel: ModelUpdate | undefined;
}

const ChooseModel = record({
  name: 'save_model_update',
  execute: ({ clonedModel, fromCache, cachedModel, allocatedModel }: Models): { imageModel: ModelUpdate } => ({
    imageModel: (fromCache ? cachedModel : allocatedModel) ?? clonedModel,
  }),
});

const download = flow<FromImage>('download')
  .add(AllocateVolume)
  .add(MarkDownloading)
  .add(FetchImage)
  .add(CopyImageToVolume)
  .add(DiscardImage)
  .build({ version: 1 });

export const createFromImage = flow<FromImage>('create_from_image')
  .add(CloneImage)
  .add(FindInImageCache)
  .when('cache', ({ cachedId }) => cachedId !== null, throughCache)
  .when('not_cloned', ({ cloned, fromCache }) => !cloned && !fromCache, download)
  .add(ChooseModel)
  .build({ version: 2 });

/** Without a cache. */
export const createFromImageV1 = flow<FromImage>('create_from_image')
  .add(CloneImage)
  .when('not_cloned', ({ cloned }) => !cloned, download)
  .add(ChooseModel)
  .build({ version: 1 });
