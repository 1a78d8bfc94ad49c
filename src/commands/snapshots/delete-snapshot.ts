/** `DELETE /snapshots/{id}`: deletes a snapshot, by force from any status. */
import { moveSnapshotStatus } from '../../db/snapshots.ts';
import { getVolume } from '../../db/volumes.ts';
import { deleteSnapshot as flow } from '../../flows/snapshots/delete-snapshot.ts';
import type { Caller } from '../../model/caller.ts';
import { snapshotRefOf } from '../../model/snapshot.ts';
import { begin, exclusive, shared, snapshotResource, volumeResource } from '../begin.ts';
import { refusedSnapshot } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { snapshotFor } from '../find.ts';
import { lockSnapshot } from '../lock.ts';
import { stopFlowsOf } from '../stop-flows.ts';

export async function deleteSnapshot(
  desk: Desk,
  caller: Caller,
  id: string,
  { force }: { readonly force: boolean },
): Promise<void> {
  if (force) {
    const snapshot = await snapshotFor(desk.db.read, caller, id);
    // What is refused whatever becomes of them stops nothing.
    if (snapshot.groupSnapshotId !== null) throw refusedSnapshot(snapshot, 'delete');
    await stopFlowsOf(desk, [snapshotResource(id)], 'The snapshot is deleted by force.');
  }
  await desk.db.write(async (tx) => {
    const snapshot = await lockSnapshot(tx, caller, id);
    const volume = await getVolume(tx.db, snapshot.volumeId);
    const moved = snapshot.groupSnapshotId === null && (await moveSnapshotStatus(tx, id, 'delete', { force }));
    if (!moved || volume.host === null) throw refusedSnapshot(snapshot, 'delete');
    const input = {
      snapshotRef: snapshotRefOf(snapshot, volume),
      pool: volume.host,
      previousStatus: snapshot.status,
    };
    await begin(desk, tx, caller, flow, input, {
      resource: snapshotResource(id),
      projectId: snapshot.projectId,
      holds: [exclusive(snapshotResource(id)), shared(volumeResource(snapshot.volumeId))],
    });
  });
}
