/**
 * Delete a group with all its volumes.
 *
 * The command has moved the group and its members to `deleting` and taken the holds. Deletes go forward, as in `delete_volume`: a
 * backend that is down is waited for. A member that the backend refuses to delete does not keep the others: they are gone, with their rows
 * and their quota, and it stays in the group, which says `error` as it does. A message on each names it, one on the group says that
 * some are left, and the delete may be asked for again. The rows, their quota, the events and the end of the flow are one commit.
 */

import { deleteGroupRow, findGroup, getGroup, updateGroup } from '../../db/groups.ts';
import { countQuota } from '../../db/quotas.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { findVolume, getVolume, updateVolume } from '../../db/volumes.ts';
import type { VolumeRef } from '../../drivers/driver.ts';
import { GroupMembersLeft } from '../../model/errors.ts';
import type { Group } from '../../model/group.ts';
import { GROUP_TRANSITIONS, type GroupStatus } from '../../model/group-status.ts';
import { GROUP_QUOTA, negated } from '../../model/quota.ts';
import { VOLUME_TRANSITIONS, type VolumeStatus } from '../../model/status.ts';
import { tellGroup, tellUser, tellVolume } from '../tell.ts';
import { flow, obligation, onHostOf, record, world } from '../tools.ts';
import { DESTROYS, forgetVolume, mayBeDestroyed } from '../volumes/delete-volume.ts';
import { isOfOneMember, type RefusedMember } from './members.ts';

export interface DeleteGroup {
  readonly groupId: string;
  /** `node@backend#pool` of the group, whose backend is that of its members. */
  readonly pool: string;
  readonly previousStatus: GroupStatus;
  readonly members: readonly {
    readonly ref: VolumeRef;
    /** Null of one that never came to a backend. */
    readonly pool: string | null;
    readonly previousStatus: VolumeStatus;
  }[];
}

const ErrorOut = obligation({
  name: 'error_out',
  revert: async ({ groupId, previousStatus, members }: DeleteGroup, _outcome, { tx, failures, ...context }) => {
    const group = await findGroup(tx.db, groupId);
    if (group === undefined) return;
    const destroying = [DeleteMembers, ForgetMembers, RefuseToForget, DeleteGroupOnFinish];
    const destroyed = mayBeDestroyed(failures, ...destroying.map(({ name }) => name));
    for (const { ref, previousStatus: before } of members) {
      if ((await findVolume(tx.db, ref.id)) === undefined) continue;
      const status = destroyed ? VOLUME_TRANSITIONS.delete_with_group.failure : before;
      await updateVolume(tx, ref.id, { status, terminatedAt: null });
    }
    await updateGroup(tx, groupId, { status: destroyed ? GROUP_TRANSITIONS.delete.failure : previousStatus });
    await tellUser(tx, 'delete-group', failures[0], group, context);
  },
});

const NotifyStart = record({
  name: 'notify_group_action;delete.start',
  execute: async ({ groupId, members }: DeleteGroup, { tx, requestId }) => {
    await tellGroup(tx, 'delete.start', await getGroup(tx.db, groupId), requestId);
    for (const { ref } of members) await tellVolume(tx, 'delete.start', await getVolume(tx.db, ref.id), requestId);
  },
});

const DeleteMembers = world({
  name: 'delete_members_on_backend',
  ...DESTROYS,
  execute: async ({ members }: DeleteGroup, call): Promise<{ refused: readonly RefusedMember[] }> => {
    const refused: RefusedMember[] = [];
    for (const [index, { ref, pool }] of members.entries()) {
      if (pool === null) continue;
      try {
        await call.tools.driver(pool).deleteVolume(ref, call);
      } catch (error) {
        if (!isOfOneMember(error)) throw error;
        refused.push({ id: ref.id, failure: error.name });
      }
      call.progress((index + 1) / members.length);
    }
    return { refused };
  },
});

const ForgetMembers = record({
  name: 'forget_members;delete.end',
  execute: async (
    { members, refused }: DeleteGroup & { refused: readonly RefusedMember[] | undefined },
    { tx, ...context },
  ) => {
    for (const { ref } of members) {
      const volume = await getVolume(tx.db, ref.id);
      const left = refused?.find(({ id }) => id === ref.id);
      if (left === undefined) await forgetVolume(tx, volume, 'delete.end', context.requestId);
      else await tellUser(tx, 'delete-volume', { name: left.failure }, volume, context);
    }
  },
});

const RefuseToForget = record({
  name: 'refuse_to_forget',
  execute: ({ refused }: { refused: readonly RefusedMember[] | undefined }) => {
    if (refused !== undefined && refused.length > 0)
      throw new GroupMembersLeft(`These could not be deleted: ${refused.map(({ id }) => `volume ${id}`).join(', ')}.`);
  },
});

const DeleteGroupOnFinish = record({
  name: 'delete_group_on_finish;delete.end',
  execute: async ({ groupId }: DeleteGroup, { tx, requestId }) =>
    forgetGroup(tx, await getGroup(tx.db, groupId), requestId),
});

/** The row goes, and with it what it counts for. It has no members. */
export async function forgetGroup(tx: Tx, group: Group, requestId: string): Promise<void> {
  await deleteGroupRow(tx, group.id);
  await countQuota(tx, group.projectId, negated(GROUP_QUOTA));
  await tellGroup(tx, 'delete.end', group, requestId);
}

const onBackend = flow<DeleteGroup>('on_backend').lane(onHostOf).add(DeleteMembers).build({ version: 1 });

export const deleteGroup = flow<DeleteGroup>('delete_group')
  .add(ErrorOut)
  .add(NotifyStart)
  .when('has_members', ({ members }) => members.some(({ pool }) => pool !== null), onBackend)
  .add(ForgetMembers)
  .add(RefuseToForget)
  .add(DeleteGroupOnFinish)
  .build({ version: 1 });
