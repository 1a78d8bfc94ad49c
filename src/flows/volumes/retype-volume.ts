/**
 * Retype a volume: it gets another type where it is, in use or not, and so do its snapshots; or, when its backend is not good for that and
 * the caller wants it to move (`on-demand`), on another backend.
 *
 * The command has moved the status to `retyping`, taken the holds, and promised this flow the quota of the new type. When no backend is
 * good for the new type the volume is as before, and a message says why; so also when it would have to move and cannot, since it
 * has snapshots, or somebody has it by its path. Its status of before stands in its row (`previousStatus`), since a client may detach it while the
 * flow waits for a copy of it.
 *
 * Types, the flag `multiattach` and the quotas of both types are one commit, which is the switch where the volume moves
 * (`move-volume.ts`, `move-attached.ts`), else the last. What moves between the quotas is counted by the rows as they are in it: a snapshot that was
 * being deleted when the command counted may be gone. The type may be deleted or get an encryption until a row is of it; then
 * the volume keeps the one it had, where it was. Status and event are the last commit.
 */
import { attachmentsOf } from '../../db/attachments.ts';
import { listPools } from '../../db/pools.ts';
import { countQuota, rollbackReservations } from '../../db/quotas.ts';
import { snapshotsOf, updateSnapshot } from '../../db/snapshots.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { getVolumeType, keepVolumeType } from '../../db/volume-types.ts';
import { findVolume, getVolume, updateVolume } from '../../db/volumes.ts';
import { isReachedFromElsewhere, nodeOf } from '../../model/backend.ts';
import { InvalidVolume } from '../../model/errors.ts';
import type { VolumeStatus } from '../../model/status.ts';
import { isMultiattach } from '../../model/volume-type.ts';
import { schedule, sift } from '../../scheduler/schedule.ts';
import { checkNotEncrypted } from '../encryption.ts';
import { tellNoBackend, tellUser, tellVolume } from '../tell.ts';
import { flow, obligation, onHostOf, record, type Tools } from '../tools.ts';
import { checkMovable, FindAttached, MoveLive, ServeMoved } from './move-attached.ts';
import {
  type Destined,
  LocateVolume,
  MarkMigrating,
  type MoveVolume,
  onDestination,
  ReceiveVolume,
  RemoveOld,
  type Switching,
  switchVolume,
} from './move-volume.ts';
import { retypeQuota } from './retype-quota.ts';

export interface RetypeVolume extends MoveVolume {
  readonly newTypeId: string;
  readonly previousStatus: VolumeStatus;
  /** It may move for it. */
  readonly mayMove: boolean;
}

const RestoreStatus = obligation({
  name: 'restore_status',
  revert: async (input: RetypeVolume, _outcome, { tx, failures: [failure], flowId, ...context }) => {
    const { volumeRef, previousStatus, copyId } = input;
    const { id, sizeGiB } = volumeRef;
    await rollbackReservations(tx, flowId);
    const before = await findVolume(tx.db, id);
    if (before === undefined) return;
    if (before.nameId === copyId) return endRetype(tx, input, context.requestId);
    const status = before.previousStatus ?? previousStatus;
    const moved = before.migrationStatus === 'migrating' && { migrationStatus: 'error' };
    await updateVolume(tx, id, { status, previousStatus: null, ...moved });
    const volume = await getVolume(tx.db, id);
    await tellUser(tx, 'retype-volume', failure, volume, context);
    await tellNoBackend(tx, 'retype', failure, { volume, sizeGiB, state: { status }, ...context });
  },
});

interface Scheduled extends Destined {
  /** It moves while clients reach it. */
  readonly live: boolean;
}

/** The destination is where it is, if that will do. */
const ScheduleRetype = record({
  name: 'schedule_retype',
  execute: (input: RetypeVolume, context) => destinationOf(input, context),
});

const ScheduleRetypeV1 = record({
  name: 'schedule_retype',
  execute: async (input: RetypeVolume, context): Promise<Destined> => {
    const { destination, live } = await destinationOf(input, context);
    if (live)
      throw new InvalidVolume(
        `Volume ${input.volumeRef.id} is attached or connected, which keeps it from moving to a backend that is good for the type.`,
      );
    return { destination };
  },
});

async function destinationOf(
  { volumeRef: { id, sizeGiB }, pool, newTypeId, mayMove }: RetypeVolume,
  { tx, tools }: { readonly tx: Tx; readonly tools: Tools },
): Promise<Scheduled> {
  const { availabilityZone } = await getVolume(tx.db, id);
  const request = {
    sizeGiB,
    volumeType: await getVolumeType(tx.db, newTypeId),
    availabilityZones: availabilityZone === null ? [] : [availabilityZone],
  };
  const pools = await listPools(tx.db, tools.serviceDownSeconds);
  const toStay = { ...request, resourceBackend: pool, existingPool: pool };
  if (!mayMove) return { destination: schedule(pools, toStay, tools.scheduler).name, live: false };
  if (sift(pools, toStay, tools.scheduler).passed.length > 0) return { destination: pool, live: false };
  if ((await snapshotsOf(tx.db, id)).length > 0)
    throw new InvalidVolume(
      `Volume ${id} has snapshots, which keep it from moving to a backend that is good for the type.`,
    );
  const attachments = await attachmentsOf(tx.db, id);
  checkMovable(attachments);
  const live = attachments.length > 0;
  const leaves = !live && pools.some((each) => each.name === pool && isReachedFromElsewhere(each));
  const near = pools.filter(({ name }) => nodeOf(name) === nodeOf(pool));
  // What stays on its machine needs no network, and perhaps no copy.
  const far = leaves && sift(near, request, tools.scheduler).passed.length === 0;
  return { destination: schedule(far ? pools : near, request, tools.scheduler).name, live };
}

const SwitchVolume = record({
  name: 'switch_volume',
  execute: async (input: RetypeVolume & Switching, { tx, tools, flowId }) => {
    await switchVolume(tx, input);
    await changeType(tx, input, { tools, flowId });
  },
});

const RetypeOnFinish = record({
  name: 'retype_on_finish;retype',
  execute: async (input: RetypeVolume & Destined, { tx, requestId, ...context }) => {
    if (input.destination === input.pool) await changeType(tx, input, context);
    await endRetype(tx, input, requestId);
  },
});

async function endRetype(
  tx: Tx,
  { volumeRef: { id }, previousStatus, copyId }: RetypeVolume,
  requestId: string,
): Promise<void> {
  const before = await getVolume(tx.db, id);
  const status = before.previousStatus ?? previousStatus;
  const moved = before.nameId === copyId && { migrationStatus: 'success' };
  await updateVolume(tx, id, { status, previousStatus: null, ...moved });
  await tellVolume(tx, 'retype', await getVolume(tx.db, id), requestId);
}

/** Of the rows, and of what they count for. */
async function changeType(
  tx: Tx,
  { volumeRef: { id }, newTypeId }: RetypeVolume,
  { tools, flowId }: { readonly tools: Tools; readonly flowId: string },
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

const byMigration = flow<RetypeVolume & Destined>('by_migration')
  .lane(onHostOf)
  .add(MarkMigrating)
  .add(LocateVolume)
  .lane(onDestination)
  .add(ReceiveVolume)
  .add(SwitchVolume)
  .lane(onHostOf)
  .add(RemoveOld)
  .build({ version: 1 });

const whileAttached = flow<RetypeVolume & Destined>('while_attached')
  .lane(onHostOf)
  .add(MarkMigrating)
  .add(FindAttached)
  .add(MoveLive)
  .add(SwitchVolume, { rebind: { model: 'received' } })
  .add(ServeMoved)
  .add(RemoveOld)
  .build({ version: 1 });

export const retypeVolume = flow<RetypeVolume>('retype_volume')
  .add(RestoreStatus)
  .add(ScheduleRetype)
  .when('moves', ({ pool, destination, live }) => destination !== pool && !live, byMigration)
  .when('moves_live', ({ pool, destination, live }) => destination !== pool && live, whileAttached)
  .add(RetypeOnFinish)
  .build({ version: 2 });

/** Moved no volume that was attached. */
export const retypeVolumeV1 = flow<RetypeVolume>('retype_volume')
  .add(RestoreStatus)
  .add(ScheduleRetypeV1)
  .when('moves', ({ pool, destination }) => destination !== pool, byMigration)
  .add(RetypeOnFinish)
  .build({ version: 1 });
