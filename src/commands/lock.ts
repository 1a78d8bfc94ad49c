/**
 * Row locks: a caller's volume, snapshot, group or backup, or a volume type, inside a transaction that reads it to change it. Nobody else changes
 * it before the transaction ends.
 */
import { lockBackupRow } from '../db/backups.ts';
import { lockGroupSnapshotRow } from '../db/group-snapshots.ts';
import { getGroupType } from '../db/group-types.ts';
import { lockGroupRow } from '../db/groups.ts';
import { getQosSpecs } from '../db/qos-specs.ts';
import { lockSnapshotRow } from '../db/snapshots.ts';
import { lockRow } from '../db/sql/lock-row.ts';
import type { Tx } from '../db/sql/tx.ts';
import { getVolumeType } from '../db/volume-types.ts';
import { getVolume, lockVolumeRow } from '../db/volumes.ts';
import type { Backup } from '../model/backup.ts';
import type { Caller } from '../model/caller.ts';
import type { Group } from '../model/group.ts';
import type { GroupSnapshot } from '../model/group-snapshot.ts';
import type { GroupType } from '../model/group-type.ts';
import type { QosSpecs } from '../model/qos-specs.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { Volume } from '../model/volume.ts';
import type { VolumeType } from '../model/volume-type.ts';
import { backupFor, groupFor, groupSnapshotFor, snapshotFor, volumeFor } from './find.ts';

export async function lockVolume(tx: Tx, caller: Caller, id: string): Promise<Volume> {
  await lockVolumeRow(tx, id);
  return volumeFor(tx.db, caller, id);
}

/** Whoever's it is. */
export async function lockAnyVolume(tx: Tx, id: string): Promise<Volume> {
  await lockVolumeRow(tx, id);
  return getVolume(tx.db, id);
}

export async function lockSnapshot(tx: Tx, caller: Caller, id: string): Promise<Snapshot> {
  await lockSnapshotRow(tx, id);
  return snapshotFor(tx.db, caller, id);
}

export async function lockGroup(tx: Tx, caller: Caller, id: string): Promise<Group> {
  await lockGroupRow(tx, id);
  return groupFor(tx.db, caller, id);
}

export async function lockGroupSnapshot(tx: Tx, caller: Caller, id: string): Promise<GroupSnapshot> {
  await lockGroupSnapshotRow(tx, id);
  return groupSnapshotFor(tx.db, caller, id);
}

export async function lockBackup(tx: Tx, caller: Caller, id: string): Promise<Backup> {
  await lockBackupRow(tx, id);
  return backupFor(tx.db, caller, id);
}

/** Nor does anybody make a volume of the type before the transaction ends. */
export async function lockVolumeType(tx: Tx, id: string): Promise<VolumeType> {
  await lockRow(tx, 'volume_type', id);
  return getVolumeType(tx.db, id);
}

/** Nor does anybody give them to a volume type before the transaction ends. */
export async function lockQosSpecs(tx: Tx, id: string): Promise<QosSpecs> {
  await lockRow(tx, 'qos_specs', id);
  return getQosSpecs(tx.db, id);
}

/** Nor does anybody make a group of the type before the transaction ends. */
export async function lockGroupType(tx: Tx, id: string): Promise<GroupType> {
  await lockRow(tx, 'group_type', id);
  return getGroupType(tx.db, id);
}
