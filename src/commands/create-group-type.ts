/** `POST /group_types`. */
import { isDuplicate } from '../db/constraints.ts';
import { insertGroupType } from '../db/group-types.ts';
import { tell } from '../flows/tell.ts';
import { uuid } from '../lib/clock.ts';
import type { Caller } from '../model/caller.ts';
import { GroupTypeExists } from '../model/errors.ts';
import type { GroupType, NewGroupType } from '../model/group-type.ts';
import type { Desk } from './desk.ts';
import { groupTypeEvent } from './group-type-event.ts';

export async function createGroupType(
  { db }: Desk,
  caller: Caller,
  request: Omit<NewGroupType, 'id'>,
): Promise<GroupType> {
  try {
    return await db.write(async (tx) => {
      const type = await insertGroupType(tx, { id: uuid(), ...request });
      await tell(tx, groupTypeEvent('group_type.create', type, caller));
      return type;
    });
  } catch (error) {
    if (isDuplicate(error)) throw new GroupTypeExists(`Group type ${request.name} exists already.`, { cause: error });
    throw error;
  }
}
