/** `[backup_keys]`: the keys that backups are encrypted with, each in a file of its own. */
import { Type } from '../schema.ts';

export const BackupKeys = Type.Record(
  Type.String({ pattern: '^[A-Za-z0-9_-]+$' }),
  Type.String({ minLength: 1, path: '', form: 'the path of a file of 32 bytes that only its owner can read' }),
  {
    form: 'letters, digits, hyphens and underscores',
    description:
      'Keys of backups, by ids of your own: `2026-a = "/etc/pumice/backup-keys/2026-a"`. **Who loses one has lost all backups that were encrypted with it.**',
    default: {},
  },
);
