/**
 * The attachments of volumes. A volume's view shows them, so every change of one raises the volume's revision, here and
 * nowhere else; in a transaction rows are found and changed in its cache (`sql/cached-rows.ts`).
 */
import { now } from '../lib/clock.ts';
import { newSecret } from '../lib/secret.ts';
import type { Attachment, AttachmentPatch, NewAttachment } from '../model/attachment.ts';
import { hostOf } from '../model/backend.ts';
import { AttachmentNotFound } from '../model/errors.ts';
import { CachedRows } from './sql/cached-rows.ts';
import { type Columns, flag, is, maybe, maybeJson, whole } from './sql/columns.ts';
import type { Db, Readers } from './sql/db.ts';
import type { ListQuery } from './sql/list-query.ts';
import { type Listing, page } from './sql/pages.ts';
import type { AttachmentTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';
import { touchVolume } from './volumes.ts';

export type AttachmentField = keyof Attachment;

const columns: Columns<Attachment, AttachmentTable> = {
  id: is('id'),
  projectId: is('project_id'),
  volumeId: is('volume_id'),
  instanceId: maybe('instance_uuid'),
  attachedHost: maybe('attached_host'),
  mountpoint: maybe('mountpoint'),
  attachMode: is('attach_mode'),
  attachStatus: is('attach_status'),
  connector: maybeJson('connector'),
  connectionInfo: maybeJson('connection_info'),
  secret: is('secret'),
  attachedAt: maybe('attached_at'),
  takenOver: flag('taken_over'),
  createdAt: is('created_at'),
  updatedAt: maybe('updated_at'),
  revision: whole('revision'),
};

const attachmentRows = new CachedRows<Attachment, AttachmentTable>('volume_attachment', 2, columns, toAttachment);

const listing: Listing<Attachment, AttachmentTable> = {
  table: 'volume_attachment',
  columns,
  notFound: (id) => new AttachmentNotFound(id),
};

export async function insertAttachment(tx: Tx, given: NewAttachment): Promise<Attachment> {
  const attachment: Attachment = {
    instanceId: null,
    attachedHost: null,
    mountpoint: null,
    connector: null,
    connectionInfo: null,
    secret: newSecret(),
    attachedAt: null,
    takenOver: false,
    createdAt: now(),
    ...given,
    updatedAt: null,
    revision: 1,
  };
  await attachmentRows.insert(tx.db, attachment);
  await touchVolume(tx, attachment.volumeId);
  return attachment;
}

export async function findAttachment(db: Db, id: string): Promise<Attachment | undefined> {
  return attachmentRows.find(db, id);
}

/** Rejects with `AttachmentNotFound`. */
export async function getAttachment(db: Db, id: string): Promise<Attachment> {
  const attachment = await findAttachment(db, id);
  if (attachment === undefined) throw new AttachmentNotFound(id);
  return attachment;
}

/** As it is now; nobody else changes it before the transaction ends. Rejects with `AttachmentNotFound`. */
export async function lockAttachment({ db }: Tx, id: string): Promise<Attachment> {
  const attachment = await attachmentRows.lock(db, id);
  if (attachment === undefined) throw new AttachmentNotFound(id);
  return attachment;
}

/** Those of a volume, which is locked: as they are now, by one statement, after which each is found without another. */
export async function lockAttachmentsOf({ db }: Tx, volumeId: string): Promise<void> {
  await attachmentRows.lockWhere(db, 'volumeId', volumeId);
}

/** Of one volume, the oldest first; connections without an attachment too. */
export async function attachmentsOf(db: Db, volumeId: string): Promise<Attachment[]> {
  const all = await attachmentRows.where(db, 'volumeId', volumeId);
  return all.sort((a, b) => (a.createdAt === b.createdAt ? compare(a.id, b.id) : compare(a.createdAt, b.createdAt)));
}

const compare = (a: string, b: string): number => (a < b ? -1 : 1);

/** Of committed rows; otherwise as `attachmentsOf`. */
export async function attachmentsOfAll(db: Db, volumeIds: readonly string[]): Promise<Attachment[]> {
  if (volumeIds.length === 0) return [];
  const rows = await db
    .selectFrom('volume_attachment')
    .selectAll()
    .where('volume_id', 'in', volumeIds)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
  return rows.map(toAttachment);
}

/** Those for which a host exports something, or is about to. */
export async function exportedBy(db: Db, host: string): Promise<Attachment[]> {
  const rows = await db
    .selectFrom('volume_attachment')
    .innerJoin('volume', 'volume.id', 'volume_attachment.volume_id')
    .selectAll('volume_attachment')
    .select('volume.host as pool')
    .where('volume_attachment.connector', 'is not', null)
    .where('volume.host', 'like', `${host}%`)
    .orderBy('volume_attachment.id')
    .execute();
  return rows.filter(({ pool }) => pool !== null && hostOf(pool) === host).map(toAttachment);
}

/** False when there is none. */
export async function updateAttachment(tx: Tx, id: string, patch: AttachmentPatch): Promise<boolean> {
  const attachment = await attachmentRows.lock(tx.db, id);
  if (attachment === undefined) return false;
  await attachmentRows.update(tx.db, id, patch);
  await touchVolume(tx, attachment.volumeId);
  return true;
}

/** False when there was none. */
export async function deleteAttachmentRow(tx: Tx, id: string): Promise<boolean> {
  const attachment = await attachmentRows.lock(tx.db, id);
  if (attachment === undefined) return false;
  await attachmentRows.delete(tx.db, id);
  await touchVolume(tx, attachment.volumeId);
  return true;
}

/** Rejects with `AttachmentNotFound` when the marker names none. */
export async function listAttachments(readers: Readers, query: ListQuery<AttachmentField>): Promise<Attachment[]> {
  const attached = { is: 'not-in', field: 'attachStatus', values: ['detached'] } as const;
  return (await page(readers, listing, { ...query, usual: [attached] })).map(toAttachment);
}

function toAttachment(row: AttachmentTable): Attachment {
  return {
    id: row.id,
    projectId: row.project_id,
    volumeId: row.volume_id,
    instanceId: row.instance_uuid,
    attachedHost: row.attached_host,
    mountpoint: row.mountpoint,
    attachMode: row.attach_mode as Attachment['attachMode'],
    attachStatus: row.attach_status as Attachment['attachStatus'],
    connector: row.connector === null ? null : JSON.parse(row.connector),
    connectionInfo: row.connection_info === null ? null : JSON.parse(row.connection_info),
    secret: row.secret,
    attachedAt: row.attached_at,
    takenOver: row.taken_over === 1,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    revision: row.revision,
  };
}
