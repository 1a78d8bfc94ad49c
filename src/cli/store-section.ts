/** A store of backups that somebody has typed the name of. */
import type { BackupStoreConfig, Config } from '../lib/config/config.ts';
import { Complaint, EXIT } from './exit-codes.ts';

/** Its section of `[backup_stores.*]`. Throws a `Complaint` when there is none. */
export function storeSection({ backup_stores: stores }: Config, name: string): BackupStoreConfig {
  const section = Object.hasOwn(stores, name) ? stores[name] : undefined;
  if (section === undefined)
    throw new Complaint(`There is no section [backup_stores.${name}] in the configuration.`, EXIT.usage);
  return section;
}
