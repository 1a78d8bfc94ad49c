/** Give a snapshot back, as `volumes/unmanage-volume.ts` does a volume. The inverse of `manage-snapshot.ts`. */
import { findSnapshot, getSnapshot, updateSnapshot } from '../../db/snapshots.ts';
import { getVolume } from '../../db/volumes.ts';
import type { ManageRef, SnapshotRef } from '../../drivers/driver.ts';
import { SNAPSHOT_TRANSITIONS, type SnapshotStatus } from '../../model/status.ts';
import { snapshotStarted } from '../started.ts';
import { tellUser } from '../tell.ts';
import { flow, obligation, onHostOf, record, world } from '../tools.ts';
import { failedIn, neverAsked } from '../undo.ts';
import { forgetSnapshot } from '../volumes/delete-volume.ts';

export interface UnmanageSnapshot {
  readonly snapshotRef: SnapshotRef;
  readonly pool: string;
  readonly previousStatus: SnapshotStatus;
  readonly ref: ManageRef | null;
}

const ErrorUnmanaging = obligation({
  name: 'error_unmanaging',
  revert: async ({ snapshotRef: { id }, previousStatus }: UnmanageSnapshot, _outcome, { tx, failures, ...context }) => {
    const snapshot = await findSnapshot(tx.db, id);
    if (snapshot === undefined) return;
    const refused = failedIn(failures, Unmanage.name) && failures[0].name !== 'Cancelled';
    await updateSnapshot(tx, id, { status: refused ? SNAPSHOT_TRANSITIONS.unmanage.failure : previousStatus });
    await tellUser(tx, 'unmanage-snapshot', failures[0], snapshot, context);
  },
});

const Unmanage = world({
  name: 'unmanage',
  execute: async ({ snapshotRef, pool, ref }: UnmanageSnapshot, call) =>
    call.tools.driver(pool).unmanageSnapshot(snapshotRef, ref, call),
  revert: async ({ snapshotRef, pool, ref }, outcome, call) => {
    if (neverAsked(outcome)) return;
    const driver = call.tools.driver(pool);
    // Of one that was never taken over there is nothing to take back.
    if (ref === null && (await driver.probe({ kind: 'snapshot', ...snapshotRef }, call.signal)).is === 'absent') return;
    await driver.manageExistingSnapshot(snapshotRef, ref, call);
  },
});

const UnmanageOnFinish = record({
  name: 'unmanage_on_finish;unmanage.end',
  execute: async ({ snapshotRef: { id, volumeId } }: UnmanageSnapshot, { tx, ...context }) => {
    await forgetSnapshot(tx, await getSnapshot(tx.db, id), await getVolume(tx.db, volumeId), 'unmanage.end', context);
  },
});

export const unmanageSnapshot = flow<UnmanageSnapshot>('unmanage_snapshot')
  .add(ErrorUnmanaging)
  .lane(onHostOf)
  .add(snapshotStarted('unmanage.start'))
  .add(Unmanage)
  .add(UnmanageOnFinish)
  .build({ version: 1 });
