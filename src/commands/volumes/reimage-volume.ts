/**
 * `os-reimage`: gives a volume that is there the content of an image.
 *
 * The volume and the image are looked at before anything is changed: a volume never waits for an image that nobody can give. In
 * Cinder the status comes first, and an unknown image leaves it for ever.
 */
import { moveVolumeStatus } from '../../db/volumes.ts';
import { diskImageOf } from '../../flows/volumes/fetched-image.ts';
import { reimageVolume as flow } from '../../flows/volumes/reimage-volume.ts';
import type { Caller } from '../../model/caller.ts';
import { ImageUnacceptable } from '../../model/errors.ts';
import { capturedMetadata, factsOf } from '../../model/image.ts';
import { refOf } from '../../model/volume.ts';
import { begin, exclusive, volumeResource } from '../begin.ts';
import { checkVolumeStatus, refusedVolume } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { volumeFor } from '../find.ts';
import { lockVolume } from '../lock.ts';
import { activeImageOfId, checkReadable } from './find-image.ts';
import { isMigrating } from './migrating.ts';
import { leastSizeOf } from './volume-source.ts';

export interface ReimageRequest {
  readonly imageId: string;
  /** A reserved volume, too. */
  readonly reserved: boolean;
}

export async function reimageVolume(
  desk: Desk,
  caller: Caller,
  id: string,
  { imageId, reserved }: ReimageRequest,
): Promise<void> {
  checkVolumeStatus(await volumeFor(desk.db.read, caller, id), 'reimage', reserved);
  const image = await activeImageOfId(desk.tools.images, caller, imageId);
  checkReadable(image);
  diskImageOf(image);
  await desk.db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    if (volume.sizeGiB < leastSizeOf(image))
      throw new ImageUnacceptable(
        `Volume ${id} has ${volume.sizeGiB}GiB, and image ${image.id} needs ${leastSizeOf(image)}GiB. Extend it first.`,
      );
    const { host: pool, status: previousStatus } = volume;
    const move = {
      also: reserved,
      attachStatusNot: 'attached',
      withoutExports: true,
      set: { nextImageMetadata: capturedMetadata(image) },
    } as const;
    if (pool === null || isMigrating(volume) || !(await moveVolumeStatus(tx, id, 'reimage', move)))
      throw refusedVolume(volume, 'reimage', reserved);
    await begin(
      desk,
      tx,
      caller,
      flow,
      { volumeRef: refOf(volume), pool, image: factsOf(image), previousStatus },
      { resource: volumeResource(id), projectId: volume.projectId, holds: [exclusive(volumeResource(id))] },
    );
  });
}
