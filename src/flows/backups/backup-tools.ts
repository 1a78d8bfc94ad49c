/** What flows of backups work with: the stores of this host's configuration, and what copies to them, loaded when it is first asked for. */
import type { Backups } from '../../backups/backups.ts';
import type { Database } from '../../db/database.ts';
import type { Config } from '../../lib/config/config.ts';
import { exec } from '../../lib/exec.ts';
import type { Log } from '../../lib/logging.ts';
import { BackupStoreRefused } from '../../model/errors.ts';
import type { BackupTools } from '../tools.ts';

export function backupTools({ backup_stores: stores }: Config, db: Database, log: Log): BackupTools {
  let ground: Promise<Backups> | undefined;
  return {
    ground: () => {
      ground ??= import('../../backups/make-backups.ts').then(({ makeBackups }) => makeBackups({ exec }));
      return ground;
    },
    store: (name) => {
      const section = Object.hasOwn(stores, name) ? stores[name] : undefined;
      if (section === undefined)
        throw new BackupStoreRefused(`There is no section [backup_stores.${name}] in the configuration of this host.`);
      const { backup_posix_path: path, patience_seconds: patience } = section;
      return { address: { kind: 'directory', path }, patienceMs: patience * 1000 };
    },
    db,
    log,
  };
}
