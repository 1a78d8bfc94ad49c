/** The record of a start notification: a flow has begun its work on a volume, an attachment or a snapshot. */
import { getSnapshot } from '../db/snapshots.ts';
import { getVolume } from '../db/volumes.ts';
import type { SnapshotRef, VolumeRef } from '../drivers/driver.ts';
import { tellAttachments, tellSnapshot, tellVolume } from './tell.ts';
import { record } from './tools.ts';

export const volumeStarted = (suffix: 'create.start' | 'resize.start' | 'revert.start' | 'unmanage.start') =>
  record({
    name: `notify_volume_action;${suffix}`,
    execute: async ({ volumeRef: { id } }: { volumeRef: VolumeRef }, { tx, requestId }) => {
      await tellVolume(tx, suffix, await getVolume(tx.db, id), requestId);
    },
  });

/** `told` is false where an export is made again or removed, and nobody attaches or detaches. */
export const attachmentStarted = (suffix: 'attach.start' | 'detach.start') =>
  record({
    name: `notify_volume_action;${suffix}`,
    execute: async ({ volumeRef: { id }, told }: { volumeRef: VolumeRef; told: boolean }, { tx, requestId }) => {
      if (told) await tellAttachments(tx, suffix, await getVolume(tx.db, id), requestId);
    },
  });

export const snapshotStarted = (
  suffix: 'create.start' | 'delete.start' | 'revert.start' | 'unmanage.start' | 'manage_existing_snapshot.start',
) =>
  record({
    name: `notify_snapshot_action;${suffix}`,
    execute: async ({ snapshotRef: { id, volumeId } }: { snapshotRef: SnapshotRef }, { tx, requestId }) => {
      await tellSnapshot(tx, suffix, await getSnapshot(tx.db, id), await getVolume(tx.db, volumeId), requestId);
    },
  });
