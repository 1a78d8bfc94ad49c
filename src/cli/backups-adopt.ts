/**
 * `pumice backups adopt STORE`: all backups that a real Cinder has put into a store become backups of a project here, as if their records had been
 * imported: with their ids, their names, and what they were made by. The list and the metadata are read where the command is typed; a server then looks at each,
 * and restores it from where it lies. Nothing is copied, and nothing is written or deleted in that store.
 */
import type { CinderBackup } from '../backups/backups.ts';
import { cinderName } from '../backups/cinder/cinder-metadata.ts';
import { cinderStoreAt } from '../backups/cinder/cinder-store.ts';
import { describeCinder, listCinder } from '../backups/cinder/list-cinder.ts';
import type { StoreAddress } from '../backups/stores/store-address.ts';
import { importRecord } from '../commands/backups/import-record.ts';
import { findBackup } from '../db/backups.ts';
import { openDatabase } from '../db/database.ts';
import { addressOf } from '../flows/backups/backup-tools.ts';
import { GIB } from '../lib/bytes.ts';
import { CINDER_SERVICES } from '../model/cinder-backup.ts';
import { PumiceError } from '../model/errors.ts';
import { type ConfigFlags, configurationOf } from './configuration.ts';
import type { CliContext } from './context.ts';
import { Complaint, EXIT } from './exit-codes.ts';
import { operatorOf, orderDesk } from './queue.ts';
import { storeSection } from './store-section.ts';

export interface AdoptOptions extends ConfigFlags {
  /** Whose they become: Cinder's metadata does not say whose they were. */
  readonly project: string;
}

export async function adoptCinders(
  storeName: string,
  { project: projectId, ...options }: AdoptOptions,
  { out, signal }: CliContext,
): Promise<number> {
  const config = configurationOf(options);
  const address = addressOf(storeSection(config, storeName));
  const store = await cinderStoreAt(address);
  const found: { readonly name: string; readonly says: CinderBackup }[] = [];
  let isRefused = false;
  const refuse = (name: string, error: unknown): void => {
    if (!(error instanceof PumiceError)) throw error;
    isRefused = true;
    out.line(`${name}: ${error.message}`);
  };
  const names = await listCinder(store, signal).catch((error: unknown) => {
    throw error instanceof PumiceError ? new Complaint(error.message, EXIT.failed, { cause: error }) : error;
  });
  for (const name of names) {
    const says = await describeCinder(store, name, signal).catch((error: unknown) => refuse(name, error));
    if (says != null) found.push({ name, says });
  }
  // Nobody is to see an increment before what it is one to.
  found.sort((a, b) => ((a.says.createdAt ?? '') < (b.says.createdAt ?? '') ? -1 : 1));
  const db = await openDatabase(config.database.url, { as: 'tool' });
  try {
    const desk = { ...orderDesk(db), config };
    for (const { name, says } of found) {
      if ((await findBackup(db.read, says.backupId)) !== undefined) {
        out.line(`${says.backupId} is known here.`);
        continue;
      }
      const record = { service: CINDER_SERVICES[address.kind], url: recordOf(address, name, says) };
      await importRecord(desk, operatorOf({ projectId }), record).then(
        () => out.line(`${says.backupId} of volume ${says.volumeId} becomes one of project ${projectId}.`),
        (error: unknown) => refuse(says.backupId, error),
      );
    }
  } finally {
    await db.close();
  }
  if (names.length === 0) out.line(`No backup of a Cinder is in store ${storeName}.`);
  return isRefused ? EXIT.failed : EXIT.ok;
}

/** As Cinder would export it, as far as it is read. */
function recordOf(
  address: StoreAddress,
  name: string,
  { backupId, name: called, parentId, bytes, objects }: CinderBackup,
) {
  const { container = '', prefix } = cinderName(name) ?? {};
  const record = {
    id: backupId,
    size: Math.ceil(bytes / GIB),
    display_name: called,
    display_description: null,
    container: containerIn(address) ?? container.slice(0, -1),
    service_metadata: prefix,
    object_count: objects,
    parent_id: parentId,
  };
  return Buffer.from(JSON.stringify(record)).toString('base64');
}

/** Null: it is a part of the name. */
function containerIn(address: StoreAddress): string | null {
  if (address.kind === 'directory') return null;
  return address.kind === 's3' ? address.bucket : address.container;
}
