/**
 * Import a backup that a real Cinder has made, of which its record tells.
 *
 * The command has inserted the row (`creating`) from the record and counted the quota. Here its metadata is looked for, read with that of all that
 * it goes back to, and compared with the record; what it says of the volume goes to the row. Its objects are read when it is restored, from
 * where Cinder has put them: nothing is copied, and nothing is ever written or deleted there. If it fails the row says `error` and why.
 */
import { findBackup, getBackup, updateBackup } from '../../db/backups.ts';
import { messageText } from '../../events/messages.ts';
import { GIB } from '../../lib/bytes.ts';
import { BACKUP_TRANSITIONS } from '../../model/backup-status.ts';
import { BackupDamaged } from '../../model/errors.ts';
import { tellUser } from '../tell.ts';
import { flow, obligation, record, world } from '../tools.ts';
import { findCinder } from './cinder-place.ts';

export interface ImportCinderBackup {
  readonly backupId: string;
}

const ErrorOut = obligation({
  name: 'error_out',
  revert: async ({ backupId }: ImportCinderBackup, _outcome, { tx, failures, ...context }) => {
    const backup = await findBackup(tx.db, backupId);
    if (backup === undefined) return;
    const failReason = messageText(failures[0].name, 'import-backup');
    await updateBackup(tx, backupId, { status: BACKUP_TRANSITIONS.import.failure, failReason });
    await tellUser(tx, 'import-backup', failures[0], backup, context);
  },
});

const ReadMetadata = world({
  name: 'read_metadata',
  execute: async ({ backupId }: ImportCinderBackup, call) => {
    const { backups } = call.tools;
    const backup = await getBackup(backups.db.read, backupId);
    const { says } = await findCinder(backups, backup, call.signal);
    if (says.backupId !== backupId || says.bytes !== backup.sizeGiB * GIB)
      throw new BackupDamaged(`Backup ${backupId} is in the store, and is not what its record tells of.`);
    return { volumeId: says.volumeId, dataTimestamp: says.createdAt, objectCount: says.objects };
  },
});

const ImportOnFinish = record({
  name: 'import_on_finish',
  execute: async (
    input: ImportCinderBackup & { volumeId: string; dataTimestamp: string | null; objectCount: number },
    { tx },
  ) => {
    const { backupId, volumeId, dataTimestamp, objectCount } = input;
    const status = BACKUP_TRANSITIONS.import.success;
    await updateBackup(tx, backupId, { status, volumeId, dataTimestamp, objectCount });
  },
});

export const importCinderBackup = flow<ImportCinderBackup>('import_cinder_backup')
  .add(ErrorOut)
  .add(ReadMetadata)
  .add(ImportOnFinish)
  .build({ version: 1 });
