/**
 * The snapshots of groups. Every change of a row raises its `revision` and sets `updatedAt`; in a transaction rows are found and changed
 * in its cache (`sql/cached-rows.ts`).
 */
import { now } from '../lib/clock.ts';
import { GroupSnapshotNotFound } from '../model/errors.ts';
import type { GroupSnapshot, GroupSnapshotPatch, NewGroupSnapshot } from '../model/group-snapshot.ts';
import {
  GROUP_SNAPSHOT_TRANSITIONS,
  type GroupSnapshotStatus,
  type MovingGroupSnapshot,
} from '../model/group-status.ts';
import { entered, leaving, type Transition } from '../model/transition.ts';
import { CachedRows } from './sql/cached-rows.ts';
import { type Columns, is, maybe, whole } from './sql/columns.ts';
import { type Db, onlyIn, type Readers } from './sql/db.ts';
import type { ListQuery } from './sql/list-query.ts';
import { type Listing, page } from './sql/pages.ts';
import type { GroupSnapshotTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

export type GroupSnapshotField = keyof GroupSnapshot;

const columns: Columns<GroupSnapshot, GroupSnapshotTable> = {
  id: is('id'),
  projectId: is('project_id'),
  userId: maybe('user_id'),
  name: maybe('name'),
  description: maybe('description'),
  status: is('status'),
  groupId: is('group_id'),
  groupTypeId: is('group_type_id'),
  createdAt: is('created_at'),
  updatedAt: maybe('updated_at'),
  revision: whole('revision'),
};

/** After its group: a row refers to that. */
const groupSnapshotRows = new CachedRows<GroupSnapshot, GroupSnapshotTable>(
  'group_snapshot',
  7,
  columns,
  toGroupSnapshot,
);

const listing: Listing<GroupSnapshot, GroupSnapshotTable> = {
  table: 'group_snapshot',
  columns,
  notFound: (id) => new GroupSnapshotNotFound(id),
};

export async function insertGroupSnapshot({ db }: Tx, given: NewGroupSnapshot): Promise<GroupSnapshot> {
  const groupSnapshot: GroupSnapshot = {
    name: null,
    description: null,
    createdAt: now(),
    ...given,
    updatedAt: null,
    revision: 1,
  };
  await groupSnapshotRows.insert(db, groupSnapshot);
  return groupSnapshot;
}

export async function findGroupSnapshot(db: Db, id: string): Promise<GroupSnapshot | undefined> {
  return groupSnapshotRows.find(db, id);
}

/** As `findGroupSnapshot`; nobody else changes it before the transaction ends. */
export async function lockGroupSnapshotRow({ db }: Tx, id: string): Promise<GroupSnapshot | undefined> {
  return groupSnapshotRows.lock(db, id);
}

/** Rejects with `GroupSnapshotNotFound`. */
export async function getGroupSnapshot(db: Db, id: string): Promise<GroupSnapshot> {
  const groupSnapshot = await findGroupSnapshot(db, id);
  if (groupSnapshot === undefined) throw new GroupSnapshotNotFound(id);
  return groupSnapshot;
}

/** Newest first. */
export async function groupSnapshotsOf(db: Db, groupId: string): Promise<GroupSnapshot[]> {
  return listGroupSnapshots(onlyIn(db), { filters: [{ is: 'equal', field: 'groupId', value: groupId }] });
}

/** False when there is none, or it has changed since `revision`. */
export async function updateGroupSnapshot(
  { db }: Tx,
  id: string,
  patch: GroupSnapshotPatch,
  revision?: number,
): Promise<boolean> {
  return groupSnapshotRows.update(db, id, patch, revision);
}

/** A conditional update, as the operation's rule says (`model/group-status.ts`): whether it was as asked, and has moved. */
export async function moveGroupSnapshotStatus(
  { db }: Tx,
  id: string,
  operation: MovingGroupSnapshot,
): Promise<boolean> {
  const rule: Transition<GroupSnapshotStatus> = GROUP_SNAPSHOT_TRANSITIONS[operation];
  const from = leaving(rule, false);
  const status = entered(rule);
  const groupSnapshot = await groupSnapshotRows.lock(db, id);
  if (groupSnapshot === undefined || (from !== 'any' && !from.includes(groupSnapshot.status))) return false;
  await groupSnapshotRows.update(db, id, { ...(status && { status }) });
  return true;
}

/** False when there was none. */
export async function deleteGroupSnapshotRow({ db }: Tx, id: string): Promise<boolean> {
  return groupSnapshotRows.delete(db, id);
}

/** Rejects with `GroupSnapshotNotFound` when the marker names none. */
export async function listGroupSnapshots(
  readers: Readers,
  query: ListQuery<GroupSnapshotField>,
): Promise<GroupSnapshot[]> {
  return (await page(readers, listing, query)).map(toGroupSnapshot);
}

function toGroupSnapshot(row: GroupSnapshotTable): GroupSnapshot {
  return {
    id: row.id,
    projectId: row.project_id,
    userId: row.user_id,
    name: row.name,
    description: row.description,
    status: row.status as GroupSnapshotStatus,
    groupId: row.group_id,
    groupTypeId: row.group_type_id,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    revision: row.revision,
  };
}
