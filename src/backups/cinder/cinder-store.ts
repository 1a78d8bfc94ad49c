/** A store that a real Cinder has filled, to read from. */
import { DirectoryStore } from '../stores/directory-store.ts';
import type { BackupStore } from '../stores/store.ts';
import type { StoreAddress } from '../stores/store-address.ts';
import { storeAt } from '../stores/store-at.ts';

/** Nothing in a directory of Cinder's says that it is a store: one that is not mounted looks as if the backup was not there. */
export const cinderStoreAt = async (address: StoreAddress): Promise<BackupStore> =>
  address.kind === 'directory' ? new DirectoryStore(address.path, undefined, null) : storeAt(address);
