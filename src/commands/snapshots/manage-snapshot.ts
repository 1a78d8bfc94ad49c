/** `POST /manageable_snapshots`: what exists on a volume's backend becomes its snapshot. */
import { manageExistingSnapshot as flow } from '../../flows/snapshots/manage-snapshot.ts';
import type { Caller } from '../../model/caller.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { begin, exclusive, shared, snapshotResource, volumeResource } from '../begin.ts';
import { checkVolumeStatus } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';
import { type CreateSnapshotRequest, insertSnapshotOf } from './create-snapshot.ts';

export interface ManageSnapshotRequest extends Omit<CreateSnapshotRequest, 'force'> {
  readonly ref: Readonly<Record<string, string>>;
}

export async function manageSnapshot(desk: Desk, caller: Caller, request: ManageSnapshotRequest): Promise<Snapshot> {
  return desk.db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, request.volumeId);
    checkVolumeStatus(volume, 'manage_snapshot');
    const { snapshot, pool } = await insertSnapshotOf(desk, tx, caller, volume, request, 'manage');
    await begin(
      desk,
      tx,
      caller,
      flow,
      { snapshotId: snapshot.id, pool, ref: request.ref },
      {
        resource: snapshotResource(snapshot.id),
        projectId: snapshot.projectId,
        holds: [exclusive(snapshotResource(snapshot.id)), shared(volumeResource(volume.id))],
      },
    );
    return snapshot;
  });
}
