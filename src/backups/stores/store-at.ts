/** A store, by its address: each kind is loaded where one of it is used. */
import { unhandled } from '../../lib/unhandled.ts';
import type { BackupStore } from './store.ts';
import type { StoreAddress } from './store-address.ts';

/** Nothing is asked yet. Rejects with `BackupStoreRefused` when the address cannot be used here. */
export type StoreOpener = (address: StoreAddress) => Promise<BackupStore>;

export const storeAt: StoreOpener = async (address) => {
  switch (address.kind) {
    case 'directory':
      return new (await import('./directory-store.ts')).DirectoryStore(address.path);
    case 's3':
      return new (await import('./s3-store.ts')).S3Store(address);
    case 'swift':
      return new (await import('./swift-store.ts')).SwiftStore(address);
    default:
      return unhandled(address);
  }
};
