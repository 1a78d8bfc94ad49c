/** `POST /snapshots`. */

import { addPoolUsage } from '../../db/pool-usage.ts';
import { insertSnapshot } from '../../db/snapshots.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { getVolumeType } from '../../db/volume-types.ts';
import { take } from '../../flows/quota.ts';
import { createSnapshot as flow } from '../../flows/snapshots/create-snapshot.ts';
import { uuid } from '../../lib/clock.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidVolume } from '../../model/errors.ts';
import { snapshotQuota } from '../../model/quota.ts';
import { type Snapshot, snapshotRefOf } from '../../model/snapshot.ts';
import { SNAPSHOT_TRANSITIONS } from '../../model/status.ts';
import type { Metadata, Volume } from '../../model/volume.ts';
import { begin, exclusive, shared, snapshotResource, volumeResource } from '../begin.ts';
import { checkVolumeStatus } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';
import { isMigrating } from '../volumes/migrating.ts';

export interface CreateSnapshotRequest {
  readonly volumeId: string;
  readonly name: string | null;
  readonly description: string | null;
  /** Of a volume in use too. */
  readonly force: boolean;
  readonly metadata: Metadata;
}

export async function createSnapshot(desk: Desk, caller: Caller, request: CreateSnapshotRequest): Promise<Snapshot> {
  return desk.db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, request.volumeId);
    checkVolumeStatus(volume, 'snapshot', request.force);
    const { snapshot, pool } = await insertSnapshotOf(desk, tx, caller, volume, request, 'create');
    await begin(
      desk,
      tx,
      caller,
      flow,
      { snapshotRef: snapshotRefOf(snapshot, volume), pool },
      {
        resource: snapshotResource(snapshot.id),
        projectId: snapshot.projectId,
        holds: [exclusive(snapshotResource(snapshot.id)), shared(volumeResource(volume.id))],
      },
    );
    return snapshot;
  });
}

/** The row and all it counts for, in one transaction; of a snapshot that is taken or taken over. */
export async function insertSnapshotOf(
  desk: Desk,
  tx: Tx,
  caller: Caller,
  volume: Volume,
  request: Pick<CreateSnapshotRequest, 'name' | 'description' | 'metadata'> & { readonly groupSnapshotId?: string },
  operation: 'create' | 'manage',
): Promise<{ readonly snapshot: Snapshot; readonly pool: string }> {
  const { host: pool, sizeGiB, volumeTypeId } = volume;
  if (pool === null || isMigrating(volume))
    throw new InvalidVolume(`Volume ${volume.id} is not on a backend, or on its way to another.`);
  const type = await getVolumeType(tx.db, volumeTypeId);
  const { quota } = desk.config;
  if (volume.usesQuota)
    await take(tx, volume.projectId, snapshotQuota(sizeGiB, type.name, !quota.no_snapshot_gb_quota), quota);
  await addPoolUsage(tx, { pool, allocatedGiB: 0, provisionedGiB: sizeGiB, volumes: 0 });
  const snapshot = await insertSnapshot(tx, {
    id: uuid(),
    projectId: volume.projectId,
    userId: caller.userId,
    volumeId: volume.id,
    volumeTypeId,
    volumeSizeGiB: sizeGiB,
    name: request.name,
    description: request.description,
    status: SNAPSHOT_TRANSITIONS[operation].during[0],
    usesQuota: volume.usesQuota,
    metadata: request.metadata,
    groupSnapshotId: request.groupSnapshotId ?? null,
  });
  return { snapshot, pool };
}
