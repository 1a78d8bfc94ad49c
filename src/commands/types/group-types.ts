/** Types of groups: made, changed, given specs and deleted, with the notification of each change. */

import {
  deleteGroupTypeRow,
  getGroupType,
  insertGroupType,
  isGroupTypeInUse,
  updateGroupType as updateRow,
} from '../../db/group-types.ts';
import { isDuplicate } from '../../db/sql/constraints.ts';
import { adminEvent } from '../../events/admin-notifications.ts';
import { tell } from '../../flows/tell.ts';
import { uuid } from '../../lib/clock.ts';
import type { Caller } from '../../model/caller.ts';
import { GroupTypeExists, GroupTypeInUse, MetadataKeyNotFound } from '../../model/errors.ts';
import type { NewEvent } from '../../model/event.ts';
import type { GroupType, GroupTypePatch, NewGroupType } from '../../model/group-type.ts';
import { changedMetadata, type MetadataChange, verbOf } from '../change-metadata.ts';
import type { Desk } from '../desk.ts';
import { lockGroupType } from '../lock.ts';

/** `POST /group_types`. */
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

/** `PUT /group_types/{id}`, and what is asked for under `group_specs`. */
export async function updateGroupType(
  { db }: Desk,
  caller: Caller,
  id: string,
  patch: Omit<GroupTypePatch, 'groupSpecs'>,
): Promise<GroupType> {
  try {
    return await db.write(async (tx) => {
      await lockGroupType(tx, id);
      await updateRow(tx, id, patch);
      const type = await getGroupType(tx.db, id);
      await tell(tx, groupTypeEvent('group_type.update', type, caller));
      return type;
    });
  } catch (error) {
    if (isDuplicate(error)) throw new GroupTypeExists(`Group type ${patch.name} exists already.`, { cause: error });
    throw error;
  }
}

export async function setGroupSpecs(
  { db }: Desk,
  caller: Caller,
  id: string,
  change: MetadataChange<string | null>,
): Promise<void> {
  await db.write(async (tx) => {
    const { groupSpecs: current, name } = await lockGroupType(tx, id);
    if (change.is === 'remove' && !Object.hasOwn(current, change.key))
      throw new MetadataKeyNotFound(`Group type ${name} has no group spec ${change.key}.`);
    await updateRow(tx, id, { groupSpecs: changedMetadata(current, change) });
    await tell(
      tx,
      groupTypeEvent(`group_type_specs.${verbOf(current, change)}`, await getGroupType(tx.db, id), caller),
    );
  });
}

/** `DELETE /group_types/{id}`. */
export async function deleteGroupType({ db }: Desk, caller: Caller, id: string): Promise<void> {
  await db.write(async (tx) => {
    const type = await lockGroupType(tx, id);
    if (await isGroupTypeInUse(tx.db, id))
      throw new GroupTypeInUse(`Group type ${type.name} cannot be deleted: groups are of it.`);
    await deleteGroupTypeRow(tx, id);
    await tell(tx, groupTypeEvent('group_type.delete', type, caller));
  });
}

function groupTypeEvent(
  change: `${'group_type' | 'group_type_specs'}.${'create' | 'update' | 'delete'}`,
  type: GroupType,
  caller: Caller,
): NewEvent {
  const { id, name, description, isPublic, groupSpecs } = type;
  const group_types = { id, name, description, is_public: isPublic, group_specs: groupSpecs };
  return adminEvent(
    { resource: `group_type:${id}`, eventType: change, publisherId: 'groupType', payload: { group_types } },
    caller,
  );
}
