/**
 * An operator's order: begins a backup again that failed for its store's sake. It is made of what the volume holds by now, and what was stored
 * before counts where that is the same; so its data is of this moment, and it has to be of the same size, in the same project. The quota
 * counts it still, and what it is an increment to has stayed for its sake.
 */
import { findContent } from '../../db/backup-contents.ts';
import { findScope } from '../../db/backup-scopes.ts';
import { attemptsOf } from '../../db/backup-work.ts';
import { getBackup, lockBackupRow, moveBackupStatus } from '../../db/backups.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { now } from '../../lib/clock.ts';
import { nodeOf } from '../../model/backend.ts';
import type { Backup } from '../../model/backup.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidBackup } from '../../model/errors.ts';
import { checkBackupStatus } from '../by-status.ts';
import type { OrderDesk } from '../desk.ts';
import { backupFor } from '../find.ts';
import { lockBackup, lockSnapshot, lockVolume } from '../lock.ts';
import { beginCopy, bootableMetadata, lendToBackup } from './create-backup.ts';

/** `force`: of a volume in use too. Resolves with the id of the flow. */
export async function retryBackup(
  desk: OrderDesk,
  caller: Caller,
  id: string,
  { force }: { readonly force: boolean },
): Promise<string> {
  return desk.db.write(async (tx) => {
    const { volumeId, snapshotId } = await backupFor(tx.db, caller, id);
    // The volume first, as by whoever makes a backup of it.
    const volume = await lockVolume(tx, caller, volumeId);
    const snapshot = snapshotId === null ? null : await lockSnapshot(tx, caller, snapshotId);
    const backup = await lockBackup(tx, caller, id);
    const { attempts, epoch } = await demandKept(tx, backup);
    if (volume.projectId !== backup.projectId)
      throw new InvalidBackup(`Volume ${volumeId} is of another project than backup ${id}.`);
    const sizeGiB = snapshot?.volumeSizeGiB ?? volume.sizeGiB;
    if (sizeGiB !== backup.sizeGiB)
      throw new InvalidBackup(`Backup ${id} is of ${backup.sizeGiB} GiB, and volume ${volumeId} has ${sizeGiB}.`);
    const pool = await lendToBackup(tx, volume, snapshot, { force });
    const set = {
      failReason: null,
      host: nodeOf(pool),
      dataTimestamp: snapshot?.createdAt ?? now(),
      imageMetadata: bootableMetadata(volume, snapshot),
      epoch,
    };
    await moveBackupStatus(tx, id, 'retry', { set });
    return beginCopy(desk, tx, caller, await getBackup(tx.db, id), { volume, snapshot, pool }, attempts);
  });
}

/** What is needed to begin it again. Throws `InvalidBackup` where it is not there. */
async function demandKept(tx: Tx, backup: Backup): Promise<{ readonly attempts: number; readonly epoch: number }> {
  const { id, scopeId, parentId } = backup;
  checkBackupStatus(backup, 'retry');
  const attempts = await attemptsOf(tx.db, id);
  const scope = scopeId === null ? undefined : await findScope(tx.db, scopeId);
  if (attempts === undefined || scope === undefined || (await findContent(tx.db, id)) !== undefined)
    throw new InvalidBackup(`Nothing is kept of backup ${id} to begin it again: make a new one.`);
  const parent = parentId === null ? null : await lockBackupRow(tx, parentId);
  if (parent !== null && parent?.status !== 'available')
    throw new InvalidBackup(`Backup ${parentId}, to which ${id} is an increment, is not available.`);
  return { attempts, epoch: scope.epoch };
}
