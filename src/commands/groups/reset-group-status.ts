/**
 * `reset_status` of a group: an administrator overwrites its status. No backend is asked. Refused while a flow holds the group
 * exclusively: the status is that flow's to set.
 */
import { updateGroup } from '../../db/groups.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { adminEvent } from '../../events/admin-notifications.ts';
import { tell } from '../../flows/tell.ts';
import type { Caller } from '../../model/caller.ts';
import type { GroupStatus } from '../../model/group-status.ts';
import { groupResource } from '../begin.ts';
import type { Desk } from '../desk.ts';
import { groupFor } from '../find.ts';
import { lockGroup } from '../lock.ts';
import { whileUnheld } from '../unheld.ts';

export async function resetGroupStatus(desk: Desk, caller: Caller, id: string, status: GroupStatus): Promise<void> {
  const unheld = {
    resource: groupResource(id),
    find: (db: Desk['db']['read']) => groupFor(db, caller, id),
    lock: (tx: Tx) => lockGroup(tx, caller, id),
  };
  const event = (eventType: string) =>
    adminEvent(
      { resource: groupResource(id), eventType, publisherId: 'groupStatusUpdate', payload: { id, update: status } },
      caller,
    );
  await whileUnheld(desk, unheld, async (tx) => {
    await tell(tx, event('groups.reset_status.start'));
    await updateGroup(tx, id, { status });
    await tell(tx, event('groups.reset_status.end'));
  });
}
