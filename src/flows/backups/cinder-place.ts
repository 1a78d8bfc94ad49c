/**
 * Where a backup of a real Cinder is: its record does not say in which store, so it is looked for in each of this host's that is of the kind. Nothing is kept of
 * where it was found: a store may be moved, or called otherwise.
 */
import type { CinderBackup, CinderPlace } from '../../backups/backups.ts';
import type { StoreAddress } from '../../backups/stores/store-address.ts';
import type { Backup } from '../../model/backup.ts';
import { type CinderStoreKind, cinderMetadataName, cinderStoreKind } from '../../model/cinder-backup.ts';
import { BackupMissing } from '../../model/errors.ts';
import type { BackupTools, ConfiguredStore } from '../tools.ts';

export interface PlacedCinder extends Omit<ConfiguredStore, 'address' | 'keyId'> {
  readonly cinder: CinderPlace;
  /** Of its store, as the configuration calls it. */
  readonly store: string;
  readonly says: CinderBackup;
}

type Named = Pick<Backup, 'id' | 'service' | 'container' | 'serviceMetadata'>;

export const isCinders = ({ service }: Pick<Backup, 'service'>): boolean => cinderStoreKind(service) !== undefined;

/** Rejects with `BackupMissing` where no store of the kind has it, or with why the one that has, or may have it, cannot be read. */
export async function findCinder(
  { ground, storeNames, store }: Pick<BackupTools, 'ground' | 'storeNames' | 'store'>,
  backup: Named,
  signal: AbortSignal,
): Promise<PlacedCinder> {
  const { service, container } = backup;
  const kind = cinderStoreKind(service);
  const name = kind === undefined ? null : cinderMetadataName(kind, backup);
  if (kind === undefined || name === null) throw new BackupMissing(`Backup ${backup.id} is in no store of a Cinder.`);
  let failure: unknown;
  for (const configured of storeNames()) {
    const { address, ...rest } = store(configured);
    if (!mayHave(address, kind, container)) continue;
    const cinder = { store: address, name };
    try {
      const says = await (await ground()).describeCinder(cinder, signal);
      if (says !== null) return { cinder, store: configured, says, ...rest };
    } catch (error) {
      signal.throwIfAborted();
      failure ??= error;
    }
  }
  throw failure ?? new BackupMissing(`No section of [backup_stores] has ${name}, which ${service} has made.`);
}

function mayHave(address: StoreAddress, kind: CinderStoreKind, container: string | null): boolean {
  if (address.kind !== kind) return false;
  if (address.kind === 'directory') return true;
  return container === (address.kind === 's3' ? address.bucket : address.container);
}
