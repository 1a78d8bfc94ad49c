/**
 * The backups. Every change of a row raises its `revision` and sets `updatedAt`; in a transaction rows are found and changed in its
 * cache (`sql/cached-rows.ts`).
 *
 * Which backups depend on which is asked of the rows, by the parent that each names, and kept nowhere else.
 */
import { now, type Timestamp } from '../lib/clock.ts';
import type { Backup, BackupPatch, NewBackup } from '../model/backup.ts';
import { BACKUP_TRANSITIONS, type BackupStatus, type MovingBackup } from '../model/backup-status.ts';
import { BackupNotFound } from '../model/errors.ts';
import { entered, leaving, type Transition } from '../model/transition.ts';
import { damageOf } from './backup-checks.ts';
import type { BackupScopeRow } from './backup-scopes.ts';
import { CachedRows } from './sql/cached-rows.ts';
import { type Columns, is, json, maybe, maybeJson, maybeTextMap, textMap, whole } from './sql/columns.ts';
import { type Db, onlyIn, type Readers } from './sql/db.ts';
import type { ListFilter, ListQuery } from './sql/list-query.ts';
import { count, type Listing, page } from './sql/pages.ts';
import type { BackupTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

export type BackupField = keyof Backup;

const columns: Columns<Backup, BackupTable> = {
  id: is('id'),
  projectId: is('project_id'),
  userId: maybe('user_id'),
  volumeId: is('volume_id'),
  snapshotId: maybe('snapshot_id'),
  parentId: maybe('parent_id'),
  name: maybe('name'),
  description: maybe('description'),
  status: is('status'),
  failReason: maybe('fail_reason'),
  sizeGiB: whole('size_gib'),
  container: maybe('container'),
  availabilityZone: maybe('availability_zone'),
  host: maybe('host'),
  service: maybe('service'),
  serviceMetadata: maybe('service_metadata'),
  objectCount: whole('object_count'),
  dataTimestamp: maybe('data_timestamp'),
  restoreVolumeId: maybe('restore_volume_id'),
  encryptionKeyId: maybe('encryption_key_id'),
  metadata: json('metadata'),
  imageMetadata: maybeJson('image_metadata'),
  scopeId: maybe('scope_id'),
  epoch: whole('epoch'),
  scheduleId: maybe('schedule_id'),
  createdAt: is('created_at'),
  updatedAt: maybe('updated_at'),
  revision: whole('revision'),
};

const backupRows = new CachedRows<Backup, BackupTable>('backup', 8, columns, toBackup);

const listing: Listing<Backup, BackupTable> = {
  table: 'backup',
  columns,
  indexed: ['name', 'status', 'volumeId'],
  notFound: (id) => new BackupNotFound(id),
};

export async function insertBackup({ db }: Tx, given: NewBackup): Promise<Backup> {
  const backup: Backup = {
    snapshotId: null,
    parentId: null,
    name: null,
    description: null,
    failReason: null,
    container: null,
    availabilityZone: null,
    host: null,
    service: null,
    serviceMetadata: null,
    objectCount: 0,
    dataTimestamp: null,
    restoreVolumeId: null,
    encryptionKeyId: null,
    metadata: {},
    imageMetadata: null,
    scopeId: null,
    epoch: 0,
    scheduleId: null,
    createdAt: now(),
    ...given,
    updatedAt: null,
    revision: 1,
  };
  await backupRows.insert(db, backup);
  return backup;
}

export async function findBackup(db: Db, id: string): Promise<Backup | undefined> {
  return backupRows.find(db, id);
}

/** As `findBackup`; nobody else changes it before the transaction ends. */
export async function lockBackupRow({ db }: Tx, id: string): Promise<Backup | undefined> {
  return backupRows.lock(db, id);
}

/** Rejects with `BackupNotFound`. */
export async function getBackup(db: Db, id: string): Promise<Backup> {
  const backup = await findBackup(db, id);
  if (backup === undefined) throw new BackupNotFound(id);
  return backup;
}

/** False when there is no such backup, or it has changed since `revision`. */
export async function updateBackup({ db }: Tx, id: string, patch: BackupPatch, revision?: number): Promise<boolean> {
  return backupRows.update(db, id, patch, revision);
}

export interface BackupMove {
  /** Whatever status it is in. */
  readonly force?: boolean;
  /** Also written, when it moves. */
  readonly set?: Omit<BackupPatch, 'status'>;
}

/** A conditional update, as the operation's rule says (`model/backup-status.ts`): whether it was as asked, and has moved. */
export async function moveBackupStatus(
  { db }: Tx,
  id: string,
  operation: MovingBackup,
  { force = false, set = {} }: BackupMove = {},
): Promise<boolean> {
  const rule: Transition<BackupStatus> = BACKUP_TRANSITIONS[operation];
  const from = force ? 'any' : leaving(rule, false);
  const status = entered(rule);
  const backup = await backupRows.lock(db, id);
  if (backup === undefined || (from !== 'any' && !from.includes(backup.status))) return false;
  await backupRows.update(db, id, { ...set, ...(status && { status }) });
  return true;
}

/** False when there was none. */
export async function deleteBackupRow({ db }: Tx, id: string): Promise<boolean> {
  return backupRows.delete(db, id);
}

/** Rejects with `BackupNotFound` when the marker names none. */
export async function listBackups(readers: Readers, query: ListQuery<BackupField>): Promise<Backup[]> {
  return (await page(readers, listing, query)).map(toBackup);
}

export function countBackups(readers: Readers, filters: readonly ListFilter<BackupField>[]): Promise<number> {
  return count(readers, listing, filters);
}

/** So many whose manifests cannot be read are passed over. */
const PASSED_OVER = 20;

/** The available one of a scope, and of its project, whose data is the newest, and older than `before`. One that cannot be read is none. */
export async function newestAvailable(
  db: Db,
  { id: scopeId, projectId }: Pick<BackupScopeRow, 'id' | 'projectId'>,
  before: Timestamp | null,
): Promise<Backup | undefined> {
  const newest = await listBackups(onlyIn(db), {
    filters: [
      { is: 'equal', field: 'scopeId', value: scopeId },
      { is: 'equal', field: 'projectId', value: projectId },
      { is: 'equal', field: 'status', value: 'available' },
      ...(before === null ? [] : [{ is: 'compare', field: 'dataTimestamp', op: 'lt', value: before } as const]),
    ],
    sort: [{ field: 'dataTimestamp', direction: 'desc' }],
    limit: PASSED_OVER + 1,
  });
  const damage = await damageOf(
    db,
    newest.map(({ id }) => id),
  );
  const unreadable = new Set(damage.flatMap(({ backupId, pack }) => (pack === null ? [backupId] : [])));
  return newest.find(({ id }) => !unreadable.has(id));
}

/** Of these so many whose data is the newest, the newest first. */
export async function newestOf(db: Db, ids: readonly string[], limit: number): Promise<string[]> {
  if (ids.length === 0) return [];
  const all = db.selectFrom('backup').select('id').where('id', 'in', ids);
  const rows = await all.orderBy('data_timestamp', 'desc').orderBy('id').limit(limit).execute();
  return rows.map(({ id }) => id);
}

/** How many backups are increments to each of these; one that has none is absent. */
export async function dependentsOf(db: Db, ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom('backup')
    .select(({ fn }) => ['parent_id', fn.countAll<number>().as('count')])
    .where('parent_id', 'in', ids)
    .groupBy('parent_id')
    .execute();
  return new Map(rows.map(({ parent_id, count }) => [parent_id as string, count]));
}

function toBackup(row: BackupTable): Backup {
  return {
    id: row.id,
    projectId: row.project_id,
    userId: row.user_id,
    volumeId: row.volume_id,
    snapshotId: row.snapshot_id,
    parentId: row.parent_id,
    name: row.name,
    description: row.description,
    status: row.status as BackupStatus,
    failReason: row.fail_reason,
    sizeGiB: row.size_gib,
    container: row.container,
    availabilityZone: row.availability_zone,
    host: row.host,
    service: row.service,
    serviceMetadata: row.service_metadata,
    objectCount: row.object_count,
    dataTimestamp: row.data_timestamp,
    restoreVolumeId: row.restore_volume_id,
    encryptionKeyId: row.encryption_key_id,
    metadata: textMap(row.metadata),
    imageMetadata: maybeTextMap(row.image_metadata),
    scopeId: row.scope_id,
    epoch: row.epoch,
    scheduleId: row.schedule_id,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    revision: row.revision,
  };
}
