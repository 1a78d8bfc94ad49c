/**
 * Fill a volume from an image: the part of `create_volume` that is many steps, each resumable and revertable.
 *
 * The backend may take the image as it lies, without a copy. If it does not, the volume is made blank and says
 * `downloading`; the image is fetched into a file of its own, named by the flow so that a download that was cut off goes
 * on where it stopped; the backend converts it into the volume; the file is removed. Which way was taken is journaled:
 * after a crash the flow goes on with it, not with another. A process that takes the flow over on another host has not
 * got the file and fetches it again; what it left is swept where it lies (`sweep-downloads.ts`).
 *
 * When the image cannot be used the failure is final: no other backend could help (S27, S28).
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { updateVolume } from '../db/volumes.ts';
import type { ImageFile, ModelUpdate, VolumeRef } from '../drivers/driver.ts';
import { ImageUnacceptable } from '../model/errors.ts';
import type { Image } from '../model/image.ts';
import { downloadName } from './sweep-downloads.ts';
import { flow, record, type Tools, world } from './tools.ts';
import { neverAsked } from './undo.ts';

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
    const { wanted, format } = imageOf(image);
    const path = await call.tools.images.local(wanted, call.signal);
    if (path === null) return { cloned: false, clonedModel: {} };
    const { cloned, model } = await call.tools.driver(pool).cloneImage(volumeRef, { path, format }, call);
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

const MarkDownloading = record({
  name: 'mark_downloading',
  execute: async ({ volumeId }: FromImage, { tx }) => {
    await updateVolume(tx, volumeId, { status: 'downloading' });
  },
});

/** The download is most of the work, the conversion the rest; each shows its own progress. */
const FetchImage = world({
  name: 'fetch_image',
  // Together half a minute: the image service may be restarted meanwhile.
  retry: { tries: 7 },
  execute: async ({ image }: FromImage, call) => {
    const { path } = await call.tools.images.fetch(imageOf(image).wanted, downloadPath(call), call);
    return { imagePath: path };
  },
  revert: async (_input, _outcome, call) => rm(downloadPath(call), { force: true }),
});

const CopyImageToVolume = world({
  name: 'copy_image_to_volume',
  execute: async ({ volumeRef, pool, image, imagePath }: FromImage & { imagePath: string }, call) => {
    const { wanted, format } = imageOf(image);
    const path = downloadPath(call);
    // Only under this very name is it known to be whole, and here.
    const file = imagePath === path ? { path } : await call.tools.images.fetch(wanted, path, call);
    await call.tools.driver(pool).copyImageToVolume(volumeRef, { path: file.path, format }, call);
  },
});

const DiscardImage = world({
  name: 'discard_image',
  execute: async (_input: { imagePath: string }, call) => rm(downloadPath(call), { force: true }),
});

const ChooseModel = record({
  name: 'save_model_update',
  execute: ({
    clonedModel,
    allocatedModel,
  }: {
    clonedModel: ModelUpdate;
    allocatedModel: ModelUpdate | undefined;
  }): { imageModel: ModelUpdate } => ({
    imageModel: allocatedModel ?? clonedModel,
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
  .when('not_cloned', ({ cloned }) => !cloned, download)
  .add(ChooseModel)
  .build({ version: 1 });

const FORMATS = ['raw', 'qcow2', 'vmdk', 'vdi', 'vhd'] as const;

function imageOf(image: Image | null): { readonly wanted: Image; readonly format: ImageFile['format'] } {
  if (image === null) throw new ImageUnacceptable('The volume has no image to be made from.');
  const format = image.diskFormat === 'iso' ? 'raw' : FORMATS.find((each) => each === image.diskFormat);
  if (format === undefined)
    throw new ImageUnacceptable(
      `Image ${image.id} has disk format ${image.diskFormat}, which cannot be written to a volume.`,
    );
  return { wanted: image, format };
}

function downloadPath({ flowId, tools }: { readonly flowId: string; readonly tools: Tools }): string {
  return join(tools.conversionDirectory, downloadName(flowId));
}
