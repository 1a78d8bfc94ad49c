/** `[backup_verification]`: how much of the backups is looked at every night, without being asked for. */
import { Type } from '../schema.ts';

export const BackupVerification = Type.Object(
  {
    budget_gib: Type.Integer({
      minimum: 0,
      default: 10,
      description:
        'GiB of backups that are read in a night and compared with what was sent, those first that were not looked at for longest. A disk tells of a lost block only when that is read; a store that is paid by what is read may want less. 0: none.',
    }),
    hour: Type.Integer({
      minimum: 0,
      maximum: 23,
      default: 1,
      description:
        'The hour (UTC) from which on it begins, when nothing is backed up or restored; after five hours it waits no longer for that.',
    }),
  },
  { description: 'How much of the backups is looked at every night.' },
);
