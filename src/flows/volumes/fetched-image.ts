/**
 * An image on its way into a volume: fetched into a file that is named by the flow, so that a download which was cut off goes on where
 * it stopped, and unpacked beside it where it is compressed. Any other container, and a format that nobody here reads, is refused.
 */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { updateVolume } from '../../db/volumes.ts';
import type { DriverCall, ImageFile, VolumeRef } from '../../drivers/driver.ts';
import { GIB, MIB } from '../../lib/bytes.ts';
import { partOf } from '../../lib/progress.ts';
import { ImageUnacceptable } from '../../model/errors.ts';
import type { Image } from '../../model/image.ts';
import { VOLUME_TRANSITIONS } from '../../model/status.ts';
import { record, type Tools, world } from '../tools.ts';
import { downloadName, unpackedName } from './sweep-downloads.ts';

/** Together half a minute: the image service may be restarted meanwhile. */
export const PATIENTLY = { tries: 7 };

export const MarkDownloading = record({
  name: 'mark_downloading',
  execute: async ({ volumeId }: { readonly volumeId: string }, { tx }) => {
    await updateVolume(tx, volumeId, { status: VOLUME_TRANSITIONS.create.during[1] });
  },
});

/** The download is most of the work, the conversion the rest; each shows its own progress. */
export const FetchImage = world({
  name: 'fetch_image',
  retry: PATIENTLY,
  execute: async ({ image }: { readonly image: Image | null }, call) => ({ imagePath: await fetchImage(image, call) }),
  revert: async (_input, _outcome, call) => discardImage(call),
});

/** Of what a compressed image costs, unpacking it; what is done with it is the rest. */
const UNPACKING = 0.5;

interface Fetched {
  readonly volumeRef: VolumeRef;
  readonly image: Image | null;
  readonly imagePath: string;
}

interface Call extends Where, Required<DriverCall> {}

/** Where it lies then, whole: what of it has arrived before is not fetched again. */
export async function fetchImage(image: Image | null, call: Call): Promise<string> {
  return (await call.tools.images.fetch(diskImageOf(image).wanted, downloadPath(call), call)).path;
}

/** Hands `use` the disk that a fetched image is, in a local file. One that was fetched on another host is fetched again. */
export async function withDiskImage(
  { volumeRef, image, imagePath }: Fetched,
  call: Call,
  use: (image: ImageFile, call: DriverCall) => Promise<void>,
): Promise<void> {
  const { wanted, format, packed } = diskImageOf(image);
  const path = downloadPath(call);
  // Only under this very name is it known to be whole, and here.
  const file = imagePath === path ? { path } : await call.tools.images.fetch(wanted, path, call);
  if (!packed) return use({ path: file.path, format }, call);
  const { signal, tools, projectId, aside, waiting } = call;
  const unpacked = unpackedPath(call);
  const limits = { most: mostUnpacked(volumeRef, format), timeoutMs: tools.conversionTimeoutMs };
  const { unpackImage } = await import('../../clients/unpack-image.ts');
  await unpackImage(file.path, unpacked, limits, { signal, progress: partOf(call.progress, 0, UNPACKING) });
  const rest = partOf(call.progress, UNPACKING, 1 - UNPACKING);
  await use({ path: unpacked, format }, { signal, progress: rest, projectId, aside, waiting });
}

const FORMATS = ['raw', 'qcow2', 'vmdk', 'vdi', 'vhd'] as const;

interface Wanted {
  readonly wanted: Image;
  readonly format: ImageFile['format'];
  /** It is a gzip file around that. */
  readonly packed: boolean;
}

/** Throws `ImageUnacceptable` for what is no disk that can be read here. */
export function diskImageOf(image: Image | null): Wanted {
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
  const disk = sizeGiB * GIB;
  return format === 'raw' ? disk : disk + disk / 8 + 64 * MIB;
}

interface Where {
  readonly flowId: string;
  readonly tools: Tools;
}

export async function discardImage(call: Where): Promise<void> {
  await rm(unpackedPath(call), { force: true });
  await rm(downloadPath(call), { force: true });
}

export function downloadPath({ flowId, tools }: Where): string {
  return join(tools.conversionDirectory, downloadName(flowId));
}

/** Of a compressed image what it is without that. */
export function unpackedPath({ flowId, tools }: Where): string {
  return join(tools.conversionDirectory, unpackedName(flowId));
}
