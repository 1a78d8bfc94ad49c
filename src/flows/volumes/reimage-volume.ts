/**
 * Write another image to a volume that is there.
 *
 * The command has looked at the image with the caller's own right, moved the volume to `downloading`, kept what is to be remembered of
 * the image beside what is remembered now, and taken the volume for itself. The image is fetched, the backend makes the
 * new content beside the old and puts it in its place in one step, and then status, bootable flag and image metadata change in one
 * commit. What fails or is cancelled before that step leaves content, metadata and status as they were, and a message says
 * so; for Cinder the content is a mixture then, and the volume an error. Only where the backend's answer was lost for good may the content,
 * all of it, be the new one.
 *
 * A volume that was an error has a new and whole content at the end, so it is available; a reserved one is reserved again.
 */
import { findVolume, getVolume, updateVolume } from '../../db/volumes.ts';
import type { VolumeRef } from '../../drivers/driver.ts';
import { partOf } from '../../lib/progress.ts';
import type { Image } from '../../model/image.ts';
import type { VolumeStatus } from '../../model/status.ts';
import { tellUser } from '../tell.ts';
import { flow, obligation, onHostOf, record, world } from '../tools.ts';
import { discardImage, fetchImage, PATIENTLY, withDiskImage } from './fetched-image.ts';
import { withRoom } from './with-room.ts';

export interface ReimageVolume {
  readonly volumeRef: VolumeRef;
  readonly pool: string;
  /** What is needed to read it (`factsOf`). */
  readonly image: Image;
  /** The row may say another by now: its reservations may have ended. */
  readonly previousStatus: VolumeStatus;
}

const GiveBack = obligation({
  name: 'give_back',
  revert: async ({ volumeRef: { id }, previousStatus }: ReimageVolume, _outcome, { tx, failures, ...context }) => {
    const volume = await findVolume(tx.db, id);
    if (volume === undefined) return;
    const status = volume.previousStatus ?? previousStatus;
    await updateVolume(tx, id, { status, previousStatus: null, nextImageMetadata: null });
    await tellUser(tx, 'reimage-volume', failures[0], volume, context);
  },
});

/** Of it all, fetching the image; writing it is the rest. */
const FETCHING = 0.5;

/**
 * All that touches the world is one task: nothing can be cancelled between the new content and the commit that tells of it. So the
 * download is removed here too, and when a crash comes before that is journaled it is fetched once more.
 */
const ReimageOnBackend = world({
  name: 'reimage_on_backend',
  retry: PATIENTLY,
  execute: async ({ volumeRef, pool, image }: ReimageVolume, call) => {
    const { progress } = call;
    const imagePath = await fetchImage(image, { ...call, progress: partOf(progress, 0, FETCHING) });
    const rest = { ...call, progress: partOf(progress, FETCHING, 1 - FETCHING) };
    await withDiskImage({ volumeRef, image, imagePath }, rest, (disk, part) =>
      withRoom(pool, volumeRef.id, call, (driver) => driver.reimageVolume(volumeRef, disk, part)),
    );
    await discardImage(call);
  },
  revert: async (_input, _outcome, call) => discardImage(call),
});

const ReimageOnFinish = record({
  name: 'reimage_on_finish',
  execute: async ({ volumeRef: { id }, previousStatus }: ReimageVolume, { tx }) => {
    const volume = await getVolume(tx.db, id);
    const before = volume.previousStatus ?? previousStatus;
    await updateVolume(tx, id, {
      status: before === 'error' ? 'available' : before,
      previousStatus: null,
      bootable: true,
      imageMetadata: volume.nextImageMetadata,
      nextImageMetadata: null,
    });
  },
});

export const reimageVolume = flow<ReimageVolume>('reimage_volume')
  .add(GiveBack)
  .lane(onHostOf)
  .add(ReimageOnBackend)
  .add(ReimageOnFinish)
  .build({ version: 1 });
