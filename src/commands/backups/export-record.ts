/** `GET /backups/{id}/export_record`: what another database must know of a backup to restore it. */
import { findContent } from '../../db/backup-contents.ts';
import { findScope } from '../../db/backup-scopes.ts';
import { dependentsOf } from '../../db/backups.ts';
import { BACKUP_SERVICE } from '../../model/backup.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidBackup } from '../../model/errors.ts';
import { checkBackupStatus } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { backupFor } from '../find.ts';
import { writeRecord } from './backup-record.ts';
import { refuseCinders } from './refuse-cinders.ts';

export async function exportRecord(
  { db: { read } }: Desk,
  caller: Caller,
  id: string,
): Promise<{ readonly service: string; readonly url: string }> {
  const backup = await backupFor(read, caller, id);
  checkBackupStatus(backup, 'export');
  refuseCinders(backup, 'be exported again: the record that it was imported from is as good');
  const content = await findContent(read, id);
  const scope = content && (await findScope(read, content.scopeId));
  if (content === undefined || scope === undefined) throw new InvalidBackup(`Backup ${id} is in no store.`);
  const dependents = (await dependentsOf(read, [id])).get(id) ?? 0;
  return { service: BACKUP_SERVICE, url: writeRecord(backup, scope, content, dependents) };
}
