/**
 * The record of a backup: all that a database must know of it to restore it, as text for an operator to keep elsewhere. Its form is
 * Cinder's (`backup_url`: base64 of a JSON object of the row's fields); what our stores need stands under `driver_info`.
 */
import type { BackupContent } from '../../db/backup-contents.ts';
import type { BackupScopeRow } from '../../db/backup-scopes.ts';
import type { Backup } from '../../model/backup.ts';
import { InvalidInput } from '../../model/errors.ts';

/** What is read of a record; the rest is for people, or for Cinder. */
export interface BackupRecord {
  readonly id: string;
  readonly sizeGiB: number;
  readonly name: string | null;
  readonly description: string | null;
  readonly container: string | null;
  readonly objectCount: number;
  /** As the configuration that exported it called it, and may be called otherwise here. */
  readonly store: string;
  readonly scopeId: string;
  readonly root: string;
}

export function writeRecord(backup: Backup, scope: BackupScopeRow, content: BackupContent, dependents: number): string {
  const fields = {
    id: backup.id,
    user_id: backup.userId,
    project_id: backup.projectId,
    volume_id: backup.volumeId,
    host: backup.host,
    availability_zone: backup.availabilityZone,
    container: backup.container,
    parent_id: backup.parentId,
    status: backup.status,
    fail_reason: backup.failReason,
    size: backup.sizeGiB,
    display_name: backup.name,
    display_description: backup.description,
    service_metadata: backup.serviceMetadata,
    service: backup.service,
    object_count: backup.objectCount,
    temp_volume_id: null,
    temp_snapshot_id: null,
    num_dependent_backups: dependents,
    snapshot_id: backup.snapshotId,
    data_timestamp: backup.dataTimestamp,
    restore_volume_id: backup.restoreVolumeId,
    metadata: backup.metadata,
    encryption_key_id: backup.encryptionKeyId,
    created_at: backup.createdAt,
    updated_at: backup.updatedAt,
    deleted_at: null,
    deleted: false,
    driver_info: { store: scope.store, scope: scope.id, root: content.root },
  };
  return Buffer.from(JSON.stringify(fields)).toString('base64');
}

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;
const NAME = /^[A-Za-z0-9_-]{1,255}$/;
const MOST_GIB = 2_147_483_647;

/** A record that a real Cinder has exported: what tells one that cannot be restored without it is in the store. */
export interface CinderRecord
  extends Pick<BackupRecord, 'id' | 'sizeGiB' | 'name' | 'description' | 'container' | 'objectCount'> {
  readonly parentId: string | null;
  /** How the names of its objects begin, below its container. */
  readonly serviceMetadata: string;
}

/** The same of a record of Cinder's. */
export function readCinderRecord(text: string): CinderRecord {
  const record = objectIn(text);
  return {
    ...commonIn(record),
    parentId: record.parent_id == null ? null : demanded(record.parent_id, 'parent_id', (value) => UUID.test(value)),
    serviceMetadata: demanded(record.service_metadata, 'service_metadata', (value) => value.length <= 255),
  };
}

const commonIn = (record: Fields) => ({
  id: demanded(record.id, 'id', (value) => UUID.test(value)),
  sizeGiB: wholeIn(record.size, 'size', 1),
  name: maybeText(record.display_name, 'display_name'),
  description: maybeText(record.display_description, 'display_description'),
  container: maybeText(record.container, 'container'),
  objectCount: wholeIn(record.object_count ?? 0, 'object_count', 0),
});

/** Throws `InvalidInput`, which says what is wrong with it. */
export function readRecord(text: string): BackupRecord {
  const record = objectIn(text);
  const { driver_info: info } = record;
  const where = isObject(info) ? info : {};
  return {
    ...commonIn(record),
    objectCount: wholeIn(record.object_count, 'object_count', 0),
    store: demanded(where.store, 'driver_info.store', (value) => NAME.test(value)),
    scopeId: demanded(where.scope, 'driver_info.scope', (value) => NAME.test(value)),
    root: demanded(where.root, 'driver_info.root', (value) => /^[0-9a-f]{1,128}$/.test(value)),
  };
}

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function objectIn(text: string): Fields {
  try {
    const record: unknown = JSON.parse(Buffer.from(text, 'base64').toString());
    if (isObject(record)) return record;
  } catch {
    // Said below.
  }
  throw new InvalidInput('The record of the backup is no JSON object in base64.');
}

function demanded(value: unknown, name: string, isGood: (text: string) => boolean): string {
  if (typeof value === 'string' && isGood(value)) return value;
  throw new InvalidInput(`The record of the backup has no usable ${name}.`);
}

function wholeIn(value: unknown, name: string, least: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= MOST_GIB) return value;
  throw new InvalidInput(`The record of the backup has no usable ${name}.`);
}

function maybeText(value: unknown, name: string): string | null {
  if (value === null) return null;
  return demanded(value, name, (text) => text.length <= 255 && !text.includes('\0') && text.isWellFormed());
}
