/** Whether anybody can make a backup: a store is configured, and a backup service of the zone is enabled. */

import { listServices } from '../../db/services.ts';
import type { Db } from '../../db/sql/db.ts';
import { BACKUP_BINARY } from '../../model/backup.ts';
import { ServiceUnavailable } from '../../model/errors.ts';
import type { Desk } from '../desk.ts';

export interface BackupService {
  /** As the configuration calls it. */
  readonly store: string;
  readonly availabilityZone: string;
}

/** Rejects with `ServiceUnavailable`, as Cinder answers. `zone`: null is any. `chosen`: another store than where backups go. */
export async function demandBackupService(
  { config }: Pick<Desk, 'config'>,
  db: Db,
  zone: string | null,
  chosen: string | null = null,
): Promise<BackupService> {
  const store = chosen ?? config.default_backup_store;
  if (store === undefined)
    throw new ServiceUnavailable('There is no backup service here: no backup store is configured.');
  if (!Object.hasOwn(config.backup_stores, store))
    throw new ServiceUnavailable(`There is no section [backup_stores.${store}] in the configuration.`);
  const services = await listServices(db, { binary: BACKUP_BINARY });
  const [service] = services.filter(
    ({ disabled, availabilityZone }) => !disabled && (zone === null || availabilityZone === zone),
  );
  if (service === undefined)
    throw new ServiceUnavailable(
      zone === null ? 'No backup service is enabled.' : `No backup service is enabled in availability zone ${zone}.`,
    );
  return { store, availabilityZone: service.availabilityZone };
}
