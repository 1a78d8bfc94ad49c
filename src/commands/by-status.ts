/**
 * Commands and the rules of statuses: asks whether an operation may begin, and refuses it in the words of the table
 * (`model/status.ts` and its neighbours). Volume, snapshot, group and backup are as their rows are under a lock.
 */
import type { Backup } from '../model/backup.ts';
import { BACKUP_TRANSITIONS, type RefusingBackup } from '../model/backup-status.ts';
import { InvalidBackup, InvalidGroup, InvalidGroupSnapshot, InvalidSnapshot, InvalidVolume } from '../model/errors.ts';
import type { Group } from '../model/group.ts';
import type { GroupSnapshot } from '../model/group-snapshot.ts';
import {
  GROUP_SNAPSHOT_TRANSITIONS,
  GROUP_TRANSITIONS,
  type RefusingGroup,
  type RefusingGroupSnapshot,
} from '../model/group-status.ts';
import type { Snapshot } from '../model/snapshot.ts';
import {
  type RefusingSnapshot,
  type RefusingVolume,
  SNAPSHOT_TRANSITIONS,
  VOLUME_TRANSITIONS,
} from '../model/status.ts';
import { demand, leaves, type Transition } from '../model/transition.ts';
import type { Volume } from '../model/volume.ts';

/** `also`: it may begin in more statuses, since the condition for that is met. */
export function refusedVolume(
  { id, status, attachStatus }: Volume,
  operation: RefusingVolume,
  also = false,
): InvalidVolume {
  const rule: Transition<string> = VOLUME_TRANSITIONS[operation];
  const is = rule.tellsAttachStatus ? `${status}, ${attachStatus}` : status;
  return new InvalidVolume(`Volume ${id} ${demand(rule, also)}; it is ${is}.`);
}

/** Throws `InvalidVolume`. */
export function checkVolumeStatus(volume: Volume, operation: RefusingVolume, also = false): void {
  if (!leaves<string>(VOLUME_TRANSITIONS[operation], volume.status, also)) throw refusedVolume(volume, operation, also);
}

export function refusedSnapshot({ id, status }: Snapshot, operation: RefusingSnapshot): InvalidSnapshot {
  return new InvalidSnapshot(`Snapshot ${id} ${demand(SNAPSHOT_TRANSITIONS[operation])}; it is ${status}.`);
}

/** Throws `InvalidSnapshot`. */
export function checkSnapshotStatus(snapshot: Snapshot, operation: RefusingSnapshot): void {
  if (!leaves<string>(SNAPSHOT_TRANSITIONS[operation], snapshot.status)) throw refusedSnapshot(snapshot, operation);
}

export function refusedBackup({ id, status }: Backup, operation: RefusingBackup): InvalidBackup {
  return new InvalidBackup(`Backup ${id} ${demand(BACKUP_TRANSITIONS[operation])}; it is ${status}.`);
}

/** Throws `InvalidBackup`. */
export function checkBackupStatus(backup: Backup, operation: RefusingBackup): void {
  if (!leaves<string>(BACKUP_TRANSITIONS[operation], backup.status)) throw refusedBackup(backup, operation);
}

export function refusedGroup({ id, status }: Group, operation: RefusingGroup): InvalidGroup {
  return new InvalidGroup(`Group ${id} ${demand(GROUP_TRANSITIONS[operation])}; it is ${status}.`);
}

/** Throws `InvalidGroup`. */
export function checkGroupStatus(group: Group, operation: RefusingGroup): void {
  if (!leaves<string>(GROUP_TRANSITIONS[operation], group.status)) throw refusedGroup(group, operation);
}

/** Throws `InvalidGroupSnapshot`. */
export function checkGroupSnapshotStatus({ id, status }: GroupSnapshot, operation: RefusingGroupSnapshot): void {
  const rule = GROUP_SNAPSHOT_TRANSITIONS[operation];
  if (!leaves<string>(rule, status))
    throw new InvalidGroupSnapshot(`Group snapshot ${id} ${demand(rule)}; it is ${status}.`);
}
