/**
 * What a backup has stored that failed for its store's sake, since that was full or away, or refused us: it stays for some days, so that the
 * backup can be begun again and stores only what is not there (`commands/backups/retry-backup.ts`). Nobody else is made of it.
 */
import { giveUpContent, staleWork } from '../../db/backup-contents.ts';
import { lockBackupRow } from '../../db/backups.ts';
import { fromNow } from '../../lib/clock.ts';
import { BackupKeyMissing, BackupStoreFull, BackupStoreRefused, BackupStoreUnavailable } from '../../model/errors.ts';
import type { BackupTools } from '../tools.ts';

export const KEPT_DAYS = 7;
const DAY_MS = 24 * 3600 * 1000;
const AT_ONCE = 20;

const OF_THE_STORE: ReadonlySet<string> = new Set(
  [BackupStoreFull, BackupStoreUnavailable, BackupStoreRefused, BackupKeyMissing].map(({ name }) => name),
);

/** Whether a backup that failed so is worth another try. */
export const isOfTheStore = ({ name }: { readonly name: string }): boolean => OF_THE_STORE.has(name);

/** Of backups that nobody has begun again for so long it is to be removed. */
export async function giveUpStaleWork({ db }: Pick<BackupTools, 'db'>): Promise<void> {
  const before = fromNow(-KEPT_DAYS * DAY_MS);
  for (const { backupId, scopeId } of await staleWork(db.read, before, AT_ONCE))
    await db.write(async (tx) => {
      const backup = await lockBackupRow(tx, backupId);
      if (backup?.status === 'error') await giveUpContent(tx, backupId, scopeId);
    });
}
