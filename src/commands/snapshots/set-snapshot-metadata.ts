/** `snapshots/{id}/metadata`: merged, replaced, or one key taken away. Resolves with all of it as it is then. */
import { updateSnapshot } from '../../db/snapshots.ts';
import type { Caller } from '../../model/caller.ts';
import type { Metadata } from '../../model/volume.ts';
import { changedMetadata, type MetadataChange } from '../change-metadata.ts';
import type { Desk } from '../desk.ts';
import { lockSnapshot } from '../lock.ts';

export async function setSnapshotMetadata(
  { db }: Desk,
  caller: Caller,
  id: string,
  change: MetadataChange,
): Promise<Metadata> {
  return db.write(async (tx) => {
    const snapshot = await lockSnapshot(tx, caller, id);
    const metadata = changedMetadata(snapshot.metadata, change);
    await updateSnapshot(tx, id, { metadata });
    return metadata;
  });
}
