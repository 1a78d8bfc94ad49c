/** Whether a migration works on a volume. One that has ended leaves its outcome in the row. */
import { InvalidVolume } from '../../model/errors.ts';
import type { Volume } from '../../model/volume.ts';

const ENDED: ReadonlySet<string> = new Set(['none', 'success', 'error', 'deleting']);

export function isMigrating({ migrationStatus }: Pick<Volume, 'migrationStatus'>): boolean {
  return migrationStatus !== null && !ENDED.has(migrationStatus);
}

/** It is copied as it is: throws `InvalidVolume` for what would be lost by the switch. */
export function refuseMigrating(volume: Pick<Volume, 'id' | 'migrationStatus'>, done: 'extended' | 'attached'): void {
  if (isMigrating(volume)) throw new InvalidVolume(`Volume ${volume.id} is being migrated and cannot be ${done}.`);
}
