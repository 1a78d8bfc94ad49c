/**
 * `os-reset_status` of a snapshot: an administrator overwrites its status. No backend is asked. Refused while a flow holds the
 * snapshot exclusively: the status is that flow's to set.
 */
import { getSnapshot, updateSnapshot } from '../../db/snapshots.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { getVolume } from '../../db/volumes.ts';
import { tellSnapshot } from '../../flows/tell.ts';
import type { Caller } from '../../model/caller.ts';
import type { SnapshotStatus } from '../../model/status.ts';
import { snapshotResource } from '../begin.ts';
import type { Desk } from '../desk.ts';
import { snapshotFor } from '../find.ts';
import { lockSnapshot } from '../lock.ts';
import { whileUnheld } from '../unheld.ts';

export async function resetSnapshotStatus(
  desk: Desk,
  caller: Caller,
  id: string,
  status: SnapshotStatus,
): Promise<void> {
  const unheld = {
    resource: snapshotResource(id),
    find: (db: Desk['db']['read']) => snapshotFor(db, caller, id),
    lock: (tx: Tx) => lockSnapshot(tx, caller, id),
  };
  await whileUnheld(desk, unheld, async (tx, snapshot) => {
    const volume = await getVolume(tx.db, snapshot.volumeId);
    await tellSnapshot(tx, 'reset_status.start', snapshot, volume, caller.requestId);
    await updateSnapshot(tx, id, { status });
    await tellSnapshot(tx, 'reset_status.end', await getSnapshot(tx.db, id), volume, caller.requestId);
  });
}
