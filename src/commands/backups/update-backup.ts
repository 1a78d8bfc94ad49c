/** `PUT /backups/{id}`: its name, description and metadata. What is not in the request stays; metadata is replaced as a whole. */
import { getBackup, updateBackup as updateRow } from '../../db/backups.ts';
import type { Backup } from '../../model/backup.ts';
import type { Caller } from '../../model/caller.ts';
import type { Desk } from '../desk.ts';
import { lockBackup } from '../lock.ts';

export type UpdateBackupPatch = Partial<Pick<Backup, 'name' | 'description' | 'metadata'>>;

export async function updateBackup(
  { db }: Desk,
  caller: Caller,
  id: string,
  patch: UpdateBackupPatch,
): Promise<Backup> {
  return db.write(async (tx) => {
    const backup = await lockBackup(tx, caller, id);
    if (Object.keys(patch).length === 0) return backup;
    await updateRow(tx, id, patch);
    return getBackup(tx.db, id);
  });
}
