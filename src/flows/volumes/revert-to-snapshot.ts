/**
 * Take a volume back to its newest snapshot.
 *
 * The command has moved the volume to `reverting` and the snapshot to `restoring`, and taken both for itself; what copies
 * either of them is waited for. The backend makes the new content beside the old and puts it in its place in one step, so whoever is
 * killed, and whenever, the volume holds the whole of one or of the other. What fails, or is cancelled, before that step leaves
 * the old content, and the volume is `available` as before: nothing is wrong with it, so it is no error as it is for Cinder. The message
 * tells the user that it was not reverted. Only where the backend's answer was lost for good may it have been, all of it.
 */
import { getSnapshot, updateSnapshot } from '../../db/snapshots.ts';
import { findVolume, getVolume, updateVolume } from '../../db/volumes.ts';
import type { SnapshotRef, VolumeRef } from '../../drivers/driver.ts';
import { SNAPSHOT_TRANSITIONS, VOLUME_TRANSITIONS } from '../../model/status.ts';
import { snapshotStarted, volumeStarted } from '../started.ts';
import { tellSnapshot, tellUser, tellVolume } from '../tell.ts';
import { flow, obligation, onHostOf, record, world } from '../tools.ts';
import { withRoom } from './with-room.ts';

export interface RevertToSnapshot {
  readonly volumeRef: VolumeRef;
  readonly snapshotRef: SnapshotRef;
  readonly pool: string;
}

const GiveBack = obligation({
  name: 'give_back',
  revert: async ({ volumeRef: { id }, snapshotRef }: RevertToSnapshot, _outcome, { tx, failures, ...context }) => {
    await updateSnapshot(tx, snapshotRef.id, { status: SNAPSHOT_TRANSITIONS.revert.failure });
    await updateVolume(tx, id, { status: VOLUME_TRANSITIONS.revert.failure });
    const volume = await findVolume(tx.db, id);
    if (volume !== undefined) await tellUser(tx, 'revert-volume', failures[0], volume, context);
  },
});

const RevertOnBackend = world({
  name: 'revert_on_backend',
  execute: async ({ volumeRef, snapshotRef, pool }: RevertToSnapshot, call) =>
    withRoom(pool, volumeRef.id, call, (driver) => driver.revertToSnapshot(volumeRef, snapshotRef, call)),
});

const RevertOnFinish = record({
  name: 'revert_on_finish;revert.end',
  execute: async ({ volumeRef, snapshotRef }: RevertToSnapshot, { tx, requestId }) => {
    await updateVolume(tx, volumeRef.id, { status: VOLUME_TRANSITIONS.revert.success });
    await updateSnapshot(tx, snapshotRef.id, { status: SNAPSHOT_TRANSITIONS.revert.success });
    const volume = await getVolume(tx.db, volumeRef.id);
    await tellVolume(tx, 'revert.end', volume, requestId);
    await tellSnapshot(tx, 'revert.end', await getSnapshot(tx.db, snapshotRef.id), volume, requestId);
  },
});

export const revertToSnapshot = flow<RevertToSnapshot>('revert_to_snapshot')
  .add(GiveBack)
  .lane(onHostOf)
  .add(volumeStarted('revert.start'))
  .add(snapshotStarted('revert.start'))
  .add(RevertOnBackend)
  .add(RevertOnFinish)
  .build({ version: 1 });
