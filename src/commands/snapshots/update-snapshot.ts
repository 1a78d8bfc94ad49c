/** `PUT /snapshots/{id}`: its name and description. A field that is not in the request stays. */
import { getSnapshot, updateSnapshot as updateRow } from '../../db/snapshots.ts';
import { getVolume } from '../../db/volumes.ts';
import { tellSnapshot } from '../../flows/tell.ts';
import type { Caller } from '../../model/caller.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { Desk } from '../desk.ts';
import { lockSnapshot } from '../lock.ts';

export interface UpdateSnapshotPatch {
  readonly name?: string | null;
  readonly description?: string | null;
}

export async function updateSnapshot(
  { db }: Desk,
  caller: Caller,
  id: string,
  patch: UpdateSnapshotPatch,
): Promise<Snapshot> {
  return db.write(async (tx) => {
    const snapshot = await lockSnapshot(tx, caller, id);
    if (Object.keys(patch).length === 0) return snapshot;
    const volume = await getVolume(tx.db, snapshot.volumeId);
    await tellSnapshot(tx, 'update.start', snapshot, volume, caller.requestId);
    await updateRow(tx, id, patch);
    const updated = await getSnapshot(tx.db, id);
    await tellSnapshot(tx, 'update.end', updated, volume, caller.requestId);
    return updated;
  });
}
