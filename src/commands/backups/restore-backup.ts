/**
 * `POST /backups/{id}/restore`: into a volume that is there, or into a new one, which is a create from the backup; and an operator's order to restore
 * all of one that can be read.
 */
import { moveBackupStatus } from '../../db/backups.ts';
import { moveVolumeStatus } from '../../db/volumes.ts';
import { restoreBackup as flow } from '../../flows/backups/restore-backup.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidVolume } from '../../model/errors.ts';
import { refOf, type Volume } from '../../model/volume.ts';
import { backupResource, begin, exclusive, volumeResource } from '../begin.ts';
import { refusedBackup, refusedVolume } from '../by-status.ts';
import type { Desk, OrderDesk } from '../desk.ts';
import { lockBackup, lockVolume } from '../lock.ts';
import { createVolume } from '../volumes/create-volume.ts';
import { isMigrating } from '../volumes/migrating.ts';
import { refuseCinders } from './refuse-cinders.ts';

/** Resolves with the volume as it was. */
export async function restoreBackup(desk: Desk, caller: Caller, id: string, volumeId: string): Promise<Volume> {
  return (await beginRestore(desk, caller, id, { volumeId })).volume;
}

export interface RestoreRequest {
  readonly volumeId: string;
  /** What is damaged is left out. */
  readonly skipsDamaged?: boolean;
}

/** Resolves with the id of the flow, and the volume as it was. */
export async function beginRestore(
  desk: OrderDesk,
  caller: Caller,
  id: string,
  { volumeId, skipsDamaged = false }: RestoreRequest,
): Promise<{ readonly flowId: string; readonly volume: Volume }> {
  return desk.db.write(async (tx) => {
    // The volume first, as by whoever makes a backup of it.
    const volume = await lockVolume(tx, caller, volumeId);
    const backup = await lockBackup(tx, caller, id);
    if (!(await moveBackupStatus(tx, id, 'restore', { set: { restoreVolumeId: volumeId } })))
      throw refusedBackup(backup, 'restore');
    if (backup.sizeGiB > volume.sizeGiB)
      throw new InvalidVolume(
        `Volume ${volumeId} of ${volume.sizeGiB}GiB is too small for a backup of ${backup.sizeGiB}GiB.`,
      );
    if (skipsDamaged) refuseCinders(backup, 'be restored in part');
    const { host: pool } = volume;
    const unreached = { attachStatusNot: 'attached', withoutExports: true } as const;
    if (pool === null || isMigrating(volume) || !(await moveVolumeStatus(tx, volumeId, 'restore', unreached)))
      throw refusedVolume(volume, 'restore');
    const flowId = await begin(
      desk,
      tx,
      caller,
      flow,
      { backupId: id, volumeRef: refOf(volume), pool, ...(skipsDamaged && { skipsDamaged }) },
      {
        resource: backupResource(id),
        projectId: backup.projectId,
        holds: [exclusive(backupResource(id)), exclusive(volumeResource(volumeId))],
      },
    );
    return { flowId, volume };
  });
}

export interface NewVolumeRequest {
  readonly name: string | null;
  demand(rule: 'volume:multiattach'): void;
}

/** As large as the backup, and called as Cinder calls it. Resolves when it is being made. */
export async function restoreToNewVolume(
  desk: Desk,
  caller: Caller,
  id: string,
  { name, demand }: NewVolumeRequest,
): Promise<Volume> {
  return createVolume(desk, caller, {
    name: name || `restore_backup_${id}`,
    description: 'auto-created_from_restore_from_backup',
    sizeGiB: null,
    availabilityZone: null,
    volumeType: null,
    sourceVolumeId: null,
    snapshotId: null,
    groupId: null,
    backupId: id,
    imageId: null,
    serverImages: false,
    metadata: {},
    hints: {},
    demand,
  });
}
