/** Delete a snapshot. Goes forward as `volumes/delete-volume.ts` does, for the same reasons. */
import { findSnapshot, getSnapshot, updateSnapshot } from '../../db/snapshots.ts';
import { getVolume } from '../../db/volumes.ts';
import type { SnapshotRef } from '../../drivers/driver.ts';
import { SNAPSHOT_TRANSITIONS, type SnapshotStatus } from '../../model/status.ts';
import { snapshotStarted } from '../started.ts';
import { tellUser } from '../tell.ts';
import { flow, obligation, onHostOf, record, world } from '../tools.ts';
import { DESTROYS, forgetSnapshot, mayBeDestroyed } from '../volumes/delete-volume.ts';

export interface DeleteSnapshot {
  readonly snapshotRef: SnapshotRef;
  readonly pool: string;
  readonly previousStatus: SnapshotStatus;
}

const ErrorDeleting = obligation({
  name: 'error_deleting',
  revert: async ({ snapshotRef: { id }, previousStatus }: DeleteSnapshot, _outcome, { tx, failures, ...context }) => {
    const snapshot = await findSnapshot(tx.db, id);
    if (snapshot === undefined) return;
    const destroyed = mayBeDestroyed(failures, DeleteOnBackend.name, DeleteSnapshotOnFinish.name);
    await updateSnapshot(tx, id, { status: destroyed ? SNAPSHOT_TRANSITIONS.delete.failure : previousStatus });
    await tellUser(tx, 'delete-snapshot', failures[0], snapshot, context);
  },
});

const DeleteOnBackend = world({
  name: 'delete_on_backend',
  ...DESTROYS,
  execute: async ({ snapshotRef, pool }: DeleteSnapshot, call) =>
    call.tools.driver(pool).deleteSnapshot(snapshotRef, call),
});

const DeleteSnapshotOnFinish = record({
  name: 'delete_snapshot_on_finish;delete.end',
  execute: async ({ snapshotRef: { id, volumeId } }: DeleteSnapshot, { tx, ...context }) => {
    await forgetSnapshot(tx, await getSnapshot(tx.db, id), await getVolume(tx.db, volumeId), 'delete.end', context);
  },
});

export const deleteSnapshot = flow<DeleteSnapshot>('delete_snapshot')
  .add(ErrorDeleting)
  .lane(onHostOf)
  .add(snapshotStarted('delete.start'))
  .add(DeleteOnBackend)
  .add(DeleteSnapshotOnFinish)
  .build({ version: 1 });
