/**
 * `DELETE /volumes/{id}`: deletes a volume, by cascade with its snapshots, by force from any status.
 *
 * A volume that could not be managed (`error_managing`) owns nothing on the backend: its row is deleted, and what an operator
 * has there stays. One that never came to a backend needs no flow.
 */
import { moveSnapshotStatus, snapshotsOf } from '../../db/snapshots.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { moveVolumeStatus } from '../../db/volumes.ts';
import { tellVolume } from '../../flows/tell.ts';
import { deleteVolume as flow, forgetVolume } from '../../flows/volumes/delete-volume.ts';
import { now } from '../../lib/clock.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidVolume } from '../../model/errors.ts';
import { type Snapshot, snapshotRefOf } from '../../model/snapshot.ts';
import { SNAPSHOT_TRANSITIONS } from '../../model/status.ts';
import { leaves } from '../../model/transition.ts';
import { refOf, type Volume } from '../../model/volume.ts';
import { begin, exclusive, snapshotResource, volumeResource } from '../begin.ts';
import { refusedVolume } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { volumeFor } from '../find.ts';
import { lockVolume } from '../lock.ts';
import { stopFlowsOf } from '../stop-flows.ts';
import { refuseMember, refuseMigrating } from './migrating.ts';
import { beginUnmanage } from './unmanage-volume.ts';

export interface DeleteVolumeOptions {
  /** Its snapshots too. */
  readonly cascade: boolean;
  /** From whatever status; what works on it is stopped first. */
  readonly force: boolean;
}

/** Deleted with their volume at once: so many fit in the input of a flow. */
const MOST_SNAPSHOTS = 350;

export async function deleteVolume(
  desk: Desk,
  caller: Caller,
  id: string,
  { cascade, force }: DeleteVolumeOptions,
): Promise<void> {
  if (force) await stopFlows(desk, caller, id, cascade);
  await desk.db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    const snapshots = await snapshotsOf(tx.db, id);
    refuseMigrating(volume, 'deleted');
    refuseWhatStays(caller, volume, snapshots, { cascade, force });
    if (volume.host === null && snapshots.length === 0) return forgetUnplaced(tx, volume, force, caller);
    if (volume.status === 'error_managing') return beginUnmanage(desk, tx, caller, volume, 'delete');
    const moved = await moveVolumeStatus(tx, id, 'delete', {
      force,
      attachStatusNot: 'attached',
      withoutExports: true,
      set: { terminatedAt: now() },
    });
    if (!moved) throw refusedVolume(volume, 'delete');
    for (const snapshot of snapshots) await moveSnapshotStatus(tx, snapshot.id, 'delete_with_volume', { force: true });
    const { status: previousStatus, host } = volume;
    const input = {
      volumeRef: refOf(volume),
      pool: host ?? '',
      previousStatus,
      snapshots: snapshots.map((each) => ({
        ref: snapshotRefOf(each, volume),
        previousStatus: each.status,
      })),
    };
    const holds = [exclusive(volumeResource(id)), ...snapshots.map((each) => exclusive(snapshotResource(each.id)))];
    await begin(desk, tx, caller, flow, input, { resource: volumeResource(id), projectId: volume.projectId, holds });
  });
}

async function stopFlows(desk: Desk, caller: Caller, id: string, cascade: boolean): Promise<void> {
  const volume = await volumeFor(desk.db.read, caller, id);
  const snapshots = await snapshotsOf(desk.db.read, id);
  // What is refused whatever becomes of them stops nothing.
  refuseWhatStays(caller, volume, snapshots, { cascade, force: true });
  if (volume.attachStatus === 'attached') throw refusedVolume(volume, 'delete');
  const resources = [volumeResource(id), ...(cascade ? snapshots : []).map((each) => snapshotResource(each.id))];
  await stopFlowsOf(desk, resources, 'The volume is deleted by force.');
}

/** It never came to a backend: there is nothing to be done but to forget it. */
async function forgetUnplaced(tx: Tx, volume: Volume, force: boolean, caller: Caller): Promise<void> {
  if (!(await moveVolumeStatus(tx, volume.id, 'delete', { force }))) throw refusedVolume(volume, 'delete');
  await tellVolume(tx, 'delete.start', volume, caller.requestId);
  await forgetVolume(tx, volume, 'delete.end', caller.requestId);
}

/** Refuses for what no end of a flow that is at work changes. */
function refuseWhatStays(
  caller: Caller,
  volume: Volume,
  snapshots: readonly Snapshot[],
  options: DeleteVolumeOptions,
): void {
  refuseMember(volume, 'deleted');
  if (volume.status !== 'error_managing') checkSnapshots(caller, volume, snapshots, options);
}

function checkSnapshots(
  caller: Caller,
  volume: Volume,
  snapshots: readonly Snapshot[],
  { cascade, force }: DeleteVolumeOptions,
): void {
  if (snapshots.length === 0) return;
  if (!cascade)
    throw new InvalidVolume(
      `Volume ${volume.id} has ${snapshots.length} snapshots; delete them first, or ask for cascade.`,
    );
  if (snapshots.length > MOST_SNAPSHOTS)
    throw new InvalidVolume(
      `Volume ${volume.id} has ${snapshots.length} snapshots; at most ${MOST_SNAPSHOTS} are deleted with it. Delete some first.`,
    );
  // They stayed with the project that gave the volume away.
  if (!caller.isAdmin && snapshots.some(({ projectId }) => projectId !== caller.projectId))
    throw new InvalidVolume(`Volume ${volume.id} has snapshots of another project and cannot be deleted with them.`);
  const busy = snapshots.find(
    ({ status, groupSnapshotId }) =>
      groupSnapshotId !== null || !(force || leaves<string>(SNAPSHOT_TRANSITIONS.delete_with_volume, status)),
  );
  if (busy)
    throw new InvalidVolume(
      `Snapshot ${busy.id} of volume ${volume.id} is ${busy.status} and cannot be deleted with it.`,
    );
}
