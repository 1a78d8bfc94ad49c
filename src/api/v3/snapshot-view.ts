/** The views of a snapshot: in a list, in detail and after a change, each version by version. */
import { findSnapshots } from '../../db/snapshots.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { CONSUMES_QUOTA, GROUP_SNAPSHOTS, OLDEST, SNAPSHOT_USER } from '../microversion.ts';
import { type Field, Fields, only, View, type Viewer } from '../view.ts';

const SUMMARY: readonly Field<Snapshot, Viewer>[] = [
  [OLDEST, 'id', ({ id }) => id],
  [OLDEST, 'created_at', ({ createdAt }) => createdAt],
  [OLDEST, 'updated_at', ({ updatedAt }) => updatedAt],
  [OLDEST, 'name', ({ name }) => name],
  [OLDEST, 'description', ({ description }) => description],
  [OLDEST, 'volume_id', ({ volumeId }) => volumeId],
  [OLDEST, 'status', ({ status }) => status],
  [OLDEST, 'size', ({ volumeSizeGiB }) => volumeSizeGiB],
  [OLDEST, 'metadata', ({ metadata }) => metadata],
];

const ANSWER: readonly Field<Snapshot, Viewer>[] = [
  ...SUMMARY,
  [GROUP_SNAPSHOTS, 'group_snapshot_id', ({ groupSnapshotId }) => groupSnapshotId],
  [SNAPSHOT_USER, 'user_id', ({ userId }) => userId],
  [CONSUMES_QUOTA, 'consumes_quota', ({ usesQuota }) => usesQuota],
];

/** `GET snapshots/{id}`, `GET snapshots/detail`. */
export const snapshotDetail = new View<Snapshot>('snapshot-detail', findSnapshots, [
  ...ANSWER,
  [
    OLDEST,
    'os-extended-snapshot-attributes:progress',
    ({ progress }, { attributes }) => only(attributes.snapshot, progress),
  ],
  [
    OLDEST,
    'os-extended-snapshot-attributes:project_id',
    ({ projectId }, { attributes }) => only(attributes.snapshot, projectId),
  ],
]);

/** `GET snapshots`. */
export const snapshotSummary = new View<Snapshot>('snapshot-summary', findSnapshots, SUMMARY);

/** The answer to a create or an update: without what the extension adds. */
export const snapshotAnswer = new Fields<Snapshot, Viewer>(ANSWER);
