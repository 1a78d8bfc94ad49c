/**
 * Bring an existing snapshot under management: a thing on the backend that was not made here becomes the snapshot of a
 * volume.
 *
 * The command has inserted the row (`creating`) and counted one snapshot of the volume's size, as for a new one. The
 * backend is asked for the true size; the *difference* is reserved by this flow, may be negative, and is committed in the
 * transaction that ends it. So a process that dies between leaks nothing: the reservation is the flow's, and the flow is
 * finished or reverted. The thing is given back by its old name if anything fails; it is never deleted.
 */
import { addPoolUsage } from '../../db/pool-usage.ts';
import { commitReservations, countQuota, rollbackReservations } from '../../db/quotas.ts';
import { getSnapshot, updateSnapshot } from '../../db/snapshots.ts';
import { getVolumeType } from '../../db/volume-types.ts';
import { getVolume } from '../../db/volumes.ts';
import type { ManageRef, ModelUpdate, SnapshotRef } from '../../drivers/driver.ts';
import { gigabytesQuota } from '../../model/quota.ts';
import { snapshotRefOf } from '../../model/snapshot.ts';
import { SNAPSHOT_TRANSITIONS, type SnapshotStatus } from '../../model/status.ts';
import { reserve } from '../quota.ts';
import { snapshotStarted } from '../started.ts';
import { tellSnapshot, tellUser } from '../tell.ts';
import { flow, obligation, onHostOf, record, world } from '../tools.ts';
import { neverAsked } from '../undo.ts';

export interface ManageExistingSnapshot {
  readonly snapshotId: string;
  readonly pool: string;
  readonly ref: ManageRef;
}

/** The one place that decides how a failed takeover ends; so also when it was cancelled before it began. */
const ErrorOut = obligation({
  name: 'error_out',
  revert: async ({ snapshotId }: ManageExistingSnapshot, _outcome, { tx, failures, ...context }) => {
    if (!(await updateSnapshot(tx, snapshotId, { status: SNAPSHOT_TRANSITIONS.manage.failure }))) return;
    await tellUser(tx, 'manage-existing-snapshot', failures[0], await getSnapshot(tx.db, snapshotId), context);
  },
});

const ExtractSnapshotRef = record({
  name: 'extract_snapshot_ref',
  execute: async ({ snapshotId }: ManageExistingSnapshot, { tx }) => {
    const snapshot = await getSnapshot(tx.db, snapshotId);
    const volume = await getVolume(tx.db, snapshot.volumeId);
    return { snapshotRef: snapshotRefOf(snapshot, volume) satisfies SnapshotRef };
  },
});

const PrepareForQuotaReservation = world({
  name: 'prepare_for_quota_reservation',
  execute: async (
    { snapshotRef, pool, ref }: ManageExistingSnapshot & { snapshotRef: SnapshotRef },
    { tools, signal },
  ) => ({
    sizeGiB: await tools.driver(pool).manageExistingSnapshotGetSize(ref, snapshotRef, signal),
  }),
});

const QuotaReserve = record({
  name: 'quota_reserve',
  execute: async ({ snapshotRef, sizeGiB }: { snapshotRef: SnapshotRef; sizeGiB: number }, { tx, tools, flowId }) => {
    if (tools.quota.no_snapshot_gb_quota) return;
    const { projectId, volumeTypeId } = await getSnapshot(tx.db, snapshotRef.id);
    const { name: type } = await getVolumeType(tx.db, volumeTypeId);
    await reserve(tx, flowId, projectId, gigabytesQuota(sizeGiB - snapshotRef.sizeGiB, type), tools.quota);
  },
  revert: async (_input, _outcome, { tx, flowId }) => rollbackReservations(tx, flowId),
});

const ManageExisting = world({
  name: 'manage_existing',
  execute: async (
    { snapshotRef, pool, ref, sizeGiB }: ManageExistingSnapshot & { snapshotRef: SnapshotRef; sizeGiB: number },
    call,
  ): Promise<{ model: ModelUpdate; newStatus: SnapshotStatus }> => ({
    model: await call.tools.driver(pool).manageExistingSnapshot({ ...snapshotRef, sizeGiB }, ref, call),
    newStatus: SNAPSHOT_TRANSITIONS.manage.success,
  }),
  revert: async ({ snapshotRef, pool, ref }, outcome, call) => {
    if (!neverAsked(outcome)) await call.tools.driver(pool).unmanageSnapshot(snapshotRef, ref, call);
  },
});

/** The true size and what was promised for it become one: rows and usage never differ. */
const QuotaCommit = record({
  name: 'quota_commit',
  execute: async (
    {
      snapshotRef,
      pool,
      ref,
      sizeGiB,
      model,
    }: ManageExistingSnapshot & { snapshotRef: SnapshotRef; sizeGiB: number; model: ModelUpdate },
    { tx, flowId },
  ) => {
    await commitReservations(tx, flowId);
    await updateSnapshot(tx, snapshotRef.id, { ...model, volumeSizeGiB: sizeGiB, managedRef: ref });
    await addPoolUsage(tx, { pool, allocatedGiB: 0, provisionedGiB: sizeGiB - snapshotRef.sizeGiB, volumes: 0 });
  },
  revert: async ({ snapshotRef: { id, sizeGiB: counted }, pool, sizeGiB }, outcome, { tx, tools }) => {
    if (outcome.is !== 'done') return;
    const { projectId, volumeTypeId } = await getSnapshot(tx.db, id);
    const { name: type } = await getVolumeType(tx.db, volumeTypeId);
    if (!tools.quota.no_snapshot_gb_quota) await countQuota(tx, projectId, gigabytesQuota(counted - sizeGiB, type));
    const none = { managedRef: null, providerLocation: null, providerId: null };
    await updateSnapshot(tx, id, { ...none, volumeSizeGiB: counted });
    await addPoolUsage(tx, { pool, allocatedGiB: 0, provisionedGiB: counted - sizeGiB, volumes: 0 });
  },
});

const CreateSnapshotOnFinish = record({
  name: 'create_snapshot_on_finish;manage_existing_snapshot.end',
  execute: async (
    { snapshotRef: { id, volumeId }, newStatus }: { snapshotRef: SnapshotRef; newStatus: SnapshotStatus },
    { tx, requestId },
  ) => {
    const volume = await getVolume(tx.db, volumeId);
    await updateSnapshot(tx, id, {
      status: newStatus,
      progress: '100%',
      imageMetadata: volume.bootable ? volume.imageMetadata : null,
    });
    await tellSnapshot(tx, 'manage_existing_snapshot.end', await getSnapshot(tx.db, id), volume, requestId);
  },
});

export const manageExistingSnapshot = flow<ManageExistingSnapshot>('manage_existing_snapshot')
  .add(ErrorOut)
  .add(ExtractSnapshotRef)
  .lane(onHostOf)
  .add(snapshotStarted('manage_existing_snapshot.start'))
  .add(PrepareForQuotaReservation)
  .add(QuotaReserve)
  .add(ManageExisting)
  .add(QuotaCommit)
  .add(CreateSnapshotOnFinish)
  .build({ version: 1 });
