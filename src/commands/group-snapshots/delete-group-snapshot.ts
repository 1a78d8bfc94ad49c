/** `DELETE /group_snapshots/{id}`: with all its parts. One that has none, since it could not be taken, needs no flow. */
import { moveGroupSnapshotStatus } from '../../db/group-snapshots.ts';
import { isBeingCopied } from '../../db/groups.ts';
import { moveSnapshotStatus, snapshotsOfGroup } from '../../db/snapshots.ts';
import { getVolume } from '../../db/volumes.ts';
import { deleteGroupSnapshot as flow, forgetGroupSnapshot } from '../../flows/groups/delete-group-snapshot.ts';
import { tellGroupSnapshot } from '../../flows/tell.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidGroupSnapshot } from '../../model/errors.ts';
import { snapshotRefOf } from '../../model/snapshot.ts';
import { begin, exclusive, groupSnapshotResource, shared, snapshotResource, volumeResource } from '../begin.ts';
import { checkGroupSnapshotStatus, refusedSnapshot } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockGroupSnapshot } from '../lock.ts';

export async function deleteGroupSnapshot(desk: Desk, caller: Caller, id: string): Promise<void> {
  await desk.db.write(async (tx) => {
    const groupSnapshot = await lockGroupSnapshot(tx, caller, id);
    checkGroupSnapshotStatus(groupSnapshot, 'delete');
    if (await isBeingCopied(tx.db, id))
      throw new InvalidGroupSnapshot(`Group snapshot ${id} cannot be deleted while a group is being made from it.`);
    const parts = await snapshotsOfGroup(tx.db, id);
    const [first] = parts;
    if (first === undefined) {
      await tellGroupSnapshot(tx, 'delete.start', groupSnapshot, caller.requestId);
      return forgetGroupSnapshot(tx, groupSnapshot, caller.requestId);
    }
    const { host } = await getVolume(tx.db, first.volumeId);
    for (const part of parts)
      if (!(await moveSnapshotStatus(tx, part.id, 'delete_with_group_snapshot')) || host === null)
        throw refusedSnapshot(part, 'delete_with_group_snapshot');
    await moveGroupSnapshotStatus(tx, id, 'delete');
    const input = {
      groupSnapshotId: id,
      groupId: groupSnapshot.groupId,
      pool: host as string,
      previousStatus: groupSnapshot.status,
      parts: await Promise.all(
        parts.map(async (part) => ({
          ref: snapshotRefOf(part, await getVolume(tx.db, part.volumeId)),
          previousStatus: part.status,
        })),
      ),
    };
    await begin(desk, tx, caller, flow, input, {
      resource: groupSnapshotResource(id),
      projectId: groupSnapshot.projectId,
      holds: [
        exclusive(groupSnapshotResource(id)),
        ...parts.map((part) => exclusive(snapshotResource(part.id))),
        ...parts.map((part) => shared(volumeResource(part.volumeId))),
      ],
    });
  });
}
