/**
 * Give a volume back: its row goes, its data stays on the backend under the name it was taken over by, or under ours when
 * it was made here, with nothing of ours on it. The inverse of `manage-volume.ts`; if it fails the volume is managed as before.
 */
import { findVolume, getVolume, updateVolume } from '../../db/volumes.ts';
import type { ManageRef, VolumeRef } from '../../drivers/driver.ts';
import { VOLUME_TRANSITIONS, type VolumeStatus } from '../../model/status.ts';
import { dropBasesOf } from '../backups/bases.ts';
import { volumeStarted } from '../started.ts';
import { tellUser } from '../tell.ts';
import { flow, obligation, onHostOf, record, world } from '../tools.ts';
import { failedIn, neverAsked } from '../undo.ts';
import { forgetVolume } from './delete-volume.ts';

export interface UnmanageVolume {
  readonly volumeRef: VolumeRef;
  readonly pool: string;
  readonly previousStatus: VolumeStatus;
  readonly ref: ManageRef | null;
}

const ErrorUnmanaging = obligation({
  name: 'error_unmanaging',
  revert: async ({ volumeRef: { id }, previousStatus }: UnmanageVolume, _outcome, { tx, failures, ...context }) => {
    const volume = await findVolume(tx.db, id);
    if (volume === undefined) return;
    const refused = failedIn(failures, Unmanage.name) && failures[0].name !== 'Cancelled';
    await updateVolume(tx, id, {
      status: refused ? VOLUME_TRANSITIONS.unmanage.failure : previousStatus,
      terminatedAt: null,
    });
    await tellUser(tx, 'unmanage-volume', failures[0], volume, context);
  },
});

const Unmanage = world({
  name: 'unmanage',
  execute: async ({ volumeRef, pool, ref }: UnmanageVolume, call) => {
    await dropBasesOf(call.tools, volumeRef.id, call);
    await call.tools.driver(pool).unmanage(volumeRef, ref, call);
  },
  revert: async ({ volumeRef, pool, ref }, outcome, call) => {
    if (neverAsked(outcome)) return;
    const driver = call.tools.driver(pool);
    // Of one that was never taken over there is nothing to take back.
    if (ref === null && (await driver.probe({ kind: 'volume', ...volumeRef }, call.signal)).is === 'absent') return;
    await driver.manageExisting(volumeRef, ref, call);
  },
});

const UnmanageOnFinish = record({
  name: 'unmanage_on_finish;unmanage.end',
  execute: async ({ volumeRef }: UnmanageVolume, { tx, requestId }) => {
    await forgetVolume(tx, await getVolume(tx.db, volumeRef.id), 'unmanage.end', requestId);
  },
});

export const unmanageVolume = flow<UnmanageVolume>('unmanage_volume')
  .add(ErrorUnmanaging)
  .lane(onHostOf)
  .add(volumeStarted('unmanage.start'))
  .add(Unmanage)
  .add(UnmanageOnFinish)
  .build({ version: 1 });
