/** Where on its store a backup is. */
import type { BackupPlace } from '../../backups/backups.ts';
import { findScope } from '../../db/backup-scopes.ts';
import type { Backup } from '../../model/backup.ts';
import { BackupMissing } from '../../model/errors.ts';
import type { BackupTools, ConfiguredStore } from '../tools.ts';

export interface PlacedBackup extends Omit<ConfiguredStore, 'address'> {
  readonly place: BackupPlace;
  /** Of its store, as the configuration calls it. */
  readonly store: string;
  /** As of its scope: else nothing of it can be in the store, nor need there be a store. */
  readonly opened: boolean;
}

/** Rejects with `BackupMissing` where nothing of it can be in a store, with `BackupStoreRefused` where this host does not have that. */
export async function placeOf(
  { db, store, keys }: Pick<BackupTools, 'db' | 'store' | 'keys'>,
  { id: backupId, scopeId }: Pick<Backup, 'id' | 'scopeId'>,
): Promise<PlacedBackup> {
  const scope = scopeId === null ? undefined : await findScope(db.read, scopeId);
  if (scope === undefined) throw new BackupMissing(`Backup ${backupId} is in no store.`);
  const { address, ...rest } = store(scope.store);
  return {
    place: { store: address, scope: scope.id, keys: await keys(), backupId },
    store: scope.store,
    opened: scope.opened,
    ...rest,
  };
}
