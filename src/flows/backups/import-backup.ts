/**
 * Import a backup of which another database has told.
 *
 * The command has inserted the row (`creating`) from the record and counted the quota. Here the manifest is read: it must be there, and hold what
 * the record says that the volume held. What it says of the volume goes to the row. If it fails the row says `error` and why; the
 * store is left as it is, since whatever is there is another's.
 */

import { forgetContent, keepContent } from '../../db/backup-contents.ts';
import { findBackup, getBackup, updateBackup } from '../../db/backups.ts';
import { messageText } from '../../events/messages.ts';
import { GIB } from '../../lib/bytes.ts';
import { BACKUP_TRANSITIONS } from '../../model/backup-status.ts';
import { BackupDamaged } from '../../model/errors.ts';
import type { Metadata } from '../../model/volume.ts';
import { tellUser } from '../tell.ts';
import { flow, obligation, record, world } from '../tools.ts';
import { placeOf } from './backup-place.ts';
import { patiently, WAITS } from './store-patience.ts';

export interface ImportBackup {
  readonly backupId: string;
  /** As the record has it. */
  readonly root: string;
}

const ErrorOut = obligation({
  name: 'error_out',
  revert: async ({ backupId }: ImportBackup, _outcome, { tx, failures, ...context }) => {
    await forgetContent(tx, backupId);
    const backup = await findBackup(tx.db, backupId);
    if (backup === undefined) return;
    const failReason = messageText(failures[0].name, 'import-backup');
    // In no scope: its delete removes nothing either.
    await updateBackup(tx, backupId, { status: BACKUP_TRANSITIONS.import.failure, failReason, scopeId: null });
    await tellUser(tx, 'import-backup', failures[0], backup, context);
  },
});

const ReadManifest = world({
  name: 'read_manifest',
  ...WAITS,
  execute: async ({ backupId, root }: ImportBackup, call) => {
    const { db } = call.tools.backups;
    const ground = await call.tools.backups.ground();
    const backup = await getBackup(db.read, backupId);
    const placed = await placeOf(call.tools.backups, backup);
    const { place } = placed;
    const manifest = await patiently(placed, call, () => ground.readManifest(place, call.signal));
    if (manifest.root !== root || manifest.bytes !== backup.sizeGiB * GIB)
      throw new BackupDamaged(`Backup ${backupId} is in the store, and is not what its record tells of.`);
    const packs = manifest.packs.map(({ name }) => name);
    const told = manifest.metadata as { readonly volume_id?: string; readonly image_metadata?: Metadata | null } | null;
    await db.write(async (tx) => {
      await keepContent(tx, { backupId, scopeId: place.scope, root, packs });
      await updateBackup(tx, backupId, {
        ...(told?.volume_id !== undefined && { volumeId: told.volume_id }),
        imageMetadata: told?.image_metadata ?? null,
        dataTimestamp: manifest.createdAt,
      });
    });
  },
});

const ImportOnFinish = record({
  name: 'import_on_finish',
  execute: async ({ backupId }: ImportBackup, { tx }) => {
    await updateBackup(tx, backupId, { status: BACKUP_TRANSITIONS.import.success });
  },
});

export const importBackup = flow<ImportBackup>('import_backup')
  .add(ErrorOut)
  .add(ReadManifest)
  .add(ImportOnFinish)
  .build({ version: 1 });
