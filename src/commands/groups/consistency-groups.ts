/**
 * Groups of the type of consistency groups: made, shown and changed by the calls for those only, as in Cinder.
 */
import { findGroupTypeByName } from '../../db/group-types.ts';
import type { Db } from '../../db/sql/db.ts';
import type { Caller } from '../../model/caller.ts';
import { GroupNotFound, GroupSnapshotNotFound, InvalidGroup } from '../../model/errors.ts';
import type { Group } from '../../model/group.ts';
import type { GroupSnapshot } from '../../model/group-snapshot.ts';
import { CONSISTENCY_GROUP_TYPE, type GroupType } from '../../model/group-type.ts';
import { groupFor, groupSnapshotFor } from '../find.ts';

/** A group that is one. Rejects with `GroupNotFound` for any other. */
export async function consistencyGroupFor(db: Db, caller: Caller, id: string): Promise<Group> {
  const group = await groupFor(db, caller, id);
  if (!(await isOfConsistencyGroups(db, group))) throw new GroupNotFound(id);
  return group;
}

/** The snapshot of such a group. Rejects with `GroupSnapshotNotFound` for that of any other. */
export async function cgsnapshotFor(db: Db, caller: Caller, id: string): Promise<GroupSnapshot> {
  const groupSnapshot = await groupSnapshotFor(db, caller, id);
  if (!(await isOfConsistencyGroups(db, groupSnapshot))) throw new GroupSnapshotNotFound(id);
  return groupSnapshot;
}

async function isOfConsistencyGroups(db: Db, { groupTypeId }: Pick<Group, 'groupTypeId'>): Promise<boolean> {
  return (await findGroupTypeByName(db, CONSISTENCY_GROUP_TYPE))?.id === groupTypeId;
}

/** Throws `InvalidGroup`. */
export function refuseConsistencyGroupType({ name }: Pick<GroupType, 'name'>): void {
  if (name === CONSISTENCY_GROUP_TYPE)
    throw new InvalidGroup(`Groups of type ${CONSISTENCY_GROUP_TYPE} are made and changed as consistency groups only.`);
}

/** A group that is no consistency group. Rejects with `InvalidGroup` for one that is. */
export async function genericGroupFor(db: Db, caller: Caller, id: string): Promise<Group> {
  return generic(db, await groupFor(db, caller, id));
}

/** The snapshot of a group that is no consistency group. Rejects with `InvalidGroup` for one that is. */
export async function genericGroupSnapshotFor(db: Db, caller: Caller, id: string): Promise<GroupSnapshot> {
  return generic(db, await groupSnapshotFor(db, caller, id));
}

async function generic<Row extends Pick<Group, 'groupTypeId'>>(db: Db, row: Row): Promise<Row> {
  if (await isOfConsistencyGroups(db, row)) refuseConsistencyGroupType({ name: CONSISTENCY_GROUP_TYPE });
  return row;
}
