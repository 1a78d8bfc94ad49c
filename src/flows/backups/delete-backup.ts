/**
 * Delete a backup. Goes forward as `volumes/delete-volume.ts` does, for the same reasons.
 *
 * Its manifest goes first: then there is no such backup for whoever has the store. The row, its quota, the event and the end of the flow are one
 * commit, which also gives up the packs that only this backup was made of. They are removed when nobody can come to need them any more
 * (`remove-remains.ts`), and nobody waits for that.
 */
import { giveUpContent } from '../../db/backup-contents.ts';
import { deleteBackupRow, findBackup, getBackup, updateBackup } from '../../db/backups.ts';
import { countQuota } from '../../db/quotas.ts';
import { messageText } from '../../events/messages.ts';
import { BACKUP_TRANSITIONS, type BackupStatus } from '../../model/backup-status.ts';
import { backupQuota, negated } from '../../model/quota.ts';
import { tellBackup, tellUser } from '../tell.ts';
import { flow, obligation, record, world } from '../tools.ts';
import { DESTROYS, mayBeDestroyed } from '../volumes/delete-volume.ts';
import { placeOf } from './backup-place.ts';

export interface DeleteBackup {
  readonly backupId: string;
  readonly previousStatus: BackupStatus;
}

const ErrorDeleting = obligation({
  name: 'error_deleting',
  revert: async ({ backupId, previousStatus }: DeleteBackup, _outcome, { tx, failures, ...context }) => {
    const backup = await findBackup(tx.db, backupId);
    if (backup === undefined) return;
    const destroyed = mayBeDestroyed(failures, DeleteManifest.name, DeleteBackupOnFinish.name);
    const failReason = messageText(failures[0].name, 'delete-backup');
    await updateBackup(
      tx,
      backupId,
      destroyed ? { status: BACKUP_TRANSITIONS.delete.failure, failReason } : { status: previousStatus },
    );
    await tellUser(tx, 'delete-backup', failures[0], backup, context);
  },
});

const NotifyBackupAction = record({
  name: 'notify_backup_action;delete.start',
  execute: async ({ backupId }: DeleteBackup, { tx, requestId }) => {
    await tellBackup(tx, 'delete.start', await getBackup(tx.db, backupId), requestId);
  },
});

const DeleteManifest = world({
  name: 'delete_manifest',
  ...DESTROYS,
  execute: async ({ backupId }: DeleteBackup, { tools: { backups }, signal }) => {
    const backup = await getBackup(backups.db.read, backupId);
    if (backup.scopeId === null) return;
    const { place, opened } = await placeOf(backups, backup);
    if (opened) await (await backups.ground()).deleteManifest(place, signal);
  },
});

const DeleteBackupOnFinish = record({
  name: 'delete_backup_on_finish;delete.end',
  execute: async ({ backupId }: DeleteBackup, { tx, requestId }) => {
    const backup = await getBackup(tx.db, backupId);
    if (backup.scopeId !== null) await giveUpContent(tx, backupId, backup.scopeId);
    await tellBackup(tx, 'delete.end', backup, requestId);
    await deleteBackupRow(tx, backupId);
    await countQuota(tx, backup.projectId, negated(backupQuota(backup.sizeGiB)));
  },
});

export const deleteBackup = flow<DeleteBackup>('delete_backup')
  .add(ErrorDeleting)
  .add(NotifyBackupAction)
  .add(DeleteManifest)
  .add(DeleteBackupOnFinish)
  .build({ version: 1 });
