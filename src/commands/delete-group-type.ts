/** `DELETE /group_types/{id}`. */
import { deleteGroupTypeRow } from '../db/group-types.ts';
import { tell } from '../flows/tell.ts';
import type { Caller } from '../model/caller.ts';
import type { Desk } from './desk.ts';
import { groupTypeEvent } from './group-type-event.ts';
import { lockGroupType } from './lock.ts';

export async function deleteGroupType({ db }: Desk, caller: Caller, id: string): Promise<void> {
  await db.write(async (tx) => {
    const type = await lockGroupType(tx, id);
    await deleteGroupTypeRow(tx, id);
    await tell(tx, groupTypeEvent('group_type.delete', type, caller));
  });
}
