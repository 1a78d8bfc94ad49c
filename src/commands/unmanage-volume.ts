/** `os-unmanage` of a volume. */
import { snapshotsOf } from '../db/snapshots.ts';
import { moveVolumeStatus } from '../db/volumes.ts';
import { unmanageVolume as flow } from '../flows/unmanage-volume.ts';
import { now } from '../lib/clock.ts';
import type { Caller } from '../model/caller.ts';
import { InvalidVolume } from '../model/errors.ts';
import { VOLUME_TRANSITIONS } from '../model/status.ts';
import { begin, exclusive, volumeResource } from './begin.ts';
import type { Desk } from './desk.ts';
import { volumeFor } from './find.ts';

export async function unmanageVolume(desk: Desk, caller: Caller, id: string): Promise<void> {
  await desk.db.write(async (tx) => {
    const volume = await volumeFor(tx.db, caller, id);
    const snapshots = await snapshotsOf(tx.db, id);
    if (snapshots.length > 0)
      throw new InvalidVolume(`Volume ${id} has ${snapshots.length} snapshots and cannot be unmanaged.`);
    if (volume.encryptionKeyId !== null) throw new InvalidVolume(`Volume ${id} is encrypted and cannot be unmanaged.`);
    const moved = await moveVolumeStatus(tx, id, {
      from: VOLUME_TRANSITIONS.unmanage.from,
      to: 'unmanaging',
      attachStatusNot: 'attached',
      set: { terminatedAt: now() },
    });
    if (!moved || volume.host === null) {
      throw new InvalidVolume(
        `Volume ${id} must be ${VOLUME_TRANSITIONS.unmanage.from.join(' or ')}, on a backend and not attached to be unmanaged; it is ${volume.status}.`,
      );
    }
    const { nameId, sizeGiB, host: pool, status: previousStatus, managedRef: ref } = volume;
    await begin(
      desk,
      tx,
      caller,
      flow,
      { volumeRef: { id, nameId, sizeGiB }, pool, previousStatus, ref },
      {
        resource: volumeResource(id),
        projectId: volume.projectId,
        holds: [exclusive(volumeResource(id))],
      },
    );
  });
}
