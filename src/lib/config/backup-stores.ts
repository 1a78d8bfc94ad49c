/** `[backup_stores.NAME]`: where backups are kept. */
import { Type } from '../schema.ts';

const DirectoryStore = Type.Object(
  {
    backup_driver: Type.Literal('posix', {
      description: 'Backups are kept in a directory that each machine with backends reaches by the same path.',
    }),
    backup_posix_path: Type.String({
      minLength: 1,
      path: '',
      description: 'The directory. It must be there: one that is missing may just not be mounted yet.',
    }),
    patience_seconds: Type.Integer({
      minimum: 0,
      default: 3600,
      description:
        'Seconds that a store which is full, busy or silent is asked again before a backup or a restore fails.',
    }),
  },
  { description: 'A store in a directory.' },
);

export const BackupStore = Type.Union([DirectoryStore], { choice: 'backup_driver' });
