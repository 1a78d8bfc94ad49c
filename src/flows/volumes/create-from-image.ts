/**
 * Fill a volume from an image: the part of `create_volume` that is many steps, each resumable and revertable.
 *
 * The backend may take the image as it lies, without a copy. If it does not, the volume is made blank and says
 * `downloading`; the image is fetched into a file of its own, named by the flow so that a download that was cut off goes
 * on where it stopped; the backend converts it into the volume; the file is removed. Which way was taken is journaled:
 * after a crash the flow goes on with it, not with another. A process that takes the flow over on another host has not
 * got the file and fetches it again; what it left is swept where it lies (`sweep-downloads.ts`).
 *
 * A compressed image is unpacked beside the download for as long as it is converted. Any other container is refused.
 *
 * When the image cannot be used the failure is final: no other backend could help (S27, S28).
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { updateVolume } from '../../db/volumes.ts';
import type { ImageFile, ModelUpdate, VolumeRef } from '../../drivers/driver.ts';
import { ImageUnacceptable } from '../../model/errors.ts';
import type { Image } from '../../model/image.ts';
import { VOLUME_TRANSITIONS } from '../../model/status.ts';
import { flow, record, type Tools, world } from '../tools.ts';
import { neverAsked } from '../undo.ts';
import { downloadName, unpackedName } from './sweep-downloads.ts';

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
    const { wanted, format, packed } = imageOf(image);
    const path = packed ? null : await call.tools.images.local(wanted, call.signal);
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
    await updateVolume(tx, volumeId, { status: VOLUME_TRANSITIONS.create.during[1] });
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
  revert: async (_input, _outcome, call) => discard(call),
});

/** Of what a compressed image costs, unpacking it, converting it is the rest. */
const UNPACKING = 0.5;

const CopyImageToVolume = world({
  name: 'copy_image_to_volume',
  execute: async ({ volumeRef, pool, image, imagePath }: FromImage & { imagePath: string }, call) => {
    const { wanted, format, packed } = imageOf(image);
    const path = downloadPath(call);
    // Only under this very name is it known to be whole, and here.
    const file = imagePath === path ? { path } : await call.tools.images.fetch(wanted, path, call);
    const driver = call.tools.driver(pool);
    if (!packed) return driver.copyImageToVolume(volumeRef, { path: file.path, format }, call);
    const { signal, tools } = call;
    const unpacked = unpackedPath(call);
    const limits = { most: mostUnpacked(volumeRef, format), timeoutMs: tools.conversionTimeoutMs };
    const { unpackImage } = await import('../../clients/unpack-image.ts');
    await unpackImage(file.path, unpacked, limits, { signal, progress: (done) => call.progress(done * UNPACKING) });
    const rest = (done: number): void => call.progress(UNPACKING + done * (1 - UNPACKING));
    await driver.copyImageToVolume(volumeRef, { path: unpacked, format }, { signal, progress: rest });
  },
});

const DiscardImage = world({
  name: 'discard_image',
  execute: async (_input: { imagePath: string }, call) => discard(call),
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

interface Wanted {
  readonly wanted: Image;
  readonly format: ImageFile['format'];
  /** It is a gzip file around that. */
  readonly packed: boolean;
}

function imageOf(image: Image | null): Wanted {
  if (image === null) throw new ImageUnacceptable('The volume has no image to be made from.');
  const format = image.diskFormat === 'iso' ? 'raw' : FORMATS.find((each) => each === image.diskFormat);
  if (format === undefined)
    throw new ImageUnacceptable(
      `Image ${image.id} has disk format ${image.diskFormat}, which cannot be written to a volume.`,
    );
  const container = image.containerFormat ?? 'bare';
  if (container !== 'bare' && container !== 'compressed')
    throw new ImageUnacceptable(
      `Image ${image.id} is in a container of format ${container}, and is no disk by itself.`,
    );
  return { wanted: image, format, packed: container === 'compressed' };
}

/** Raw is as large as its disk; the others have tables besides, and may hold what the disk has no more. */
function mostUnpacked({ sizeGiB }: VolumeRef, format: ImageFile['format']): number {
  const disk = sizeGiB * 1024 ** 3;
  return format === 'raw' ? disk : disk + disk / 8 + 64 * 1024 ** 2;
}

interface Where {
  readonly flowId: string;
  readonly tools: Tools;
}

async function discard(call: Where): Promise<void> {
  await rm(unpackedPath(call), { force: true });
  await rm(downloadPath(call), { force: true });
}

function downloadPath({ flowId, tools }: Where): string {
  return join(tools.conversionDirectory, downloadName(flowId));
}

function unpackedPath({ flowId, tools }: Where): string {
  return join(tools.conversionDirectory, unpackedName(flowId));
}
