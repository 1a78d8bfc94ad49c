/**
 * Restore a backup into a volume that is there.
 *
 * The command has moved the backup to `restoring` and the volume to `restoring-backup`, and taken both for itself. The volume is written in place: until
 * all of it is, it holds neither what it did nor what it is to, so what fails in the middle leaves it `error_restoring`, and a restore
 * that is asked again begins anew. What fails before the first byte leaves it as it was. The backup is not touched. An operator may have what
 * is damaged left out: then a message says what of the volume is zeroes for that.
 */
import type { RestoreOutcome } from '../../backups/backups.ts';
import { endWork } from '../../db/backup-work.ts';
import { findBackup, getBackup, updateBackup } from '../../db/backups.ts';
import { findVolume, updateVolume } from '../../db/volumes.ts';
import { sizeText } from '../../lib/bytes.ts';
import { now } from '../../lib/clock.ts';
import { BACKUP_TRANSITIONS } from '../../model/backup-status.ts';
import { VOLUME_TRANSITIONS } from '../../model/status.ts';
import { noteForUser, tellBackup, tellUser } from '../tell.ts';
import { flow, obligation, onHostOf, record, world } from '../tools.ts';
import { mayBeDestroyed } from '../volumes/delete-volume.ts';
import { rangesText } from './damage-text.ts';
import { type RestoringBackup, restoreContent } from './restore-content.ts';
import { WAITS } from './store-patience.ts';

const GiveBack = obligation({
  name: 'give_back',
  revert: async ({ backupId, volumeRef: { id } }: RestoringBackup, _outcome, { tx, failures, ...context }) => {
    const begun =
      (await endWork(tx, backupId)) > 0 && mayBeDestroyed(failures, RestoreToVolume.name, RestoreOnFinish.name);
    const volume = await findVolume(tx.db, id);
    if (volume !== undefined)
      await updateVolume(tx, id, {
        status: begun ? VOLUME_TRANSITIONS.restore.failure : VOLUME_TRANSITIONS.restore.success,
      });
    const backup = await findBackup(tx.db, backupId);
    if (backup === undefined) return;
    await updateBackup(tx, backupId, { status: BACKUP_TRANSITIONS.restore.failure });
    await tellUser(tx, 'restore-backup', failures[0], backup, context);
  },
});

/** Also of a restore into a volume that is only made. */
export const RestoreStarted = record({
  name: 'notify_backup_action;restore.start',
  execute: async ({ backupId }: Pick<RestoringBackup, 'backupId'>, { tx, requestId }) => {
    await tellBackup(tx, 'restore.start', await getBackup(tx.db, backupId), requestId);
  },
});

const RestoreToVolume = world({
  name: 'restore_to_volume',
  ...WAITS,
  execute: async (input: RestoringBackup, call) => ({ restored: { ...(await restoreContent(input, false, call)) } }),
});

const RestoreOnFinish = record({
  name: 'restore_on_finish;restore.end',
  execute: async (
    { backupId, volumeRef: { id }, restored }: RestoringBackup & { restored?: RestoreOutcome },
    { tx, ...context },
  ) => {
    await endWork(tx, backupId);
    const backup = await getBackup(tx.db, backupId);
    const { imageMetadata } = backup;
    // Not in journals of before.
    if (restored !== undefined && restored.missingBytes > 0) {
      const bytes = restored.missing.reduce((sum, range) => sum + range.bytes, 0);
      const beyond = restored.missingBytes > bytes ? `, of ${sizeText(restored.missingBytes)} in all` : '';
      const where = `Missing are ${rangesText(restored.missing)}${beyond}.`;
      await noteForUser(tx, 'restore-backup', 'restoredInPart', backup, context, where);
    }
    await updateVolume(tx, id, {
      status: VOLUME_TRANSITIONS.restore.success,
      launchedAt: now(),
      ...(imageMetadata !== null && { bootable: true, imageMetadata }),
    });
    await updateBackup(tx, backupId, { status: BACKUP_TRANSITIONS.restore.success });
    await tellBackup(tx, 'restore.end', await getBackup(tx.db, backupId), context.requestId);
  },
});

export const restoreBackup = flow<RestoringBackup>('restore_backup')
  .add(GiveBack)
  .lane(onHostOf)
  .add(RestoreStarted)
  .add(RestoreToVolume)
  .add(RestoreOnFinish)
  .build({ version: 1 });
