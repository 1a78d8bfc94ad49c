/** Snapshots, as `pumice snapshots` shows them. */
import { countSnapshots, listSnapshots } from '../../db/snapshots.ts';
import { findVolume } from '../../db/volumes.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { SNAPSHOT_STATUSES } from '../../model/status.ts';
import { called, type ResourceKind } from './kind.ts';

export const snapshots: ResourceKind<Snapshot> = {
  word: 'snapshot',
  statuses: SNAPSHOT_STATUSES,
  list: listSnapshots,
  count: countSnapshots,
  columns: [
    { title: 'SIZE', align: 'right' },
    { title: 'OF VOLUME', shrinksTo: 14 },
  ],
  cells: ({ volumeSizeGiB, volumeId }) => [`${volumeSizeGiB} GiB`, volumeId],
  details: async ({ read }, snapshot) => {
    const volume = await findVolume(read, snapshot.volumeId);
    return [
      ['size', `${snapshot.volumeSizeGiB} GiB`],
      ['of volume', volume === undefined ? snapshot.volumeId : called(volume)],
      ['host', volume?.host ?? null],
      ['part of', snapshot.groupSnapshotId === null ? null : `group snapshot ${snapshot.groupSnapshotId}`],
    ];
  },
  facts: (snapshot) => ({
    id: snapshot.id,
    name: snapshot.name,
    description: snapshot.description,
    status: snapshot.status,
    progress: snapshot.progress,
    size: snapshot.volumeSizeGiB,
    volume_id: snapshot.volumeId,
    project_id: snapshot.projectId,
    user_id: snapshot.userId,
    group_snapshot_id: snapshot.groupSnapshotId,
    metadata: snapshot.metadata,
    created_at: snapshot.createdAt,
    updated_at: snapshot.updatedAt,
  }),
};
