/**
 * Retype a volume, in use or not: it gets another type where it is, and so do its snapshots.
 *
 * The command has moved the status to `retyping`, taken the hold, and promised this flow the quota of the new type. The pool must be
 * good for the new type, else the volume is as before, and a message says why. Its status of before stands in its row
 * (`previousStatus`), since a client may detach it while the flow waits for a copy of it.
 *
 * Types, the flag `multiattach`, the quotas of both types, status, event and end of the flow are one commit. What moves between the
 * quotas is counted by the rows as they are in it: a snapshot that was being deleted when the command counted may be gone. The type
 * may be deleted or get an encryption until a row is of it; then the volume keeps the one it had.
 */
import { listPools } from '../../db/pools.ts';
import { countQuota, rollbackReservations } from '../../db/quotas.ts';
import { snapshotsOf, updateSnapshot } from '../../db/snapshots.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { getVolumeType, keepVolumeType } from '../../db/volume-types.ts';
import { findVolume, getVolume, updateVolume } from '../../db/volumes.ts';
import type { VolumeRef } from '../../drivers/driver.ts';
import type { VolumeStatus } from '../../model/status.ts';
import { isMultiattach } from '../../model/volume-type.ts';
import { schedule } from '../../scheduler/schedule.ts';
import { checkNotEncrypted } from '../encryption.ts';
import { tellNoBackend, tellUser, tellVolume } from '../tell.ts';
import { flow, obligation, record, type Tools } from '../tools.ts';
import { retypeQuota } from './retype-quota.ts';

export interface RetypeVolume {
  readonly volumeRef: VolumeRef;
  readonly pool: string;
  readonly newTypeId: string;
  readonly previousStatus: VolumeStatus;
}

const RestoreStatus = obligation({
  name: 'restore_status',
  revert: async (
    { volumeRef: { id, sizeGiB }, previousStatus }: RetypeVolume,
    _outcome,
    { tx, failures: [failure], flowId, ...context },
  ) => {
    await rollbackReservations(tx, flowId);
    const before = await findVolume(tx.db, id);
    if (before === undefined) return;
    const status = before.previousStatus ?? previousStatus;
    await updateVolume(tx, id, { status, previousStatus: null });
    const volume = await getVolume(tx.db, id);
    await tellUser(tx, 'retype-volume', failure, volume, context);
    await tellNoBackend(tx, 'retype', failure, { volume, sizeGiB, state: { status }, ...context });
  },
});

const ScheduleRetype = record({
  name: 'schedule_retype',
  execute: async ({ volumeRef: { id, sizeGiB }, pool, newTypeId }: RetypeVolume, { tx, tools }) => {
    const { availabilityZone } = await getVolume(tx.db, id);
    const request = {
      sizeGiB,
      volumeType: await getVolumeType(tx.db, newTypeId),
      availabilityZones: availabilityZone === null ? [] : [availabilityZone],
      resourceBackend: pool,
      existingPool: pool,
    };
    schedule(await listPools(tx.db, tools.serviceDownSeconds), request, tools.scheduler);
  },
});

const RetypeOnFinish = record({
  name: 'retype_on_finish;retype',
  execute: async ({ volumeRef: { id }, newTypeId, previousStatus }: RetypeVolume, { tx, tools, flowId, requestId }) => {
    await changeType(tx, { id, newTypeId, flowId, tools });
    const status = (await getVolume(tx.db, id)).previousStatus ?? previousStatus;
    await updateVolume(tx, id, { status, previousStatus: null });
    await tellVolume(tx, 'retype', await getVolume(tx.db, id), requestId);
  },
});

/** Of the rows, and of what they count for. */
async function changeType(
  tx: Tx,
  { id, newTypeId, flowId, tools }: { id: string; newTypeId: string; flowId: string; tools: Tools },
): Promise<void> {
  await keepVolumeType(tx.db, newTypeId);
  const type = await getVolumeType(tx.db, newTypeId);
  await checkNotEncrypted(tx.db, type);
  const volume = await getVolume(tx.db, id);
  const snapshots = await snapshotsOf(tx.db, id);
  const moved = await retypeQuota(tx, { volume, snapshots, type }, !tools.quota.no_snapshot_gb_quota);
  await rollbackReservations(tx, flowId);
  for (const [projectId, deltas] of moved) await countQuota(tx, projectId, deltas);
  await updateVolume(tx, id, { volumeTypeId: type.id, multiattach: isMultiattach(type) });
  for (const snapshot of snapshots) await updateSnapshot(tx, snapshot.id, { volumeTypeId: type.id });
}

export const retypeVolume = flow<RetypeVolume>('retype_volume')
  .add(RestoreStatus)
  .add(ScheduleRetype)
  .add(RetypeOnFinish)
  .build({ version: 1 });
