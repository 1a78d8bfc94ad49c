/**
 * Delete a volume, and its snapshots when asked (cascade).
 *
 * The command has moved the statuses to `deleting` and taken the holds. Deletes go forward: once data is being destroyed
 * there is no way back, so a backend that is down is waited for, as long as it takes; an operator can end it
 * with `pumice flows revert`, and the volume says `error_deleting`. Only a backend that answers "busy" has destroyed
 * nothing: then the volume or snapshot it could not delete has its old status again, and a message says why. Snapshots that were
 * deleted before it are gone, rows and all: nothing says `available` whose data is not there. The row, its quota, the event and
 * the end of the flow are one commit.
 */
import { addPoolUsage } from '../../db/pool-usage.ts';
import { countQuota } from '../../db/quotas.ts';
import { deleteSnapshotRow, findSnapshot, updateSnapshot } from '../../db/snapshots.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { getVolumeType } from '../../db/volume-types.ts';
import { deleteVolumeRow, findVolume, getVolume, updateVolume } from '../../db/volumes.ts';
import type { SnapshotRef, VolumeRef } from '../../drivers/driver.ts';
import type { FlowFailures } from '../../engine/failure.ts';
import { SnapshotIsBusy } from '../../model/errors.ts';
import { negated, snapshotQuota, volumeQuota } from '../../model/quota.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import {
  SNAPSHOT_TRANSITIONS,
  type SnapshotStatus,
  VOLUME_TRANSITIONS,
  type VolumeStatus,
} from '../../model/status.ts';
import type { Volume } from '../../model/volume.ts';
import { tellSnapshot, tellUser, tellVolume } from '../tell.ts';
import { flow, obligation, onHostOf, record, type Tools, world } from '../tools.ts';
import { failedIn } from '../undo.ts';

export interface DeleteVolume {
  readonly volumeRef: VolumeRef;
  /** `node@backend#pool` */
  readonly pool: string;
  readonly previousStatus: VolumeStatus;
  /** Deleted with it, with what each was before. */
  readonly snapshots: readonly { readonly ref: SnapshotRef; readonly previousStatus: SnapshotStatus }[];
}

/** Of a delete that failed: whether data may be gone. `busy` says that none is. */
export const DESTROYS = {
  retry: {
    tries: Number.POSITIVE_INFINITY,
    when: ({ name }: { name: string }) => !isBusy(name),
    backoffMs: 500,
    maxBackoffMs: 60_000,
  },
  forwardOnly: true,
} as const;

const isBusy = (name: string): boolean => name === 'VolumeIsBusy' || name === 'SnapshotIsBusy';

/** Whether the failure came when the backend had begun to destroy: in one of these tasks. */
export function mayBeDestroyed(failures: FlowFailures, ...tasks: readonly string[]): boolean {
  const [{ before, name }] = failures;
  return failedIn(failures, ...tasks) && before !== true && !isBusy(name);
}

const ErrorDeleting = obligation({
  name: 'error_deleting',
  revert: async (
    { volumeRef: { id }, previousStatus, snapshots }: DeleteVolume,
    _outcome,
    { tx, failures, ...context },
  ) => {
    const volume = await findVolume(tx.db, id);
    if (volume === undefined) return;
    const destroying = [DeleteSnapshots, ForgetSnapshots, DeleteOnBackend, DeleteVolumeOnFinish];
    const destroyed = mayBeDestroyed(failures, ...destroying.map(({ name }) => name));
    await updateVolume(tx, id, {
      status: destroyed ? VOLUME_TRANSITIONS.delete.failure : previousStatus,
      terminatedAt: null,
    });
    for (const { ref, previousStatus: status } of snapshots)
      await updateSnapshot(tx, ref.id, {
        status: destroyed ? SNAPSHOT_TRANSITIONS.delete_with_volume.failure : status,
      });
    await tellUser(tx, 'delete-volume', failures[0], volume, context);
  },
});

const NotifyVolumeAction = record({
  name: 'notify_volume_action;delete.start',
  execute: async ({ volumeRef: { id }, snapshots }: DeleteVolume, { tx, requestId }) => {
    const volume = await getVolume(tx.db, id);
    await tellVolume(tx, 'delete.start', volume, requestId);
    for (const { ref } of snapshots) {
      const snapshot = await findSnapshot(tx.db, ref.id);
      if (snapshot) await tellSnapshot(tx, 'delete.start', snapshot, volume, requestId);
    }
  },
});

const DeleteSnapshots = world({
  name: 'delete_snapshots_on_backend',
  ...DESTROYS,
  execute: async ({ snapshots, pool }: DeleteVolume, call): Promise<{ destroyedSnapshots: number }> => {
    const driver = call.tools.driver(pool);
    let destroyedSnapshots = 0;
    for (const { ref } of snapshots) {
      const busy = await driver.deleteSnapshot(ref, call).then(() => false, unlessBusy);
      if (busy) break;
      destroyedSnapshots += 1;
    }
    return { destroyedSnapshots };
  },
});

function unlessBusy(error: unknown): true {
  if (error instanceof SnapshotIsBusy) return true;
  throw error;
}

const ForgetSnapshots = record({
  name: 'forget_snapshots;delete.end',
  execute: async (
    { volumeRef, snapshots, destroyedSnapshots }: DeleteVolume & { destroyedSnapshots: number },
    { tx, ...context },
  ) => {
    const volume = await getVolume(tx.db, volumeRef.id);
    for (const { ref } of snapshots.slice(0, destroyedSnapshots)) {
      const snapshot = await findSnapshot(tx.db, ref.id);
      if (snapshot) await forgetSnapshot(tx, snapshot, volume, 'delete.end', context);
    }
  },
});

const RefuseBusy = record({
  name: 'refuse_busy',
  execute: ({ snapshots, destroyedSnapshots }: DeleteVolume & { destroyedSnapshots: number }) => {
    const busy = snapshots[destroyedSnapshots];
    if (busy) throw new SnapshotIsBusy(`Snapshot ${busy.ref.id} is in use.`);
  },
});

const DeleteOnBackend = world({
  name: 'delete_on_backend',
  ...DESTROYS,
  execute: async ({ volumeRef, pool }: DeleteVolume, call) => call.tools.driver(pool).deleteVolume(volumeRef, call),
});

const DeleteVolumeOnFinish = record({
  name: 'delete_volume_on_finish;delete.end',
  execute: async ({ volumeRef: { id } }: DeleteVolume, { tx, requestId }) => {
    await forgetVolume(tx, await getVolume(tx.db, id), 'delete.end', requestId);
  },
});

/** The row goes, and with it what it counts for. */
export async function forgetVolume(
  tx: Tx,
  volume: Volume,
  event: 'delete.end' | 'unmanage.end',
  requestId: string,
): Promise<void> {
  await uncountVolume(tx, volume);
  await tellVolume(tx, event, volume, requestId);
}

/** The row goes, and with it what it counts for. Nobody is told. */
export async function uncountVolume(tx: Tx, volume: Volume): Promise<void> {
  const type = await getVolumeType(tx.db, volume.volumeTypeId);
  await deleteVolumeRow(tx, volume.id);
  if (volume.usesQuota) await countQuota(tx, volume.projectId, negated(volumeQuota(volume.sizeGiB, type.name)));
  if (volume.host !== null)
    await addPoolUsage(tx, {
      pool: volume.host,
      allocatedGiB: -volume.sizeGiB,
      provisionedGiB: -volume.sizeGiB,
      volumes: -1,
    });
}

export async function forgetSnapshot(
  tx: Tx,
  snapshot: Snapshot,
  volume: Volume,
  event: 'delete.end' | 'unmanage.end',
  { tools, requestId }: { readonly tools: Tools; readonly requestId: string },
): Promise<void> {
  await uncountSnapshot(tx, snapshot, volume, tools);
  await tellSnapshot(tx, event, snapshot, volume, requestId);
}

/** The row goes, and with it what it counts for. Nobody is told. */
export async function uncountSnapshot(
  tx: Tx,
  snapshot: Snapshot,
  volume: Pick<Volume, 'host'>,
  tools: Pick<Tools, 'quota'>,
): Promise<void> {
  const type = await getVolumeType(tx.db, snapshot.volumeTypeId);
  const deltas = snapshotQuota(snapshot.volumeSizeGiB, type.name, !tools.quota.no_snapshot_gb_quota);
  await deleteSnapshotRow(tx, snapshot.id);
  if (snapshot.usesQuota) await countQuota(tx, snapshot.projectId, negated(deltas));
  if (volume.host !== null)
    await addPoolUsage(tx, { pool: volume.host, allocatedGiB: 0, provisionedGiB: -snapshot.volumeSizeGiB, volumes: 0 });
}

const withSnapshots = flow<DeleteVolume>('cascade')
  .add(DeleteSnapshots)
  .add(ForgetSnapshots)
  .add(RefuseBusy)
  .build({ version: 1 });

export const deleteVolume = flow<DeleteVolume>('delete_volume')
  .add(ErrorDeleting)
  .lane(onHostOf)
  .add(NotifyVolumeAction)
  .when('has_snapshots', ({ snapshots }) => snapshots.length > 0, withSnapshots)
  .add(DeleteOnBackend)
  .add(DeleteVolumeOnFinish)
  .build({ version: 1 });
