/** Which backups a real Cinder has put into a store, and what each says of itself. */
import type { CinderBackup } from '../backups.ts';
import type { BackupStore } from '../stores/store.ts';
import { contentOfCinder } from './cinder-content.ts';
import { cinderName, readCinderMetadata } from './cinder-metadata.ts';

/** Reads the metadata of one, and of all that it goes back to; none of its data. Null: it is not there. Rejects as `contentOfCinder` does. */
export async function describeCinder(
  store: BackupStore,
  name: string,
  signal: AbortSignal,
): Promise<CinderBackup | null> {
  if ((await store.head(name, signal)) === null) return null;
  const { bytes } = await contentOfCinder(store, name, signal);
  const metadata = readCinderMetadata(name, (await store.get(name, signal)).toString());
  const { backupId, name: called, volumeId, parentId, createdAt, objects } = metadata;
  return { backupId, name: called, volumeId, parentId, createdAt, bytes, objects: objects.length };
}

/** Names of metadata, all that the list of the store tells. */
export async function listCinder(store: BackupStore, signal: AbortSignal): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list('', signal)) if (cinderName(name) !== undefined) names.push(name);
  return names.sort();
}
