/** An operator's order: looks at a backup in its store. It moves no status, and who restores or deletes the backup is not in its way. */
import { verifyBackup as flow, type VerifyBackup } from '../../flows/backups/verify-backup.ts';
import type { Caller } from '../../model/caller.ts';
import { backupResource, begin, exclusive } from '../begin.ts';
import { checkBackupStatus } from '../by-status.ts';
import type { OrderDesk } from '../desk.ts';
import { lockBackup } from '../lock.ts';
import { refuseCinders } from './refuse-cinders.ts';

/** Resolves with the id of the flow. */
export async function verifyBackup(
  desk: OrderDesk,
  caller: Caller,
  id: string,
  how: Omit<VerifyBackup, 'backupId'>,
): Promise<string> {
  return desk.db.write(async (tx) => {
    const backup = await lockBackup(tx, caller, id);
    checkBackupStatus(backup, 'verify');
    refuseCinders(backup, 'be verified by itself: a restore compares all of it');
    return begin(
      desk,
      tx,
      caller,
      flow,
      { backupId: id, ...how },
      { resource: backupResource(id), projectId: backup.projectId, holds: [exclusive(`verification:${id}`)] },
    );
  });
}
