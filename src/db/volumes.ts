/**
 * The volumes. Every change of a row raises its `revision` and sets `updatedAt`; in a transaction rows are found and changed in its cache
 * (`sql/cached-rows.ts`).
 */
import { sql } from 'kysely';
import { now } from '../lib/clock.ts';
import { VolumeNotFound } from '../model/errors.ts';
import { type AttachStatus, type MovingVolume, VOLUME_TRANSITIONS, type VolumeStatus } from '../model/status.ts';
import { entered, leaving, type Transition } from '../model/transition.ts';
import type { NewVolume, Volume, VolumePatch } from '../model/volume.ts';
import { CachedRows } from './sql/cached-rows.ts';
import { type Columns, flag, is, json, maybe, maybeJson, maybeTextMap, textMap, whole } from './sql/columns.ts';
import type { Db, Readers } from './sql/db.ts';
import { eachEntry, type ListFilter, type ListQuery, matches } from './sql/list-query.ts';
import { count, type Key, type Listing, page, pageKeys } from './sql/pages.ts';
import type { VolumeTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';
import { keepVolumeType } from './volume-types.ts';

export type VolumeField = keyof Volume;

const columns: Columns<Volume, VolumeTable> = {
  id: is('id'),
  nameId: maybe('name_id'),
  projectId: is('project_id'),
  userId: maybe('user_id'),
  name: maybe('name'),
  description: maybe('description'),
  sizeGiB: whole('size_gib'),
  status: is('status'),
  previousStatus: maybe('previous_status'),
  attachStatus: is('attach_status'),
  migrationStatus: maybe('migration_status'),
  host: maybe('host'),
  availabilityZone: maybe('availability_zone'),
  volumeTypeId: is('volume_type_id'),
  snapshotId: maybe('snapshot_id'),
  sourceVolumeId: maybe('source_volid'),
  groupId: maybe('group_id'),
  bootable: flag('bootable'),
  multiattach: flag('multiattach'),
  usesQuota: flag('use_quota'),
  encryptionKeyId: maybe('encryption_key_id'),
  replicationStatus: maybe('replication_status'),
  providerLocation: maybe('provider_location'),
  providerId: maybe('provider_id'),
  managedRef: maybeJson('managed_ref'),
  metadata: json('metadata'),
  adminMetadata: json('admin_metadata'),
  imageMetadata: maybeJson('image_metadata'),
  nextImageMetadata: maybeJson('next_image_metadata'),
  createdAt: is('created_at'),
  updatedAt: maybe('updated_at'),
  scheduledAt: maybe('scheduled_at'),
  launchedAt: maybe('launched_at'),
  terminatedAt: maybe('terminated_at'),
  revision: whole('revision'),
};

export const volumeRows = new CachedRows<Volume, VolumeTable>('volume', 1, columns, toVolume);

const listing: Listing<Volume, VolumeTable> = {
  table: 'volume',
  columns,
  indexed: ['name', 'status'],
  notFound: (id) => new VolumeNotFound(id),
};

/** Its type is there, and stays as it is, until the transaction ends. */
export async function insertVolume({ db }: Tx, given: NewVolume): Promise<Volume> {
  const volume: Volume = {
    nameId: null,
    name: null,
    description: null,
    previousStatus: null,
    attachStatus: 'detached',
    migrationStatus: null,
    host: null,
    availabilityZone: null,
    snapshotId: null,
    sourceVolumeId: null,
    groupId: null,
    bootable: false,
    multiattach: false,
    usesQuota: true,
    encryptionKeyId: null,
    replicationStatus: null,
    providerLocation: null,
    providerId: null,
    managedRef: null,
    metadata: {},
    adminMetadata: {},
    imageMetadata: null,
    nextImageMetadata: null,
    createdAt: now(),
    scheduledAt: null,
    launchedAt: null,
    terminatedAt: null,
    ...given,
    updatedAt: null,
    revision: 1,
  };
  await keepVolumeType(db, volume.volumeTypeId);
  await volumeRows.insert(db, volume);
  return volume;
}

export async function findVolume(db: Db, id: string): Promise<Volume | undefined> {
  return volumeRows.find(db, id);
}

/** As `findVolume`; nobody else changes it before the transaction ends. */
export async function lockVolumeRow({ db }: Tx, id: string): Promise<Volume | undefined> {
  return volumeRows.lock(db, id);
}

/** Those of the ids that exist, in no order. */
export async function findVolumes(db: Db, ids: readonly string[]): Promise<Volume[]> {
  if (ids.length === 0) return [];
  const rows = await db.selectFrom('volume').selectAll().where('id', 'in', ids).execute();
  return rows.map(toVolume);
}

/** Rejects with `VolumeNotFound`. */
export async function getVolume(db: Db, id: string): Promise<Volume> {
  const volume = await findVolume(db, id);
  if (volume === undefined) throw new VolumeNotFound(id);
  return volume;
}

/** False when there is no such volume, or it has changed since `revision`. */
export async function updateVolume({ db }: Tx, id: string, patch: VolumePatch, revision?: number): Promise<boolean> {
  return volumeRows.update(db, id, patch, revision);
}

export interface VolumeMove {
  /** What it may begin in besides, on a condition, it may now. */
  readonly also?: boolean;
  /** Whatever status it is in. */
  readonly force?: boolean;
  /** Also asked of the row. */
  readonly if?: readonly ListFilter<VolumeField>[];
  readonly withoutSnapshots?: boolean;
  readonly attachStatusNot?: AttachStatus;
  /** Nobody can reach it, nor is about to. */
  readonly withoutExports?: boolean;
  /** Also written, when it moves. */
  readonly set?: Omit<VolumePatch, 'status' | 'previousStatus'>;
}

/**
 * A conditional update, as the operation's rule says (`model/status.ts`): whether the volume was as asked, and has moved.
 * Of an operation that ends in the status before, that is kept in the row.
 */
export async function moveVolumeStatus(
  { db }: Tx,
  id: string,
  operation: MovingVolume,
  move: VolumeMove = {},
): Promise<boolean> {
  const rule: Transition<VolumeStatus> = VOLUME_TRANSITIONS[operation];
  const from = move.force ? 'any' : leaving(rule, move.also);
  const status = entered(rule);
  const volume = await volumeRows.lock(db, id);
  if (volume === undefined) return false;
  if (from !== 'any' && !from.includes(volume.status)) return false;
  if (volume.attachStatus === move.attachStatusNot) return false;
  if (move.withoutSnapshots && (await hasSnapshots(db, id))) return false;
  if (move.withoutExports && (await hasExports(db, id))) return false;
  if (move.if !== undefined && !(await isAs(db, id, move.if))) return false;
  const returns = rule.success === 'previous' || rule.success === 'mended';
  const previous = status !== undefined && returns ? { previousStatus: volume.status } : {};
  await volumeRows.update(db, id, { ...move.set, ...(status && { status }), ...previous });
  return true;
}

async function hasSnapshots(db: Db, id: string): Promise<boolean> {
  const one = await db.selectFrom('snapshot').select('id').where('volume_id', '=', id).limit(1).executeTakeFirst();
  return one !== undefined;
}

async function hasExports(db: Db, id: string): Promise<boolean> {
  const one = await db
    .selectFrom('volume_attachment')
    .select('id')
    .where('volume_id', '=', id)
    .where('connector', 'is not', null)
    .limit(1)
    .executeTakeFirst();
  return one !== undefined;
}

async function isAs(db: Db, id: string, filters: readonly ListFilter<VolumeField>[]): Promise<boolean> {
  const one = await db
    .selectFrom('volume')
    .select('id')
    .where('id', '=', id)
    .where(matches(db, columns, filters))
    .executeTakeFirst();
  return one !== undefined;
}

/** False when there was none. */
export async function deleteVolumeRow({ db }: Tx, id: string): Promise<boolean> {
  return volumeRows.delete(db, id);
}

/** Rejects with `VolumeNotFound` when the marker names none. */
export async function listVolumes(readers: Readers, query: ListQuery<VolumeField>): Promise<Volume[]> {
  return (await page(readers, listing, query)).map(toVolume);
}

/** The same page as `listVolumes`, as keys only. */
export function listVolumeKeys(readers: Readers, query: ListQuery<VolumeField>): Promise<Key[]> {
  return pageKeys(readers, listing, query);
}

export function countVolumes(readers: Readers, filters: readonly ListFilter<VolumeField>[]): Promise<number> {
  return count(readers, listing, filters);
}

export interface VolumeSummary {
  readonly count: number;
  readonly sizeGiB: number;
  /** Every value that each key has on any of them. */
  readonly metadata: Readonly<Record<string, readonly string[]>>;
}

export async function summarizeVolumes(
  { search }: Readers,
  filters: readonly ListFilter<VolumeField>[],
): Promise<VolumeSummary> {
  const where = matches(search, columns, filters);
  const totals = await search
    .selectFrom('volume')
    .select(({ fn }) => [
      fn.countAll<number>().as('count'),
      fn.coalesce(fn.sum<number>('size_gib'), sql<number>`0`).as('sizeGiB'),
    ])
    .where(where)
    .executeTakeFirstOrThrow();
  // Taken apart there: a hundred thousand texts are not this thread's work.
  const each = eachEntry(search, sql.ref('metadata'));
  const { rows } = await sql<{ key: string; value: string }>`
    SELECT DISTINCT entry.key AS "key", entry.value AS "value"
    FROM (SELECT DISTINCT metadata FROM volume WHERE ${where} AND metadata <> '{}') AS texts, ${each} AS entry`.execute(
    search,
  );
  const values = Map.groupBy(rows, ({ key }) => key);
  return {
    ...totals,
    metadata: Object.fromEntries([...values].map(([key, all]) => [key, all.map(({ value }) => value).sort()])),
  };
}

/** What is shown with the volume has changed, though not its row. */
export async function touchVolume({ db }: Tx, id: string): Promise<void> {
  await volumeRows.update(db, id, {});
}

function toVolume(row: VolumeTable): Volume {
  return {
    id: row.id,
    nameId: row.name_id,
    projectId: row.project_id,
    userId: row.user_id,
    name: row.name,
    description: row.description,
    sizeGiB: row.size_gib,
    status: row.status as Volume['status'],
    previousStatus: row.previous_status as Volume['previousStatus'],
    attachStatus: row.attach_status as Volume['attachStatus'],
    migrationStatus: row.migration_status,
    host: row.host,
    availabilityZone: row.availability_zone,
    volumeTypeId: row.volume_type_id,
    snapshotId: row.snapshot_id,
    sourceVolumeId: row.source_volid,
    groupId: row.group_id,
    bootable: row.bootable === 1,
    multiattach: row.multiattach === 1,
    usesQuota: row.use_quota === 1,
    encryptionKeyId: row.encryption_key_id,
    replicationStatus: row.replication_status,
    providerLocation: row.provider_location,
    providerId: row.provider_id,
    managedRef: maybeTextMap(row.managed_ref),
    metadata: textMap(row.metadata),
    adminMetadata: textMap(row.admin_metadata),
    imageMetadata: maybeTextMap(row.image_metadata),
    nextImageMetadata: maybeTextMap(row.next_image_metadata),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    scheduledAt: row.scheduled_at,
    launchedAt: row.launched_at,
    terminatedAt: row.terminated_at,
    revision: row.revision,
  };
}
