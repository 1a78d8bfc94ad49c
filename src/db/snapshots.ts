/**
 * The snapshots. Every change of a row raises its `revision` and sets `updatedAt`; in a transaction rows are found and changed in its
 * cache (`sql/cached-rows.ts`).
 */
import { now } from '../lib/clock.ts';
import { SnapshotNotFound } from '../model/errors.ts';
import type { NewSnapshot, Snapshot, SnapshotPatch } from '../model/snapshot.ts';
import { type MovingSnapshot, SNAPSHOT_TRANSITIONS, type SnapshotStatus } from '../model/status.ts';
import { entered, leaving, type Transition } from '../model/transition.ts';
import type { Volume } from '../model/volume.ts';
import { CachedRows } from './sql/cached-rows.ts';
import {
  type Columns,
  elsewhere,
  flag,
  is,
  json,
  maybe,
  maybeJson,
  maybeTextMap,
  textMap,
  whole,
} from './sql/columns.ts';
import { type Db, onlyIn, type Readers } from './sql/db.ts';
import type { ListFilter, ListQuery } from './sql/list-query.ts';
import { count, type Key, type Listing, page, pageKeys } from './sql/pages.ts';
import type { SnapshotTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

/** What snapshots are found by: their own fields, and what their volume says. */
export type SnapshotField = keyof Snapshot | 'availabilityZone' | 'host';

const ofVolume = (name: string): string => `SELECT volume.${name} FROM volume WHERE volume.id = snapshot.volume_id`;

const columns: Columns<Snapshot, SnapshotTable> = {
  id: is('id'),
  projectId: is('project_id'),
  userId: maybe('user_id'),
  volumeId: is('volume_id'),
  volumeTypeId: is('volume_type_id'),
  volumeSizeGiB: whole('volume_size_gib'),
  name: maybe('name'),
  description: maybe('description'),
  status: is('status'),
  progress: is('progress'),
  groupSnapshotId: maybe('group_snapshot_id'),
  usesQuota: flag('use_quota'),
  encryptionKeyId: maybe('encryption_key_id'),
  providerLocation: maybe('provider_location'),
  providerId: maybe('provider_id'),
  managedRef: maybeJson('managed_ref'),
  metadata: json('metadata'),
  imageMetadata: maybeJson('image_metadata'),
  createdAt: is('created_at'),
  updatedAt: maybe('updated_at'),
  revision: whole('revision'),
};

export const snapshotRows = new CachedRows<Snapshot, SnapshotTable>('snapshot', 2, columns, toSnapshot);

const listing: Listing<Snapshot & Pick<Volume, 'availabilityZone' | 'host'>, SnapshotTable> = {
  table: 'snapshot',
  columns: {
    ...columns,
    availabilityZone: elsewhere('volume_id', ofVolume('availability_zone')),
    host: elsewhere('volume_id', ofVolume('host')),
  },
  indexed: ['name', 'status'],
  notFound: (id) => new SnapshotNotFound(id),
};

export async function insertSnapshot({ db }: Tx, given: NewSnapshot): Promise<Snapshot> {
  const snapshot: Snapshot = {
    name: null,
    description: null,
    progress: '0%',
    groupSnapshotId: null,
    usesQuota: true,
    encryptionKeyId: null,
    providerLocation: null,
    providerId: null,
    managedRef: null,
    metadata: {},
    imageMetadata: null,
    createdAt: now(),
    ...given,
    updatedAt: null,
    revision: 1,
  };
  await snapshotRows.insert(db, snapshot);
  return snapshot;
}

export async function findSnapshot(db: Db, id: string): Promise<Snapshot | undefined> {
  return snapshotRows.find(db, id);
}

/** As `findSnapshot`; nobody else changes it before the transaction ends. */
export async function lockSnapshotRow({ db }: Tx, id: string): Promise<Snapshot | undefined> {
  return snapshotRows.lock(db, id);
}

/** Those of the ids that exist, in no order. */
export async function findSnapshots(db: Db, ids: readonly string[]): Promise<Snapshot[]> {
  if (ids.length === 0) return [];
  const rows = await db.selectFrom('snapshot').selectAll().where('id', 'in', ids).execute();
  return rows.map(toSnapshot);
}

/** Rejects with `SnapshotNotFound`. */
export async function getSnapshot(db: Db, id: string): Promise<Snapshot> {
  const snapshot = await findSnapshot(db, id);
  if (snapshot === undefined) throw new SnapshotNotFound(id);
  return snapshot;
}

/** Newest first. */
export async function snapshotsOf(db: Db, volumeId: string): Promise<Snapshot[]> {
  return listSnapshots(onlyIn(db), { filters: [{ is: 'equal', field: 'volumeId', value: volumeId }] });
}

/** The parts of a group snapshot, newest first. */
export async function snapshotsOfGroup(db: Db, groupSnapshotId: string): Promise<Snapshot[]> {
  return listSnapshots(onlyIn(db), { filters: [{ is: 'equal', field: 'groupSnapshotId', value: groupSnapshotId }] });
}

/** False when there is no such snapshot, or it has changed since `revision`. */
export async function updateSnapshot(
  { db }: Tx,
  id: string,
  patch: SnapshotPatch,
  revision?: number,
): Promise<boolean> {
  return snapshotRows.update(db, id, patch, revision);
}

export interface SnapshotMove {
  /** Whatever status it is in. */
  readonly force?: boolean;
  /** Also written, when it moves. */
  readonly set?: Omit<SnapshotPatch, 'status'>;
}

/** A conditional update, as the operation's rule says (`model/status.ts`): whether it was as asked, and has moved. */
export async function moveSnapshotStatus(
  { db }: Tx,
  id: string,
  operation: MovingSnapshot,
  { force = false, set = {} }: SnapshotMove = {},
): Promise<boolean> {
  const rule: Transition<SnapshotStatus> = SNAPSHOT_TRANSITIONS[operation];
  const from = force ? 'any' : leaving(rule, false);
  const status = entered(rule);
  const snapshot = await snapshotRows.lock(db, id);
  if (snapshot === undefined || (from !== 'any' && !from.includes(snapshot.status))) return false;
  await snapshotRows.update(db, id, { ...set, ...(status && { status }) });
  return true;
}

/** Of one that is being created; of any other it is kept as it is. */
export async function noteSnapshotProgress({ db }: Tx, id: string, percent: number): Promise<void> {
  const snapshot = await snapshotRows.lock(db, id);
  if (snapshot?.status === SNAPSHOT_TRANSITIONS.create.during[0])
    await snapshotRows.update(db, id, { progress: `${percent}%` });
}

/** False when there was none. */
export async function deleteSnapshotRow({ db }: Tx, id: string): Promise<boolean> {
  return snapshotRows.delete(db, id);
}

/** Rejects with `SnapshotNotFound` when the marker names none. */
export async function listSnapshots(readers: Readers, query: ListQuery<SnapshotField>): Promise<Snapshot[]> {
  return (await page(readers, listing, query)).map(toSnapshot);
}

/** The same page as `listSnapshots`, as keys only. */
export function listSnapshotKeys(readers: Readers, query: ListQuery<SnapshotField>): Promise<Key[]> {
  return pageKeys(readers, listing, query);
}

export function countSnapshots(readers: Readers, filters: readonly ListFilter<SnapshotField>[]): Promise<number> {
  return count(readers, listing, filters);
}

function toSnapshot(row: SnapshotTable): Snapshot {
  return {
    id: row.id,
    projectId: row.project_id,
    userId: row.user_id,
    volumeId: row.volume_id,
    volumeTypeId: row.volume_type_id,
    volumeSizeGiB: row.volume_size_gib,
    name: row.name,
    description: row.description,
    status: row.status as SnapshotStatus,
    progress: row.progress,
    groupSnapshotId: row.group_snapshot_id,
    usesQuota: row.use_quota === 1,
    encryptionKeyId: row.encryption_key_id,
    providerLocation: row.provider_location,
    providerId: row.provider_id,
    managedRef: maybeTextMap(row.managed_ref),
    metadata: textMap(row.metadata),
    imageMetadata: maybeTextMap(row.image_metadata),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    revision: row.revision,
  };
}
