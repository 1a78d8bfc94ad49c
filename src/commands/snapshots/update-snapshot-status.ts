/**
 * `os-update_snapshot_status`: the progress report of a compute service, which takes or deletes the snapshot of a volume in use.
 */
import { updateSnapshot } from '../../db/snapshots.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidSnapshot } from '../../model/errors.ts';
import { mayBeTold, type SnapshotStatus } from '../../model/status.ts';
import type { Desk } from '../desk.ts';
import { lockSnapshot } from '../lock.ts';

export async function updateSnapshotStatus(
  { db }: Desk,
  caller: Caller,
  id: string,
  status: SnapshotStatus,
  progress: string | null,
): Promise<void> {
  await db.write(async (tx) => {
    const snapshot = await lockSnapshot(tx, caller, id);
    if (!mayBeTold(snapshot.status, status)) {
      throw new InvalidSnapshot(`Snapshot ${id} is ${snapshot.status} and cannot be told to be ${status}.`);
    }
    await updateSnapshot(tx, id, { status, ...(progress !== null && { progress }) });
  });
}
