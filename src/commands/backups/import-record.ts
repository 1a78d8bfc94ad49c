/**
 * `POST /backups/import_record`: a backup that another database made, of which an operator has kept the record. It is available when its manifest
 * was found in the store and is the one that the record tells of. One that a real Cinder has made keeps what it was made by, and is read
 * where Cinder has put it.
 */
import { isBeingSwept } from '../../db/backup-contents.ts';
import { adoptScope } from '../../db/backup-scopes.ts';
import { findBackup, insertBackup } from '../../db/backups.ts';
import { importBackup as flow } from '../../flows/backups/import-backup.ts';
import { importCinderBackup } from '../../flows/backups/import-cinder-backup.ts';
import { take } from '../../flows/quota.ts';
import { BACKUP_SERVICE, type Backup, UNKNOWN_VOLUME } from '../../model/backup.ts';
import { BACKUP_TRANSITIONS } from '../../model/backup-status.ts';
import type { Caller } from '../../model/caller.ts';
import { type CinderStoreKind, cinderMetadataName, cinderStoreKind } from '../../model/cinder-backup.ts';
import { InvalidBackup, InvalidInput } from '../../model/errors.ts';
import { backupQuota } from '../../model/quota.ts';
import { backupResource, begin, exclusive } from '../begin.ts';
import type { Desk, OrderDesk } from '../desk.ts';
import { type CinderRecord, readCinderRecord, readRecord } from './backup-record.ts';
import { demandBackupService } from './backup-service.ts';

/** What an order has as well. */
type ImportDesk = OrderDesk & Pick<Desk, 'config'>;

export async function importRecord(
  desk: ImportDesk,
  caller: Caller,
  { service, url }: { readonly service: string; readonly url: string },
): Promise<Backup> {
  const kind = cinderStoreKind(service);
  if (kind !== undefined) return importOfCinder(desk, caller, service, kind, readCinderRecord(url));
  if (service !== BACKUP_SERVICE)
    throw new InvalidBackup(
      `Records of ${service} cannot be read here; those of ${BACKUP_SERVICE}, and of Cinder for directories, S3 and Swift, can.`,
    );
  const record = readRecord(url);
  return desk.db.write(async (tx) => {
    const { store, availabilityZone } = await demandBackupService(desk, tx.db, null);
    if ((await findBackup(tx.db, record.id)) !== undefined)
      throw new InvalidBackup('Backup already exists in database.');
    if (await isBeingSwept(tx.db, record.id, record.scopeId))
      throw new InvalidBackup(
        `What is left of deleted backups is being removed where ${record.id} is; try again later.`,
      );
    await take(tx, caller.projectId, backupQuota(record.sizeGiB), desk.config.quota);
    const known = Object.hasOwn(desk.config.backup_stores, record.store) ? record.store : store;
    const scope = await adoptScope(tx, { id: record.scopeId, store: known, projectId: caller.projectId });
    const backup = await insertBackup(tx, {
      id: record.id,
      projectId: caller.projectId,
      userId: caller.userId,
      volumeId: UNKNOWN_VOLUME,
      name: record.name,
      description: record.description,
      status: BACKUP_TRANSITIONS.import.during[0],
      sizeGiB: record.sizeGiB,
      container: record.container,
      availabilityZone,
      service: BACKUP_SERVICE,
      objectCount: record.objectCount,
      scopeId: scope.id,
      epoch: scope.epoch,
    });
    await begin(
      desk,
      tx,
      caller,
      flow,
      { backupId: backup.id, root: record.root },
      {
        resource: backupResource(backup.id),
        projectId: backup.projectId,
        holds: [exclusive(backupResource(backup.id))],
      },
    );
    return backup;
  });
}

async function importOfCinder(
  desk: ImportDesk,
  caller: Caller,
  service: string,
  kind: CinderStoreKind,
  { container, serviceMetadata, ...record }: CinderRecord,
): Promise<Backup> {
  if (cinderMetadataName(kind, { container, serviceMetadata }) === null)
    throw new InvalidInput('The record of the backup names no place below a store.');
  return desk.db.write(async (tx) => {
    const { availabilityZone } = await demandBackupService(desk, tx.db, null);
    if ((await findBackup(tx.db, record.id)) !== undefined)
      throw new InvalidBackup('Backup already exists in database.');
    await take(tx, caller.projectId, backupQuota(record.sizeGiB), desk.config.quota);
    const { projectId, userId } = caller;
    const status = BACKUP_TRANSITIONS.import.during[0];
    const where = { container, serviceMetadata, service, availabilityZone };
    const backup = await insertBackup(tx, { ...record, ...where, projectId, userId, volumeId: UNKNOWN_VOLUME, status });
    const resource = backupResource(backup.id);
    await begin(
      desk,
      tx,
      caller,
      importCinderBackup,
      { backupId: backup.id },
      { resource, projectId, holds: [exclusive(resource)] },
    );
    return backup;
  });
}
