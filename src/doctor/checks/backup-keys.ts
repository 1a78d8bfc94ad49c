/** Check: each key of backups that the configuration names can be read. What was encrypted with one that cannot is lost without it. */
import { readKeys } from '../../flows/backups/backup-tools.ts';
import type { DoctorCheck, Finding, Patient } from './check.ts';

export const backupKeys: DoctorCheck = {
  name: 'backup_keys',
  wellSaid: 'the keys of backups can be read',
  examine: async ({ config }: Patient) => {
    const keys = await readKeys(config.backup_keys);
    return keys.flatMap((key) => (key instanceof Error ? [lost(key.message)] : []));
  },
};

const lost = (why: string): Finding => ({
  key: why,
  about: 'backups',
  says: why,
  advice:
    'bring the file back, as it was and of mode 0600: without it nothing that was encrypted with it can be restored',
});
