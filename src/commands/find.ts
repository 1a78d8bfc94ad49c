/**
 * Finds a row by its id: the caller's own, or anybody's for an administrator. A row that the caller may not know of is not found.
 */
import { getAttachment } from '../db/attachments.ts';
import { getBackup } from '../db/backups.ts';
import { getGroupSnapshot } from '../db/group-snapshots.ts';
import { getGroupType, mayUseGroupType } from '../db/group-types.ts';
import { getGroup } from '../db/groups.ts';
import { findMessage, type Message } from '../db/messages.ts';
import { getSnapshot } from '../db/snapshots.ts';
import type { Db } from '../db/sql/db.ts';
import { getTransfer, type Transfer } from '../db/transfers.ts';
import { getVolumeType, mayUseVolumeType } from '../db/volume-types.ts';
import { getVolume } from '../db/volumes.ts';
import type { Attachment } from '../model/attachment.ts';
import type { Backup } from '../model/backup.ts';
import type { Caller } from '../model/caller.ts';
import {
  AttachmentNotFound,
  BackupNotFound,
  GroupNotFound,
  GroupSnapshotNotFound,
  GroupTypeNotFound,
  MessageNotFound,
  SnapshotNotFound,
  TransferNotFound,
  VolumeNotFound,
  VolumeTypeNotFound,
} from '../model/errors.ts';
import type { Group } from '../model/group.ts';
import type { GroupSnapshot } from '../model/group-snapshot.ts';
import type { GroupType } from '../model/group-type.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Volume } from '../model/volume.ts';
import type { VolumeType } from '../model/volume-type.ts';

export async function volumeFor(db: Db, caller: Caller, id: string): Promise<Volume> {
  const volume = await getVolume(db, id);
  if (!caller.isAdmin && volume.projectId !== caller.projectId) throw new VolumeNotFound(id);
  return volume;
}

export async function snapshotFor(db: Db, caller: Caller, id: string): Promise<Snapshot> {
  const snapshot = await getSnapshot(db, id);
  if (!caller.isAdmin && snapshot.projectId !== caller.projectId) throw new SnapshotNotFound(id);
  return snapshot;
}

/** A type that is public, or that the caller's project was given access to. */
export async function volumeTypeFor(db: Db, caller: Caller, id: string): Promise<VolumeType> {
  const type = await getVolumeType(db, id);
  if (!caller.isAdmin && !(await mayUseVolumeType(db, type, caller.projectId))) throw new VolumeTypeNotFound(id);
  return type;
}

/** A connection without an attachment is none. */
export async function attachmentFor(db: Db, caller: Caller, id: string): Promise<Attachment> {
  const attachment = await getAttachment(db, id);
  const mine = caller.isAdmin || attachment.projectId === caller.projectId;
  if (!mine || attachment.attachStatus === 'detached') throw new AttachmentNotFound(id);
  return attachment;
}

/** A type that is public, or that the caller's project has access to; any for an administrator. */
export async function groupTypeFor(db: Db, caller: Caller, id: string): Promise<GroupType> {
  const type = await getGroupType(db, id);
  if (!caller.isAdmin && !(await mayUseGroupType(db, type, caller.projectId))) throw new GroupTypeNotFound(id);
  return type;
}

export async function groupFor(db: Db, caller: Caller, id: string): Promise<Group> {
  const group = await getGroup(db, id);
  if (!caller.isAdmin && group.projectId !== caller.projectId) throw new GroupNotFound(id);
  return group;
}

export async function groupSnapshotFor(db: Db, caller: Caller, id: string): Promise<GroupSnapshot> {
  const groupSnapshot = await getGroupSnapshot(db, id);
  if (!caller.isAdmin && groupSnapshot.projectId !== caller.projectId) throw new GroupSnapshotNotFound(id);
  return groupSnapshot;
}

export async function backupFor(db: Db, caller: Caller, id: string): Promise<Backup> {
  const backup = await getBackup(db, id);
  if (!caller.isAdmin && backup.projectId !== caller.projectId) throw new BackupNotFound(id);
  return backup;
}

export async function messageFor(db: Db, caller: Caller, id: string): Promise<Message> {
  const message = await findMessage(db, id);
  if (message === undefined || (!caller.isAdmin && message.projectId !== caller.projectId))
    throw new MessageNotFound(id);
  return message;
}

/** Of the project that gives: who is to accept one knows its id and its key, and sees nothing else of it. */
export async function transferFor(db: Db, caller: Caller, id: string): Promise<Transfer> {
  const transfer = await getTransfer(db, id);
  if (!caller.isAdmin && transfer.projectId !== caller.projectId) throw new TransferNotFound(id);
  return transfer;
}
