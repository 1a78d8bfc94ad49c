/** Whether a migration works on a volume. One that has ended leaves its outcome in the row. */
import type { Volume } from '../../model/volume.ts';

const ENDED: ReadonlySet<string> = new Set(['none', 'success', 'error', 'deleting']);

export function isMigrating({ migrationStatus }: Pick<Volume, 'migrationStatus'>): boolean {
  return migrationStatus !== null && !ENDED.has(migrationStatus);
}
