/**
 * The metadata of a backup that a real Cinder has made, by one of its drivers that store chunks (posix, NFS, S3, Swift): which objects it is
 * made of, and what lies where in the volume. The form is that of `cinder/backup/chunkeddriver.py`, version 1.0.0; whoever wrote it may have been anybody, so
 * everything in it is checked.
 */
import type { Timestamp } from '../../lib/clock.ts';
import { BackupDamaged, BackupFailed, BackupFormatTooNew } from '../../model/errors.ts';

export const COMPRESSIONS = ['none', 'zlib', 'zstd'] as const;
export type CinderCompression = (typeof COMPRESSIONS)[number];

export interface CinderObject {
  /** In its store. */
  readonly name: string;
  /** Where its plain bytes lie in the volume, and how many they are. */
  readonly at: number;
  readonly bytes: number;
  readonly compression: CinderCompression;
  /** Of the plain bytes, in hex. */
  readonly md5: string;
}

export interface CinderMetadata {
  readonly backupId: string;
  /** As its user called it. */
  readonly name: string | null;
  readonly volumeId: string;
  /** Of which it is an increment; null: it holds all. */
  readonly parentId: string | null;
  /** Null: it does not say. */
  readonly createdAt: Timestamp | null;
  /** By where they lie; no two overlap. */
  readonly objects: readonly CinderObject[];
}

const ID = '[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}';
const NAME = new RegExp(`^(?:(.*)/)?(volume_${ID}[_/].*_backup_(${ID}))_metadata$`);

/** Where the metadata lies: below what its objects do, and how their names begin. Undefined when nothing of Cinder's is called so. */
export function cinderName(
  name: string,
): { readonly container: string; readonly prefix: string; readonly id: string } | undefined {
  const [, container = '', prefix, id] = NAME.exec(name) ?? [];
  return prefix === undefined || id === undefined ? undefined : { container: container && `${container}/`, prefix, id };
}

/** Where Cinder's drivers for directories put a backup when nobody says where. */
export const ownContainer = (id: string): string => `${id.slice(0, 2)}/${id.slice(2, 4)}/${id}/`;

/** Throws `BackupDamaged`, `BackupFormatTooNew`, or `BackupFailed` for what is right and cannot be read here. */
export function readCinderMetadata(name: string, text: string): CinderMetadata {
  const place = cinderName(name);
  const metadata = objectIn(text);
  if (place === undefined || typeof metadata?.version !== 'string')
    throw damaged(name, 'it is no metadata of a backup');
  if (metadata.version !== '1.0.0')
    throw new BackupFormatTooNew(`${name} is of version ${metadata.version}; 1.0.0 can be read.`);
  const { backup_id: backupId, volume_id: volumeId, parent_id: parentId = null } = metadata;
  if (backupId !== place.id || !isId(volumeId) || !(parentId === null || isId(parentId)))
    throw damaged(name, 'it does not say of which backup it is');
  if (isEncrypted(metadata.volume_meta))
    throw new BackupFailed(
      `Backup ${backupId} is of an encrypted volume: what it holds can be read only with that volume's key, by the Cinder that has it.`,
    );
  if (!Array.isArray(metadata.objects)) throw damaged(name, 'it names no objects');
  const objects = metadata.objects.map((each) => objectOf(name, place, each)).sort((a, b) => a.at - b.at);
  for (const [index, { at }] of objects.entries()) {
    const before = objects[index - 1];
    if (before !== undefined && before.at + before.bytes > at) throw damaged(name, 'two of its objects overlap');
  }
  const { backup_name: called, created_at: created } = metadata;
  return {
    backupId,
    name: typeof called === 'string' ? called : null,
    volumeId,
    parentId,
    createdAt: timeIn(created),
    objects,
  };
}

type Fields = Readonly<Record<string, unknown>>;

function objectOf(
  name: string,
  { container, prefix }: { container: string; prefix: string },
  told: unknown,
): CinderObject {
  const [entry] = isFields(told) ? Object.entries(told) : [];
  const [called = '', fields] = entry ?? [];
  // A name leads nowhere else.
  if (!isFields(fields) || !called.startsWith(`${prefix}-`) || !/^\d{1,12}$/.test(called.slice(prefix.length + 1)))
    throw damaged(name, 'an object has a name that none of it has');
  const { offset, length, compression, md5 } = fields;
  if (!isCount(offset) || !isCount(length) || length === 0 || !Number.isSafeInteger(offset + length))
    throw damaged(name, `${called} lies nowhere`);
  if (typeof md5 !== 'string' || !/^[0-9a-f]{32}$/.test(md5)) throw damaged(name, `${called} has no digest`);
  if (!isCompression(compression))
    throw new BackupFailed(
      `${container}${called} is compressed with ${JSON.stringify(compression)}, which cannot be read here; ${COMPRESSIONS.join(', ')} can.`,
    );
  return { name: `${container}${called}`, at: offset, bytes: length, compression, md5 };
}

/** Cinder writes it in UTC, with or without saying so. */
function timeIn(told: unknown): Timestamp | null {
  const [, day, time] = typeof told === 'string' ? (/^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)/.exec(told) ?? []) : [];
  return day === undefined || time === undefined ? null : `${day}T${time}.000000`;
}

/** Text within the text, or nothing. */
function isEncrypted(meta: unknown): boolean {
  const base = typeof meta === 'string' ? objectIn(meta)?.['volume-base-metadata'] : undefined;
  return isFields(base) && base.encryption_key_id != null;
}

function objectIn(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isId = (value: unknown): value is string => typeof value === 'string' && new RegExp(`^${ID}$`).test(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isCompression = (value: unknown): value is CinderCompression =>
  (COMPRESSIONS as readonly unknown[]).includes(value);
const damaged = (name: string, what: string): BackupDamaged => new BackupDamaged(`${name} cannot be used: ${what}.`);
