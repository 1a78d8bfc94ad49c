/**
 * Bring an existing volume under management.
 *
 * The command has inserted the row (`managing`, size 0) on the pool that was named, and counted one volume. The backend
 * is asked for the true size, which must be within the project's limits and is reserved by this flow; the file is
 * taken over by renaming. If anything fails it has its old name again, the reservation is given back, and the row says
 * `error_managing`; data is never deleted.
 */
import { addPoolUsage } from '../../db/pool-usage.ts';
import { listPools } from '../../db/pools.ts';
import { commitReservations, countQuota, rollbackReservations } from '../../db/quotas.ts';
import { getVolumeType } from '../../db/volume-types.ts';
import { getVolume, updateVolume } from '../../db/volumes.ts';
import type { ManageRef, ModelUpdate, VolumeRef } from '../../drivers/driver.ts';
import { now } from '../../lib/clock.ts';
import { gigabytesQuota, negated } from '../../model/quota.ts';
import { VOLUME_TRANSITIONS } from '../../model/status.ts';
import { schedule } from '../../scheduler/schedule.ts';
import { checkVolumeSize, reserve } from '../quota.ts';
import { tellNoBackend, tellUser, tellVolume } from '../tell.ts';
import { flow, obligation, onHostOf, record, world } from '../tools.ts';
import { neverAsked } from '../undo.ts';

export interface ManageExisting {
  readonly volumeId: string;
  readonly pool: string;
  readonly ref: ManageRef;
}

const ErrorManaging = obligation({
  name: 'error_managing',
  revert: async ({ volumeId }: ManageExisting, _outcome, { tx, failures, ...context }) => {
    if (!(await updateVolume(tx, volumeId, { status: VOLUME_TRANSITIONS.manage.failure }))) return;
    const volume = await getVolume(tx.db, volumeId);
    await tellUser(tx, 'manage-existing', failures[0], volume, context);
    await tellNoBackend(tx, 'manage_existing', failures[0], { volume, sizeGiB: 0, ...context });
  },
});

/** The pool was named, so the filters only say whether the volume's type may be there. */
const ScheduleManageExisting = record({
  name: 'schedule_manage_existing',
  execute: async ({ volumeId, pool }: ManageExisting, { tx, tools }) => {
    const { volumeTypeId } = await getVolume(tx.db, volumeId);
    const request = { sizeGiB: 0, volumeType: await getVolumeType(tx.db, volumeTypeId), resourceBackend: pool };
    schedule(await listPools(tx.db, tools.serviceDownSeconds), request, tools.scheduler);
  },
});

const NotifyVolumeAction = record({
  name: 'notify_volume_action;manage_existing.start',
  execute: async ({ volumeId }: ManageExisting, { tx, requestId }) => {
    await tellVolume(tx, 'manage_existing.start', await getVolume(tx.db, volumeId), requestId);
  },
});

const PrepareForQuotaReservation = world({
  name: 'prepare_for_quota_reservation',
  execute: async ({ pool, ref }: ManageExisting, { tools, signal }) => ({
    sizeGiB: await tools.driver(pool).manageExistingGetSize(ref, signal),
  }),
});

const QuotaReserve = record({
  name: 'quota_reserve',
  execute: async ({ volumeId, sizeGiB }: ManageExisting & { sizeGiB: number }, { tx, tools, flowId }) => {
    const { projectId, volumeTypeId } = await getVolume(tx.db, volumeId);
    const { name: type } = await getVolumeType(tx.db, volumeTypeId);
    await checkVolumeSize(tx, projectId, sizeGiB, tools.quota);
    await reserve(tx, flowId, projectId, gigabytesQuota(sizeGiB, type), tools.quota);
  },
  revert: async (_input, _outcome, { tx, flowId }) => rollbackReservations(tx, flowId),
});

const TakeOver = world({
  name: 'manage_existing',
  execute: async (
    { volumeId, pool, ref, sizeGiB }: ManageExisting & { sizeGiB: number },
    call,
  ): Promise<{ model: ModelUpdate }> => ({
    model: await call.tools.driver(pool).manageExisting({ id: volumeId, sizeGiB } satisfies VolumeRef, ref, call),
  }),
  revert: async ({ volumeId, pool, ref, sizeGiB }, outcome, call) => {
    if (!neverAsked(outcome)) await call.tools.driver(pool).unmanage({ id: volumeId, sizeGiB }, ref, call);
  },
});

const QuotaCommit = record({
  name: 'quota_commit',
  execute: async (
    { volumeId, pool, ref, sizeGiB, model }: ManageExisting & { sizeGiB: number; model: ModelUpdate },
    { tx, flowId },
  ) => {
    await commitReservations(tx, flowId);
    await updateVolume(tx, volumeId, { ...model, sizeGiB, managedRef: ref });
    await addPoolUsage(tx, { pool, allocatedGiB: sizeGiB, provisionedGiB: sizeGiB, volumes: 0 });
  },
  revert: async ({ volumeId, pool, sizeGiB }, outcome, { tx }) => {
    if (outcome.is !== 'done') return;
    const { projectId, volumeTypeId } = await getVolume(tx.db, volumeId);
    const { name: type } = await getVolumeType(tx.db, volumeTypeId);
    await countQuota(tx, projectId, negated(gigabytesQuota(sizeGiB, type)));
    await updateVolume(tx, volumeId, { sizeGiB: 0, managedRef: null, providerLocation: null, providerId: null });
    await addPoolUsage(tx, { pool, allocatedGiB: -sizeGiB, provisionedGiB: -sizeGiB, volumes: 0 });
  },
});

const ManageOnFinish = record({
  name: 'create_volume_on_finish;manage_existing.end',
  execute: async ({ volumeId }: ManageExisting, { tx, requestId }) => {
    await updateVolume(tx, volumeId, { status: VOLUME_TRANSITIONS.manage.success, launchedAt: now() });
    await tellVolume(tx, 'manage_existing.end', await getVolume(tx.db, volumeId), requestId);
  },
});

export const manageExisting = flow<ManageExisting>('manage_existing')
  .add(ErrorManaging)
  .add(ScheduleManageExisting)
  .lane(onHostOf)
  .add(NotifyVolumeAction)
  .add(PrepareForQuotaReservation)
  .add(QuotaReserve)
  .add(TakeOver)
  .add(QuotaCommit)
  .add(ManageOnFinish)
  .build({ version: 1 });
