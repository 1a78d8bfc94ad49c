/**
 * `os-reset_status` of a backup: an administrator overwrites its status. No store is asked; but what has no manifest is refused to be
 * available, since nobody could restore it. Refused while a flow holds the backup
 * exclusively: the status is that flow's to set.
 */
import { findContent } from '../../db/backup-contents.ts';
import { getBackup, updateBackup } from '../../db/backups.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { adminEvent } from '../../events/admin-notifications.ts';
import { isCinders } from '../../flows/backups/cinder-place.ts';
import { tell } from '../../flows/tell.ts';
import { UNKNOWN_VOLUME } from '../../model/backup.ts';
import type { BackupStatus } from '../../model/backup-status.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidBackup } from '../../model/errors.ts';
import { backupResource } from '../begin.ts';
import type { Desk } from '../desk.ts';
import { backupFor } from '../find.ts';
import { lockBackup } from '../lock.ts';
import { whileUnheld } from '../unheld.ts';

export async function resetBackupStatus(desk: Desk, caller: Caller, id: string, status: BackupStatus): Promise<void> {
  const resource = backupResource(id);
  const unheld = {
    resource,
    find: (db: Desk['db']['read']) => backupFor(db, caller, id),
    lock: (tx: Tx) => lockBackup(tx, caller, id),
  };
  const event = (eventType: string) =>
    adminEvent({ resource, eventType, publisherId: 'backupStatusUpdate', payload: { id, update: { status } } }, caller);
  await whileUnheld(desk, unheld, async (tx) => {
    const backup = await getBackup(tx.db, id);
    const isRead = isCinders(backup) && backup.volumeId !== UNKNOWN_VOLUME;
    const isWhole = isRead || (await findContent(tx.db, id)) !== undefined;
    if (status === 'available' && !isWhole)
      throw new InvalidBackup(`Backup ${id} was never whole, and cannot be made available.`);
    await tell(tx, event('backups.reset_status.start'));
    await updateBackup(tx, id, { status });
    await tell(tx, event('backups.reset_status.end'));
  });
}
