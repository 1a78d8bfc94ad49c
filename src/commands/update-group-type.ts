/** `PUT /group_types/{id}`, and what is asked for under `group_specs`. */
import { isDuplicate } from '../db/constraints.ts';
import { getGroupType, updateGroupType as updateRow } from '../db/group-types.ts';
import { tell } from '../flows/tell.ts';
import type { Caller } from '../model/caller.ts';
import { GroupTypeExists, MetadataKeyNotFound } from '../model/errors.ts';
import type { GroupType, GroupTypePatch } from '../model/group-type.ts';
import { changedMetadata, type MetadataChange, verbOf } from './change-metadata.ts';
import type { Desk } from './desk.ts';
import { groupTypeEvent } from './group-type-event.ts';
import { lockGroupType } from './lock.ts';

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
