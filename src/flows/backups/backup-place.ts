/** Where on its store a backup is. */
import type { BackupPlace } from '../../backups/backups.ts';
import { findScope } from '../../db/backup-scopes.ts';
import type { Backup } from '../../model/backup.ts';
import { BackupMissing } from '../../model/errors.ts';
import type { BackupTools } from '../tools.ts';

export interface PlacedBackup {
  readonly place: BackupPlace;
  /** Of its store. */
  readonly patienceMs: number;
  readonly keyId: string | null;
}

/** Rejects with `BackupMissing` where nothing of it can be in a store, with `BackupStoreRefused` where this host does not have that. */
export async function placeOf(
  { db, store, keys }: Pick<BackupTools, 'db' | 'store' | 'keys'>,
  { id: backupId, scopeId }: Pick<Backup, 'id' | 'scopeId'>,
): Promise<PlacedBackup> {
  const scope = scopeId === null ? undefined : await findScope(db.read, scopeId);
  if (scope === undefined) throw new BackupMissing(`Backup ${backupId} is in no store.`);
  const { address, patienceMs, keyId } = store(scope.store);
  return { place: { store: address, scope: scope.id, keys: await keys(), backupId }, patienceMs, keyId };
}
