/** What a backup of a real Cinder cannot: nothing of it is in a store of ours. */
import { isCinders } from '../../flows/backups/cinder-place.ts';
import type { Backup } from '../../model/backup.ts';
import { InvalidBackup } from '../../model/errors.ts';

/** Throws `InvalidBackup`. */
export function refuseCinders(backup: Backup, what: string): void {
  if (isCinders(backup)) throw new InvalidBackup(`Backup ${backup.id} was made by a Cinder, and cannot ${what}.`);
}
