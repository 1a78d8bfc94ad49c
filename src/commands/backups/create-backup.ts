/**
 * `POST /backups`: of a volume that is available, by force of one in use, or of a snapshot, whose volume may be in whatever status.
 *
 * An increment points to the available backup of the volume, in the caller's project, whose data is the newest; of a snapshot to one that is
 * older than that. It belongs to the project that asks, and only what that has backed up before can be its parent.
 */

import { type BackupScopeRow, scopeOfVolume } from '../../db/backup-scopes.ts';
import { insertBackup, lockBackupRow, newestAvailable } from '../../db/backups.ts';
import { moveSnapshotStatus } from '../../db/snapshots.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { moveVolumeStatus } from '../../db/volumes.ts';
import { createBackup as flow } from '../../flows/backups/create-backup.ts';
import { take } from '../../flows/quota.ts';
import { now, type Timestamp, uuid } from '../../lib/clock.ts';
import { nodeOf } from '../../model/backend.ts';
import { BACKUP_SERVICE, type Backup } from '../../model/backup.ts';
import { BACKUP_TRANSITIONS } from '../../model/backup-status.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidBackup, InvalidVolume } from '../../model/errors.ts';
import { backupQuota } from '../../model/quota.ts';
import { type Snapshot, snapshotRefOf } from '../../model/snapshot.ts';
import { type Metadata, refOf, type Volume } from '../../model/volume.ts';
import { backupResource, begin, exclusive, shared, snapshotResource, volumeResource } from '../begin.ts';
import { refusedSnapshot, refusedVolume } from '../by-status.ts';
import type { Desk, OrderDesk } from '../desk.ts';
import { lockSnapshot, lockVolume } from '../lock.ts';
import { isMigrating } from '../volumes/migrating.ts';
import { demandBackupService } from './backup-service.ts';

export interface CreateBackupRequest {
  readonly volumeId: string;
  readonly snapshotId: string | null;
  readonly name: string | null;
  readonly description: string | null;
  readonly container: string | null;
  /** `if-possible`: all is stored where there is nothing to be an increment to. */
  readonly incremental: boolean | 'if-possible';
  /** Of a volume in use too. */
  readonly force: boolean;
  readonly metadata: Metadata;
  readonly availabilityZone: string | null;
  /** As the configuration calls it; default: where backups go. */
  readonly store?: string | null;
  /** Of the schedule that asks; default: somebody does. */
  readonly scheduleId?: string;
}

export async function createBackup(desk: Desk, caller: Caller, request: CreateBackupRequest): Promise<Backup> {
  return desk.db.write(async (tx) => {
    const { store, availabilityZone } = await demandBackupService(desk, tx.db, request.availabilityZone, request.store);
    const volume = await lockVolume(tx, caller, request.volumeId);
    const snapshot = request.snapshotId === null ? null : await lockSnapshot(tx, caller, request.snapshotId);
    if (snapshot !== null && snapshot.volumeId !== volume.id)
      throw new InvalidVolume(`Snapshot ${snapshot.id} is not of volume ${volume.id}.`);
    const pool = await lendToBackup(tx, volume, snapshot, request);
    const scope = await scopeOfVolume(tx, store, caller.projectId, volume.id);
    const parentId = request.incremental ? await parentIn(tx, scope, snapshot?.createdAt ?? null) : null;
    if (parentId === null && request.incremental === true)
      throw new InvalidBackup('No backups available to do an incremental backup.');
    const sizeGiB = snapshot?.volumeSizeGiB ?? volume.sizeGiB;
    await take(tx, caller.projectId, backupQuota(sizeGiB), desk.config.quota);
    const createdAt = now();
    const backup = await insertBackup(tx, {
      id: uuid(),
      projectId: caller.projectId,
      userId: caller.userId,
      volumeId: volume.id,
      snapshotId: request.snapshotId,
      parentId,
      name: request.name,
      description: request.description,
      status: BACKUP_TRANSITIONS.create.during[0],
      sizeGiB,
      container: request.container ?? scope.id,
      availabilityZone,
      host: nodeOf(pool),
      service: BACKUP_SERVICE,
      dataTimestamp: snapshot?.createdAt ?? createdAt,
      metadata: request.metadata,
      imageMetadata: bootableMetadata(volume, snapshot),
      scopeId: scope.id,
      epoch: scope.epoch,
      scheduleId: request.scheduleId ?? null,
      createdAt,
    });
    await beginCopy(desk, tx, caller, backup, { volume, snapshot, pool });
    return backup;
  });
}

/** What a backup is made of: the volume, or a snapshot of it, as they are under their locks. */
export interface BackupOf {
  readonly volume: Volume;
  readonly snapshot: Snapshot | null;
  readonly pool: string;
}

/** The backup is the flow's alone; what it is made of is shared. `earlierAttempts`: of tries that failed. Resolves with the id of the flow. */
export function beginCopy(
  desk: OrderDesk,
  tx: Tx,
  caller: Caller,
  { id: backupId, projectId, parentId }: Backup,
  { volume, snapshot, pool }: BackupOf,
  earlierAttempts?: number,
): Promise<string> {
  return begin(
    desk,
    tx,
    caller,
    flow,
    {
      backupId,
      volumeRef: refOf(volume),
      snapshotRef: snapshot && snapshotRefOf(snapshot, volume),
      pool,
      parentId,
      ...(earlierAttempts !== undefined && { earlierAttempts }),
    },
    {
      resource: backupResource(backupId),
      projectId,
      holds: [
        exclusive(backupResource(backupId)),
        shared(volumeResource(volume.id)),
        ...(snapshot === null ? [] : [shared(snapshotResource(snapshot.id))]),
      ],
    },
  );
}

/** The pool of the volume. Throws `InvalidVolume` where it is on none, or on its way from it, and moves the status of what is backed up. */
export async function lendToBackup(
  tx: Tx,
  volume: Volume,
  snapshot: Snapshot | null,
  { force }: { readonly force: boolean },
): Promise<string> {
  const { host: pool } = volume;
  if (pool === null || isMigrating(volume))
    throw new InvalidVolume(`Volume ${volume.id} is not on a backend, or on its way to another.`);
  await moveToBackingUp(tx, volume, snapshot, force);
  return pool;
}

async function moveToBackingUp(tx: Tx, volume: Volume, snapshot: Snapshot | null, force: boolean): Promise<void> {
  if (snapshot !== null) {
    if (!(await moveSnapshotStatus(tx, snapshot.id, 'backup'))) throw refusedSnapshot(snapshot, 'backup');
  } else if (!(await moveVolumeStatus(tx, volume.id, 'backup', { also: force })))
    throw refusedVolume(volume, 'backup', force);
}

/** It stays as long as it has increments. Null: there is none. */
async function parentIn(tx: Tx, scope: BackupScopeRow, before: Timestamp | null): Promise<string | null> {
  const found = await newestAvailable(tx.db, scope, before);
  const parent = found && (await lockBackupRow(tx, found.id));
  return parent?.status === 'available' ? parent.id : null;
}

/** What is restored can be booted from if this could. */
export function bootableMetadata({ bootable, imageMetadata }: Volume, snapshot: Snapshot | null): Metadata | null {
  if (!bootable) return null;
  return (snapshot === null ? imageMetadata : snapshot.imageMetadata) ?? {};
}
