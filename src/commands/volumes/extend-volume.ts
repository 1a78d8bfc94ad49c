/**
 * `os-extend`: resizes a volume to a greater size, and reserves the quota. The flow waits for copies of the volume that run.
 */
import { getVolumeType } from '../../db/volume-types.ts';
import { moveVolumeStatus } from '../../db/volumes.ts';
import { checkVolumeSize, reserve } from '../../flows/quota.ts';
import { extendVolume as flow } from '../../flows/volumes/extend-volume.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidInput } from '../../model/errors.ts';
import { gigabytesQuota } from '../../model/quota.ts';
import { refOf } from '../../model/volume.ts';
import { begin, exclusive, volumeResource } from '../begin.ts';
import { refusedVolume } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';
import { refuseMigrating } from './migrating.ts';
import { checkSizeForType } from './volume-choices.ts';

export async function extendVolume(
  desk: Desk,
  caller: Caller,
  id: string,
  newSizeGiB: number,
  { inUseAllowed }: { readonly inUseAllowed: boolean },
): Promise<void> {
  await desk.db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    const type = await getVolumeType(tx.db, volume.volumeTypeId);
    refuseMigrating(volume, 'extended');
    const moved = await moveVolumeStatus(tx, id, 'extend', { also: inUseAllowed });
    if (!moved || volume.host === null) throw refusedVolume(volume, 'extend', inUseAllowed);
    if (newSizeGiB <= volume.sizeGiB)
      throw new InvalidInput(`The new size must be greater than ${volume.sizeGiB}GiB; it is ${newSizeGiB}.`);
    checkSizeForType(newSizeGiB, type);
    await checkVolumeSize(tx, volume.projectId, newSizeGiB, desk.config.quota);
    const { sizeGiB, status: previousStatus, host: pool } = volume;
    const flowId = await begin(
      desk,
      tx,
      caller,
      flow,
      { volumeRef: refOf(volume), pool, newSizeGiB, previousStatus },
      {
        resource: volumeResource(id),
        projectId: volume.projectId,
        holds: [exclusive(volumeResource(id))],
      },
    );
    if (volume.usesQuota)
      await reserve(tx, flowId, volume.projectId, gigabytesQuota(newSizeGiB - sizeGiB, type.name), desk.config.quota);
  });
}
