/** `os-unmanage` of a snapshot. */
import { moveSnapshotStatus } from '../../db/snapshots.ts';
import { getVolume } from '../../db/volumes.ts';
import { unmanageSnapshot as flow } from '../../flows/snapshots/unmanage-snapshot.ts';
import type { Caller } from '../../model/caller.ts';
import { snapshotRefOf } from '../../model/snapshot.ts';
import { begin, exclusive, shared, snapshotResource, volumeResource } from '../begin.ts';
import { refusedSnapshot } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockSnapshot } from '../lock.ts';

export async function unmanageSnapshot(desk: Desk, caller: Caller, id: string): Promise<void> {
  await desk.db.write(async (tx) => {
    const snapshot = await lockSnapshot(tx, caller, id);
    const volume = await getVolume(tx.db, snapshot.volumeId);
    const { host: pool } = volume;
    const moved = snapshot.groupSnapshotId === null && (await moveSnapshotStatus(tx, id, 'unmanage'));
    if (!moved || pool === null) throw refusedSnapshot(snapshot, 'unmanage');
    const { volumeId, status: previousStatus, managedRef: ref } = snapshot;
    await begin(
      desk,
      tx,
      caller,
      flow,
      { snapshotRef: snapshotRefOf(snapshot, volume), pool, previousStatus, ref },
      {
        resource: snapshotResource(id),
        projectId: snapshot.projectId,
        holds: [exclusive(snapshotResource(id)), shared(volumeResource(volumeId))],
      },
    );
  });
}
