/** A snapshot as clients see it, version by version. */
import { findSnapshots } from '../../db/snapshots.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { CONSUMES_QUOTA, GROUP_SNAPSHOTS, SNAPSHOT_USER } from '../microversion.ts';
import type { View, Viewer } from '../rendered.ts';

const changesAt = [GROUP_SNAPSHOTS, SNAPSHOT_USER, CONSUMES_QUOTA];

/** `GET snapshots/{id}`, `GET snapshots/detail`. */
export const snapshotDetail: View<Snapshot> = {
  name: 'snapshot-detail',
  changesAt,
  load: findSnapshots,
  show: (snapshot, viewer) => ({
    ...snapshotAnswer(snapshot, viewer),
    ...(viewer.attributes.snapshot && {
      'os-extended-snapshot-attributes:progress': snapshot.progress,
      'os-extended-snapshot-attributes:project_id': snapshot.projectId,
    }),
  }),
};

/** `GET snapshots`. */
export const snapshotSummary: View<Snapshot> = {
  name: 'snapshot-summary',
  changesAt: [],
  load: findSnapshots,
  show: summaryFields,
};

/** The answer to a create or an update: without what the extension adds. */
export function snapshotAnswer(snapshot: Snapshot, { version }: Viewer): object {
  return {
    ...summaryFields(snapshot),
    ...(version >= GROUP_SNAPSHOTS && { group_snapshot_id: snapshot.groupSnapshotId }),
    ...(version >= SNAPSHOT_USER && { user_id: snapshot.userId }),
    ...(version >= CONSUMES_QUOTA && { consumes_quota: snapshot.usesQuota }),
  };
}

function summaryFields(snapshot: Snapshot): object {
  return {
    id: snapshot.id,
    created_at: snapshot.createdAt,
    updated_at: snapshot.updatedAt,
    name: snapshot.name,
    description: snapshot.description,
    volume_id: snapshot.volumeId,
    status: snapshot.status,
    size: snapshot.volumeSizeGiB,
    metadata: snapshot.metadata,
  };
}
