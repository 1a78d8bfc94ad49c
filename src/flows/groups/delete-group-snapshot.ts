/**
 * Delete a snapshot of a group, with all its parts. Goes forward, as `delete-group.ts` does, for the same reasons: parts that the backend
 * refuses to delete stay in it, and say `error_deleting` as it does; the others are gone, with their quota, and the delete may be
 * asked for again.
 */
import {
  deleteGroupSnapshotRow,
  findGroupSnapshot,
  getGroupSnapshot,
  updateGroupSnapshot,
} from '../../db/group-snapshots.ts';
import { findSnapshot, getSnapshot, updateSnapshot } from '../../db/snapshots.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { getVolume } from '../../db/volumes.ts';
import type { SnapshotRef } from '../../drivers/driver.ts';
import { GroupMembersLeft } from '../../model/errors.ts';
import type { GroupSnapshot } from '../../model/group-snapshot.ts';
import { GROUP_SNAPSHOT_TRANSITIONS, type GroupSnapshotStatus } from '../../model/group-status.ts';
import { SNAPSHOT_TRANSITIONS, type SnapshotStatus } from '../../model/status.ts';
import { tellGroupSnapshot, tellSnapshot, tellUser } from '../tell.ts';
import { flow, obligation, onHostOf, record, world } from '../tools.ts';
import { DESTROYS, forgetSnapshot, mayBeDestroyed } from '../volumes/delete-volume.ts';
import { isOfOneMember, type RefusedMember } from './members.ts';

export interface DeleteGroupSnapshot {
  readonly groupSnapshotId: string;
  readonly groupId: string;
  readonly pool: string;
  readonly previousStatus: GroupSnapshotStatus;
  /** At least one. */
  readonly parts: readonly { readonly ref: SnapshotRef; readonly previousStatus: SnapshotStatus }[];
}

const ErrorDeleting = obligation({
  name: 'error_deleting',
  revert: async (
    { groupSnapshotId, groupId, previousStatus, parts }: DeleteGroupSnapshot,
    _outcome,
    { tx, failures, ...context },
  ) => {
    const groupSnapshot = await findGroupSnapshot(tx.db, groupSnapshotId);
    if (groupSnapshot === undefined) return;
    const destroying = [DeleteParts, ForgetParts, RefuseToForget, DeleteGroupSnapshotOnFinish];
    const destroyed = mayBeDestroyed(failures, ...destroying.map(({ name }) => name));
    for (const { ref, previousStatus: before } of parts) {
      if ((await findSnapshot(tx.db, ref.id)) === undefined) continue;
      const status = destroyed ? SNAPSHOT_TRANSITIONS.delete_with_group_snapshot.failure : before;
      await updateSnapshot(tx, ref.id, { status });
    }
    const status = destroyed ? GROUP_SNAPSHOT_TRANSITIONS.delete.failure : previousStatus;
    await updateGroupSnapshot(tx, groupSnapshotId, { status });
    const { projectId } = groupSnapshot;
    await tellUser(tx, 'delete-group-snapshot', failures[0], { id: groupId, projectId }, context);
  },
});

const NotifyStart = record({
  name: 'notify_group_snapshot_action;delete.start',
  execute: async ({ groupSnapshotId, parts }: DeleteGroupSnapshot, { tx, requestId }) => {
    await tellGroupSnapshot(tx, 'delete.start', await getGroupSnapshot(tx.db, groupSnapshotId), requestId);
    for (const { ref } of parts) {
      const volume = await getVolume(tx.db, ref.volumeId);
      await tellSnapshot(tx, 'delete.start', await getSnapshot(tx.db, ref.id), volume, requestId);
    }
  },
});

const DeleteParts = world({
  name: 'delete_parts_on_backend',
  ...DESTROYS,
  execute: async ({ parts, pool }: DeleteGroupSnapshot, call): Promise<{ refused: readonly RefusedMember[] }> => {
    const refused: RefusedMember[] = [];
    for (const [index, { ref }] of parts.entries()) {
      try {
        await call.tools.driver(pool).deleteSnapshot(ref, call);
      } catch (error) {
        if (!isOfOneMember(error)) throw error;
        refused.push({ id: ref.id, failure: error.name });
      }
      call.progress((index + 1) / parts.length);
    }
    return { refused };
  },
});

const ForgetParts = record({
  name: 'forget_parts;delete.end',
  execute: async (
    { parts, refused }: DeleteGroupSnapshot & { refused: readonly RefusedMember[] },
    { tx, ...context },
  ) => {
    for (const { ref } of parts) {
      const snapshot = await getSnapshot(tx.db, ref.id);
      const left = refused.find(({ id }) => id === ref.id);
      if (left === undefined)
        await forgetSnapshot(tx, snapshot, await getVolume(tx.db, ref.volumeId), 'delete.end', context);
      else await tellUser(tx, 'delete-snapshot', { name: left.failure }, snapshot, context);
    }
  },
});

const RefuseToForget = record({
  name: 'refuse_to_forget',
  execute: ({ refused }: { refused: readonly RefusedMember[] }) => {
    if (refused.length > 0)
      throw new GroupMembersLeft(
        `These could not be deleted: ${refused.map(({ id }) => `snapshot ${id}`).join(', ')}.`,
      );
  },
});

const DeleteGroupSnapshotOnFinish = record({
  name: 'delete_group_snapshot_on_finish;delete.end',
  execute: async ({ groupSnapshotId }: DeleteGroupSnapshot, { tx, requestId }) =>
    forgetGroupSnapshot(tx, await getGroupSnapshot(tx.db, groupSnapshotId), requestId),
});

/** The row goes. It has no parts. */
export async function forgetGroupSnapshot(tx: Tx, groupSnapshot: GroupSnapshot, requestId: string): Promise<void> {
  await deleteGroupSnapshotRow(tx, groupSnapshot.id);
  await tellGroupSnapshot(tx, 'delete.end', groupSnapshot, requestId);
}

export const deleteGroupSnapshot = flow<DeleteGroupSnapshot>('delete_group_snapshot')
  .add(ErrorDeleting)
  .lane(onHostOf)
  .add(NotifyStart)
  .add(DeleteParts)
  .add(ForgetParts)
  .add(RefuseToForget)
  .add(DeleteGroupSnapshotOnFinish)
  .build({ version: 1 });
