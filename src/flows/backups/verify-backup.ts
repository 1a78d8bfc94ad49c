/**
 * Look at one backup in its store, because an operator has asked. It changes nothing there, keeps nobody from restoring or deleting the
 * backup, and leaves what it found (`look-at-backups.ts`).
 */
import { findContent } from '../../db/backup-contents.ts';
import { BackupMissing } from '../../model/errors.ts';
import { flow, world } from '../tools.ts';
import { placeOf } from './backup-place.ts';
import { type Look, lookAtBackups } from './look-at-backups.ts';

export type VerifyBackup = Pick<Look, 'depth' | 'percent' | 'budgetBytes'> & { readonly backupId: string };

const LookAtBackup = world({
  name: 'look_at_backup',
  execute: async ({ backupId, depth, percent, budgetBytes }: VerifyBackup, call) => {
    const { db } = call.tools.backups;
    const content = await findContent(db.read, backupId);
    if (content === undefined) throw new BackupMissing(`Backup ${backupId} is in no store.`);
    const { scopeId } = content;
    const { patienceMs } = await placeOf(call.tools.backups, { id: backupId, scopeId });
    // A place means something only to whoever reads all that is behind it.
    const roundId = depth === 'packs' && percent === 100 ? backupId : null;
    const look = { scopeId, backupIds: [backupId], depth, percent, budgetBytes, roundId, patienceMs };
    return { looked: { ...(await lookAtBackups(look, call)) } };
  },
});

export const verifyBackup = flow<VerifyBackup>('verify_backup').add(LookAtBackup).build({ version: 1 });
