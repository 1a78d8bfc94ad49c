/** `os-unmanage` of a volume. */
import { snapshotsOf } from '../../db/snapshots.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { moveVolumeStatus } from '../../db/volumes.ts';
import { unmanageVolume as flow } from '../../flows/volumes/unmanage-volume.ts';
import { now } from '../../lib/clock.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidVolume } from '../../model/errors.ts';
import { refOf, type Volume } from '../../model/volume.ts';
import { begin, exclusive, volumeResource } from '../begin.ts';
import { refusedVolume } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';
import { refuseMigratingOrMember } from './migrating.ts';

export async function unmanageVolume(desk: Desk, caller: Caller, id: string): Promise<void> {
  await desk.db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    const snapshots = await snapshotsOf(tx.db, id);
    if (snapshots.length > 0)
      throw new InvalidVolume(`Volume ${id} has ${snapshots.length} snapshots and cannot be unmanaged.`);
    if (volume.encryptionKeyId !== null) throw new InvalidVolume(`Volume ${id} is encrypted and cannot be unmanaged.`);
    refuseMigratingOrMember(volume, 'unmanaged');
    await beginUnmanage(desk, tx, caller, volume, 'unmanage');
  });
}

/** What is on the backend stays there; also of a volume that is deleted before it was ever ours. */
export async function beginUnmanage(
  desk: Desk,
  tx: Tx,
  caller: Caller,
  volume: Volume,
  operation: 'unmanage' | 'delete',
): Promise<void> {
  const { id, host: pool, status: previousStatus, managedRef: ref } = volume;
  const moved = await moveVolumeStatus(tx, id, operation, {
    attachStatusNot: 'attached',
    withoutExports: true,
    set: { terminatedAt: now() },
  });
  if (!moved || pool === null) throw refusedVolume(volume, 'unmanage');
  await begin(
    desk,
    tx,
    caller,
    flow,
    { volumeRef: refOf(volume), pool, previousStatus, ref },
    { resource: volumeResource(id), projectId: volume.projectId, holds: [exclusive(volumeResource(id))] },
  );
}
