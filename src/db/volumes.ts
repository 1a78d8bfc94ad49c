/** The volumes. Every change of a row raises its `revision` and sets `updatedAt`, here and nowhere else. */
import { sql } from 'kysely';
import { now } from '../lib/clock.ts';
import { VolumeNotFound } from '../model/errors.ts';
import { type AttachStatus, type MovingVolume, VOLUME_TRANSITIONS, type VolumeStatus } from '../model/status.ts';
import { entered, leaving, type Transition } from '../model/transition.ts';
import type { NewVolume, Volume, VolumePatch } from '../model/volume.ts';
import { type Columns, flag, is, json, maybe, maybeJson, maybeTextMap, textMap, toRow } from './sql/columns.ts';
import type { Db } from './sql/db.ts';
import { type ListFilter, type ListQuery, matches } from './sql/list-query.ts';
import { count, type Key, type Listing, page, pageKeys } from './sql/pages.ts';
import type { VolumeTable } from './sql/schema.ts';
import type { Tx } from './sql/writer.ts';

export type VolumeField = keyof Volume;

const columns: Columns<Volume, VolumeTable> = {
  id: is('id'),
  nameId: maybe('name_id'),
  projectId: is('project_id'),
  userId: is('user_id'),
  name: maybe('name'),
  description: maybe('description'),
  sizeGiB: is('size_gib'),
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
  createdAt: is('created_at'),
  updatedAt: maybe('updated_at'),
  scheduledAt: maybe('scheduled_at'),
  launchedAt: maybe('launched_at'),
  terminatedAt: maybe('terminated_at'),
  revision: is('revision'),
};

const listing: Listing<Volume, VolumeTable> = { table: 'volume', columns, notFound: (id) => new VolumeNotFound(id) };

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
    createdAt: now(),
    scheduledAt: null,
    launchedAt: null,
    terminatedAt: null,
    ...given,
    updatedAt: null,
    revision: 1,
  };
  await db
    .insertInto('volume')
    .values(toRow(columns, volume) as VolumeTable)
    .execute();
  return volume;
}

export async function findVolume(db: Db, id: string): Promise<Volume | undefined> {
  const row = await db.selectFrom('volume').selectAll().where('id', '=', id).executeTakeFirst();
  return row && toVolume(row);
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
  let update = db
    .updateTable('volume')
    .set({ ...toRow(columns, patch), ...changed() })
    .where('id', '=', id);
  if (revision !== undefined) update = update.where('revision', '=', revision);
  const { numUpdatedRows } = await update.executeTakeFirst();
  return numUpdatedRows > 0n;
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
 * One conditional update, as the operation's rule says (`model/status.ts`): whether the volume was as asked, and has moved.
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
  let update = db
    .updateTable('volume')
    .set({ ...toRow(columns, { ...move.set, ...(status && { status }) }), ...changed() })
    .where('id', '=', id);
  if (status !== undefined && rule.success === 'previous') update = update.set({ previous_status: sql`status` });
  if (from !== 'any') update = update.where('status', 'in', from);
  if (move.attachStatusNot !== undefined) update = update.where('attach_status', '<>', move.attachStatusNot);
  if (move.withoutSnapshots) {
    update = update.where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('snapshot').select('snapshot.id').whereRef('snapshot.volume_id', '=', 'volume.id'))),
    );
  }
  if (move.withoutExports) {
    update = update.where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('volume_attachment')
            .select('volume_attachment.id')
            .whereRef('volume_attachment.volume_id', '=', 'volume.id')
            .where('volume_attachment.connector', 'is not', null),
        ),
      ),
    );
  }
  if (move.if !== undefined) update = update.where(matches(db, columns, move.if));
  const { numUpdatedRows } = await update.executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** False when there was none. */
export async function deleteVolumeRow({ db }: Tx, id: string): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom('volume').where('id', '=', id).executeTakeFirst();
  return numDeletedRows > 0n;
}

/** Rejects with `VolumeNotFound` when the marker names none. */
export async function listVolumes(db: Db, query: ListQuery<VolumeField>): Promise<Volume[]> {
  return (await page(db, listing, query)).map(toVolume);
}

/** The same page as `listVolumes`, as keys only. */
export function listVolumeKeys(db: Db, query: ListQuery<VolumeField>): Promise<Key[]> {
  return pageKeys(db, listing, query);
}

export function countVolumes(db: Db, filters: readonly ListFilter<VolumeField>[]): Promise<number> {
  return count(db, listing, filters);
}

export interface VolumeSummary {
  readonly count: number;
  readonly sizeGiB: number;
  /** Every value that each key has on any of them. */
  readonly metadata: Readonly<Record<string, readonly string[]>>;
}

export async function summarizeVolumes(db: Db, filters: readonly ListFilter<VolumeField>[]): Promise<VolumeSummary> {
  const where = matches(db, columns, filters);
  const totals = await db
    .selectFrom('volume')
    .select(({ fn }) => [
      fn.countAll<number>().as('count'),
      fn.coalesce(fn.sum<number>('size_gib'), sql<number>`0`).as('sizeGiB'),
    ])
    .where(where)
    .executeTakeFirstOrThrow();
  const texts = await db
    .selectFrom('volume')
    .select('metadata')
    .distinct()
    .where(where)
    .where('metadata', '<>', '{}')
    .execute();
  const values = new Map<string, Set<string>>();
  for (const { metadata } of texts) {
    for (const [key, value] of Object.entries(textMap(metadata)))
      values.set(key, (values.get(key) ?? new Set()).add(value));
  }
  return { ...totals, metadata: Object.fromEntries([...values].map(([key, set]) => [key, [...set].sort()])) };
}

/** What is shown with the volume has changed, though not its row. */
export async function touchVolume({ db }: Tx, id: string): Promise<void> {
  await db.updateTable('volume').set(changed()).where('id', '=', id).execute();
}

/** What every change of a row changes with it. */
function changed() {
  return { revision: sql<number>`revision + 1`, updated_at: now() };
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
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    scheduledAt: row.scheduled_at,
    launchedAt: row.launched_at,
    terminatedAt: row.terminated_at,
    revision: row.revision,
  };
}
