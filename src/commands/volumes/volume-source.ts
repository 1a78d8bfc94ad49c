/** The source of a new volume: at most one, in a status to be read, and not larger than the volume. */

import { VOLUME_BINARY } from '../../db/pools.ts';
import { listServices } from '../../db/services.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { getVolume } from '../../db/volumes.ts';
import { inGiB } from '../../lib/bytes.ts';
import type { Backup } from '../../model/backup.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidInput } from '../../model/errors.ts';
import type { Image } from '../../model/image.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { Volume } from '../../model/volume.ts';
import type { VolumeType } from '../../model/volume-type.ts';
import { checkBackupStatus, checkSnapshotStatus, checkVolumeStatus } from '../by-status.ts';
import { lockBackup, lockSnapshot, lockVolume } from '../lock.ts';

/** `origin` is the volume it comes from in the end: the source itself, or the volume of the snapshot. */
export type Source =
  | { readonly is: 'nothing' }
  | { readonly is: 'snapshot'; readonly snapshot: Snapshot; readonly origin: Volume }
  | { readonly is: 'volume'; readonly origin: Volume }
  | { readonly is: 'image'; readonly image: Image }
  | { readonly is: 'backup'; readonly backup: Backup };

export interface SourceRequest {
  readonly snapshotId: string | null;
  readonly sourceVolumeId: string | null;
  readonly image: Image | null;
  readonly backupId: string | null;
}

/** It is there, and as it was found, until the holds are taken. Rejects with 404 for what is not there, 400 for what cannot be read now. */
export async function findSource(
  tx: Tx,
  caller: Caller,
  { snapshotId, sourceVolumeId, backupId, image }: SourceRequest,
): Promise<Source> {
  if (snapshotId !== null) {
    const snapshot = await lockSnapshot(tx, caller, snapshotId);
    checkSnapshotStatus(snapshot, 'read');
    return { is: 'snapshot', snapshot, origin: await getVolume(tx.db, snapshot.volumeId) };
  }
  if (sourceVolumeId !== null) {
    const origin = await lockVolume(tx, caller, sourceVolumeId);
    checkVolumeStatus(origin, 'clone');
    return { is: 'volume', origin };
  }
  if (backupId !== null) {
    const backup = await lockBackup(tx, caller, backupId);
    checkBackupStatus(backup, 'restore');
    return { is: 'backup', backup };
  }
  return image === null ? { is: 'nothing' } : { is: 'image', image };
}

/** The size asked for, else the source's. GiB. */
export function sizeFor(requested: number | null, source: Source): number {
  const least = leastSizeGiB(source);
  const size = requested ?? (source.is === 'image' ? null : least);
  if (size === null || size < 1) throw new InvalidInput('The size of a volume must be given, at least 1 GiB.');
  if (size < least)
    throw new InvalidInput(`A volume of ${size}GiB is smaller than what it is made from, which needs ${least}GiB.`);
  return size;
}

function leastSizeGiB(source: Source): number {
  switch (source.is) {
    case 'snapshot':
      return source.snapshot.volumeSizeGiB;
    case 'volume':
      return source.origin.sizeGiB;
    case 'image':
      return leastSizeOf(source.image);
    case 'backup':
      return source.backup.sizeGiB;
    case 'nothing':
      return 0;
  }
}

/** GiB that a volume must have to hold an image. */
export function leastSizeOf({ sizeBytes, virtualSizeBytes, minDiskGiB }: Image): number {
  return Math.max(inGiB(Math.max(sizeBytes ?? 0, virtualSizeBytes ?? 0)), minDiskGiB);
}

/** A clone with another type would have to be retyped while it is made; that is possible where both name one backend. */
export async function checkTypeOfClone(
  { db }: Tx,
  source: Source,
  type: VolumeType,
  typeOfSource: VolumeType | null,
): Promise<void> {
  if (typeOfSource === null || source.is === 'nothing' || source.is === 'image' || type.id === typeOfSource.id) return;
  const backends = (await listServices(db, { binary: VOLUME_BINARY })).filter(({ disabled }) => !disabled);
  const sameName = type.extraSpecs.volume_backend_name === typeOfSource.extraSpecs.volume_backend_name;
  if (backends.length === 1 || (sameName && type.extraSpecs.volume_backend_name != null)) return;
  throw new InvalidInput(
    `A volume of type ${type.name} cannot be made from one of type ${typeOfSource.name}: they may be on different backends.`,
  );
}
