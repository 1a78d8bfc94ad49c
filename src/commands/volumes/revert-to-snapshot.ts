/**
 * `revert`: takes a volume back to its newest snapshot. An older one would have to take those after it along, and one of another
 * size would change the size that quota and clients count with: 400. A volume or snapshot that is not free is 409, here alone.
 */
import { moveSnapshotStatus, snapshotsOf } from '../../db/snapshots.ts';
import { moveVolumeStatus } from '../../db/volumes.ts';
import { revertToSnapshot as flow } from '../../flows/volumes/revert-to-snapshot.ts';
import type { Caller } from '../../model/caller.ts';
import { Conflict, InvalidInput } from '../../model/errors.ts';
import { snapshotRefOf } from '../../model/snapshot.ts';
import { refOf } from '../../model/volume.ts';
import { begin, exclusive, snapshotResource, volumeResource } from '../begin.ts';
import { refusedSnapshot, refusedVolume } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';
import { isMigrating } from './migrating.ts';

export async function revertToSnapshot(desk: Desk, caller: Caller, id: string, snapshotId: string): Promise<void> {
  await desk.db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    const [newest] = await snapshotsOf(tx.db, id);
    if (newest === undefined) throw new InvalidInput(`Volume ${id} has no snapshot to be reverted to.`);
    if (newest.id !== snapshotId.toLowerCase())
      throw new InvalidInput(`Volume ${id} can be reverted to its newest snapshot only, which is ${newest.id}.`);
    if (newest.volumeSizeGiB !== volume.sizeGiB)
      throw new InvalidInput(
        `Volume ${id} has ${volume.sizeGiB}GiB, and its snapshot ${newest.id} ${newest.volumeSizeGiB}GiB. A new volume can be made from the snapshot.`,
      );
    const { host: pool } = volume;
    const unreached = { attachStatusNot: 'attached', withoutExports: true } as const;
    if (pool === null || isMigrating(volume) || !(await moveVolumeStatus(tx, id, 'revert', unreached)))
      throw new Conflict(refusedVolume(volume, 'revert').message);
    if (!(await moveSnapshotStatus(tx, newest.id, 'revert')))
      throw new Conflict(refusedSnapshot(newest, 'revert').message);
    await begin(
      desk,
      tx,
      caller,
      flow,
      { volumeRef: refOf(volume), snapshotRef: snapshotRefOf(newest, volume), pool },
      {
        resource: volumeResource(id),
        projectId: volume.projectId,
        holds: [exclusive(volumeResource(id)), exclusive(snapshotResource(newest.id))],
      },
    );
  });
}
