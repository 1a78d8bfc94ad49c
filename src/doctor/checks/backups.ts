/**
 * Check: what was found of backups when they were looked at in their stores. It asks no store: `pumice backups verify` does, and the
 * nightly verification.
 */
import { damageOf } from '../../db/backup-checks.ts';
import { damageLines } from '../damage-lines.ts';
import type { DoctorCheck, Finding, Patient } from './check.ts';

export const backups: DoctorCheck = {
  name: 'backups',
  wellSaid: 'no backup is known to be damaged',
  examine: async ({ db }: Patient) =>
    [...Map.groupBy(await damageOf(db.read), ({ backupId }) => backupId)].map(
      ([backupId, damage]): Finding => ({
        key: `${backupId} ${damage.map(({ pack }) => pack).join(' ')}`,
        about: `backup:${backupId}`,
        says: `is ${damageLines(damage).join(' It is ')}`,
        advice: `make another backup of its volume, which mends it where that is the same; or put the pack back if you have it elsewhere, then \`pumice backups verify ${backupId}\``,
      }),
    ),
};
