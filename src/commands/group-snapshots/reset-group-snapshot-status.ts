/**
 * `reset_status` of a group snapshot: an administrator overwrites its status, and not that of its parts. No backend is asked. Refused
 * while a flow holds it: the status is that flow's to set.
 */
import { updateGroupSnapshot } from '../../db/group-snapshots.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { adminEvent } from '../../events/admin-notifications.ts';
import { tell } from '../../flows/tell.ts';
import type { Caller } from '../../model/caller.ts';
import type { GroupSnapshotStatus } from '../../model/group-status.ts';
import { groupSnapshotResource } from '../begin.ts';
import type { Desk } from '../desk.ts';
import { groupSnapshotFor } from '../find.ts';
import { lockGroupSnapshot } from '../lock.ts';
import { whileUnheld } from '../unheld.ts';

export async function resetGroupSnapshotStatus(
  desk: Desk,
  caller: Caller,
  id: string,
  status: GroupSnapshotStatus,
): Promise<void> {
  const resource = groupSnapshotResource(id);
  const unheld = {
    resource,
    find: (db: Desk['db']['read']) => groupSnapshotFor(db, caller, id),
    lock: (tx: Tx) => lockGroupSnapshot(tx, caller, id),
  };
  const event = (eventType: string) =>
    adminEvent(
      { resource, eventType, publisherId: 'groupSnapshotStatusUpdate', payload: { id, update: status } },
      caller,
    );
  await whileUnheld(desk, unheld, async (tx) => {
    await tell(tx, event('groupsnapshots.reset_status.start'));
    await updateGroupSnapshot(tx, id, { status });
    await tell(tx, event('groupsnapshots.reset_status.end'));
  });
}
