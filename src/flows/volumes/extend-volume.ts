/**
 * Extend a volume, in use or not.
 *
 * The command has moved the status to `extending`, taken the hold, and reserved the difference of quota for this flow. The pool
 * must have room for it, else the volume is as before. Its status of before stands in its row (`previousStatus`), since a client may
 * detach it while the flow waits for a copy of it. The backend only ever grows: when it fails there, or its answer is lost for good,
 * nobody can say the size of the volume, so it says `error_extending`; the reservation is given back. New
 * size, quota, status, event and end of the flow are one commit.
 */
import { addPoolUsage } from '../../db/pool-usage.ts';
import { listPools } from '../../db/pools.ts';
import { commitReservations, rollbackReservations } from '../../db/quotas.ts';
import { getVolumeType } from '../../db/volume-types.ts';
import { findVolume, getVolume, updateVolume } from '../../db/volumes.ts';
import type { VolumeRef } from '../../drivers/driver.ts';
import { VOLUME_TRANSITIONS, type VolumeStatus } from '../../model/status.ts';
import { schedule } from '../../scheduler/schedule.ts';
import { volumeStarted } from '../started.ts';
import { tellNoBackend, tellUser, tellVolume } from '../tell.ts';
import { flow, obligation, onHostOf, record, world } from '../tools.ts';
import { failedIn } from '../undo.ts';

export interface ExtendVolume {
  /** With the size before. */
  readonly volumeRef: VolumeRef;
  readonly pool: string;
  readonly newSizeGiB: number;
  readonly previousStatus: VolumeStatus;
}

const ErrorExtending = obligation({
  name: 'error_extending',
  revert: async (
    { volumeRef: { id, sizeGiB }, newSizeGiB, previousStatus }: ExtendVolume,
    _outcome,
    { tx, failures, flowId, ...context },
  ) => {
    await rollbackReservations(tx, flowId);
    const [failure] = failures;
    const asked = failedIn(failures, ExtendOnBackend.name) && failure.before !== true;
    const touched = asked || failedIn(failures, ExtendVolumeOnFinish.name);
    const before = await findVolume(tx.db, id);
    if (before === undefined) return;
    const status = touched ? VOLUME_TRANSITIONS.extend.failure : (before.previousStatus ?? previousStatus);
    await updateVolume(tx, id, { status, previousStatus: null });
    const volume = await getVolume(tx.db, id);
    await tellUser(tx, 'extend-volume', failure, volume, context);
    await tellNoBackend(tx, 'extend_volume', failure, { volume, sizeGiB: newSizeGiB - sizeGiB, ...context });
  },
});

const ScheduleExtendVolume = record({
  name: 'schedule_extend_volume',
  execute: async ({ volumeRef, pool, newSizeGiB }: ExtendVolume, { tx, tools }) => {
    const { volumeTypeId } = await getVolume(tx.db, volumeRef.id);
    const request = {
      sizeGiB: newSizeGiB - volumeRef.sizeGiB,
      volumeType: await getVolumeType(tx.db, volumeTypeId),
      resourceBackend: pool,
    };
    schedule(await listPools(tx.db, tools.serviceDownSeconds), request, tools.scheduler);
  },
});

const ExtendOnBackend = world({
  name: 'extend_on_backend',
  execute: async ({ volumeRef, pool, newSizeGiB }: ExtendVolume, call) =>
    call.tools.driver(pool).extendVolume(volumeRef, newSizeGiB, call),
});

const ExtendVolumeOnFinish = record({
  name: 'extend_volume_on_finish;resize.end',
  execute: async (
    { volumeRef: { id, sizeGiB }, pool, newSizeGiB, previousStatus }: ExtendVolume,
    { tx, flowId, requestId },
  ) => {
    await commitReservations(tx, flowId);
    const status = (await getVolume(tx.db, id)).previousStatus ?? previousStatus;
    await updateVolume(tx, id, { sizeGiB: newSizeGiB, status, previousStatus: null });
    await addPoolUsage(tx, {
      pool,
      allocatedGiB: newSizeGiB - sizeGiB,
      provisionedGiB: newSizeGiB - sizeGiB,
      volumes: 0,
    });
    await tellVolume(tx, 'resize.end', await getVolume(tx.db, id), requestId);
  },
});

export const extendVolume = flow<ExtendVolume>('extend_volume')
  .add(ErrorExtending)
  .add(ScheduleExtendVolume)
  .lane(onHostOf)
  .add(volumeStarted('resize.start'))
  .add(ExtendOnBackend)
  .add(ExtendVolumeOnFinish)
  .build({ version: 1 });
