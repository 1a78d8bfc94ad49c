/** `os-reset_status` of a snapshot: an administrator says what is true. Nothing is asked of a backend. */
import { getSnapshot, updateSnapshot } from '../db/snapshots.ts';
import { getVolume } from '../db/volumes.ts';
import { tellSnapshot } from '../flows/tell.ts';
import type { Caller } from '../model/caller.ts';
import type { SnapshotStatus } from '../model/status.ts';
import type { Desk } from './desk.ts';
import { lockSnapshot } from './lock.ts';

export async function resetSnapshotStatus(
  { db }: Desk,
  caller: Caller,
  id: string,
  status: SnapshotStatus,
): Promise<void> {
  await db.write(async (tx) => {
    const snapshot = await lockSnapshot(tx, caller, id);
    const volume = await getVolume(tx.db, snapshot.volumeId);
    await tellSnapshot(tx, 'reset_status.start', snapshot, volume, caller.requestId);
    await updateSnapshot(tx, id, { status });
    await tellSnapshot(tx, 'reset_status.end', await getSnapshot(tx.db, id), volume, caller.requestId);
  });
}
