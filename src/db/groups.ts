/**
 * The groups of volumes. Every change of a row raises its `revision` and sets `updatedAt`; in a transaction rows are found and changed
 * in its cache (`sql/cached-rows.ts`).
 */
import { now } from '../lib/clock.ts';
import { GroupNotFound } from '../model/errors.ts';
import type { Group, GroupPatch, NewGroup } from '../model/group.ts';
import { GROUP_TRANSITIONS, type GroupStatus, type MovingGroup } from '../model/group-status.ts';
import { entered, leaving, type Transition } from '../model/transition.ts';
import type { Volume } from '../model/volume.ts';
import { CachedRows } from './sql/cached-rows.ts';
import { type Columns, is, json, maybe, whole } from './sql/columns.ts';
import type { Db, Readers } from './sql/db.ts';
import type { ListFilter, ListQuery } from './sql/list-query.ts';
import { count, type Listing, page } from './sql/pages.ts';
import type { GroupTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';
import { keepVolumeType } from './volume-types.ts';

export type GroupField = keyof Group;

const columns: Columns<Group, GroupTable> = {
  id: is('id'),
  projectId: is('project_id'),
  userId: maybe('user_id'),
  name: maybe('name'),
  description: maybe('description'),
  status: is('status'),
  host: maybe('host'),
  availabilityZone: maybe('availability_zone'),
  groupTypeId: is('group_type_id'),
  volumeTypeIds: json('volume_type_ids'),
  groupSnapshotId: maybe('group_snapshot_id'),
  sourceGroupId: maybe('source_group_id'),
  replicationStatus: maybe('replication_status'),
  createdAt: is('created_at'),
  updatedAt: maybe('updated_at'),
  revision: whole('revision'),
};

const groupRows = new CachedRows<Group, GroupTable>('volume_group', 6, columns, toGroup);

const listing: Listing<Group, GroupTable> = {
  table: 'volume_group',
  columns,
  notFound: (id) => new GroupNotFound(id),
};

/** Its volume types are there, and stay as they are, until the transaction ends. */
export async function insertGroup({ db }: Tx, given: NewGroup): Promise<Group> {
  const group: Group = {
    name: null,
    description: null,
    host: null,
    availabilityZone: null,
    groupSnapshotId: null,
    sourceGroupId: null,
    replicationStatus: null,
    createdAt: now(),
    ...given,
    updatedAt: null,
    revision: 1,
  };
  for (const id of group.volumeTypeIds) await keepVolumeType(db, id);
  await groupRows.insert(db, group);
  return group;
}

export async function findGroup(db: Db, id: string): Promise<Group | undefined> {
  return groupRows.find(db, id);
}

/** As `findGroup`; nobody else changes it before the transaction ends. */
export async function lockGroupRow({ db }: Tx, id: string): Promise<Group | undefined> {
  return groupRows.lock(db, id);
}

/** Rejects with `GroupNotFound`. */
export async function getGroup(db: Db, id: string): Promise<Group> {
  const group = await findGroup(db, id);
  if (group === undefined) throw new GroupNotFound(id);
  return group;
}

/** False when there is no such group, or it has changed since `revision`. */
export async function updateGroup({ db }: Tx, id: string, patch: GroupPatch, revision?: number): Promise<boolean> {
  return groupRows.update(db, id, patch, revision);
}

/** A conditional update, as the operation's rule says (`model/group-status.ts`): whether it was as asked, and has moved. */
export async function moveGroupStatus({ db }: Tx, id: string, operation: MovingGroup): Promise<boolean> {
  const rule: Transition<GroupStatus> = GROUP_TRANSITIONS[operation];
  const from = leaving(rule, false);
  const status = entered(rule);
  const group = await groupRows.lock(db, id);
  if (group === undefined || (from !== 'any' && !from.includes(group.status))) return false;
  await groupRows.update(db, id, { ...(status && { status }) });
  return true;
}

/** False when there was none. Rejects while a group snapshot is of it. */
export async function deleteGroupRow({ db }: Tx, id: string): Promise<boolean> {
  return groupRows.delete(db, id);
}

/** Rejects with `GroupNotFound` when the marker names none. */
export async function listGroups(readers: Readers, query: ListQuery<GroupField>): Promise<Group[]> {
  return (await page(readers, listing, query)).map(toGroup);
}

export function countGroups(readers: Readers, filters: readonly ListFilter<GroupField>[]): Promise<number> {
  return count(readers, listing, filters);
}

/** Whether a group is being made from this group snapshot. */
export async function isBeingCopied(db: Db, groupSnapshotId: string): Promise<boolean> {
  const group = await db
    .selectFrom('volume_group')
    .select('id')
    .where('group_snapshot_id', '=', groupSnapshotId)
    .where('status', '=', 'creating')
    .limit(1)
    .executeTakeFirst();
  return group !== undefined;
}

/** The ids of the members of each group, the oldest first. */
export async function membersOf(
  db: Db,
  groupIds: readonly string[],
): Promise<ReadonlyMap<string, readonly Volume['id'][]>> {
  if (groupIds.length === 0) return new Map();
  const rows = await db
    .selectFrom('volume')
    .select(['id', 'group_id'])
    .where('group_id', 'in', groupIds)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
  const members = Map.groupBy(rows, ({ group_id }) => group_id as string);
  return new Map([...members].map(([group, of]) => [group, of.map(({ id }) => id)]));
}

/** Whether a group may have volumes of the type. */
export async function isOfGroup(db: Db, volumeTypeId: string): Promise<boolean> {
  const one = await db
    .selectFrom('volume_group')
    .select('id')
    .where('volume_type_ids', 'like', `%"${volumeTypeId}"%`)
    .limit(1)
    .executeTakeFirst();
  return one !== undefined;
}

function toGroup(row: GroupTable): Group {
  return {
    id: row.id,
    projectId: row.project_id,
    userId: row.user_id,
    name: row.name,
    description: row.description,
    status: row.status as GroupStatus,
    host: row.host,
    availabilityZone: row.availability_zone,
    groupTypeId: row.group_type_id,
    volumeTypeIds: JSON.parse(row.volume_type_ids),
    groupSnapshotId: row.group_snapshot_id,
    sourceGroupId: row.source_group_id,
    replicationStatus: row.replication_status,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    revision: row.revision,
  };
}
