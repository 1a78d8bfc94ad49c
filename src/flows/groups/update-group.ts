/**
 * Update a group: volumes are added and removed.
 *
 * The command has looked at all of them, moved the group to `updating` and taken the holds: the group's for itself, the volumes' shared,
 * since nothing of a volume changes but its row, and whoever copies one need not be waited for. No backend is asked. The volumes
 * change in one commit, with the status and the events; a flow that is cancelled before has changed none.
 */
import { getGroup, membersOf, updateGroup as updateRow } from '../../db/groups.ts';
import { getVolume, updateVolume } from '../../db/volumes.ts';
import { GROUP_TRANSITIONS } from '../../model/group-status.ts';
import { tellGroup, tellUser, tellVolume } from '../tell.ts';
import { flow, obligation, record } from '../tools.ts';

export interface UpdateGroup {
  readonly groupId: string;
  /** Ids of volumes. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

const LeaveAsItWas = obligation({
  name: 'leave_as_it_was',
  revert: async ({ groupId }: UpdateGroup, _outcome, { tx, failures, ...context }) => {
    if (!(await updateRow(tx, groupId, { status: GROUP_TRANSITIONS.update.failure }))) return;
    await tellUser(tx, 'update-group', failures[0], await getGroup(tx.db, groupId), context);
  },
});

const NotifyStart = record({
  name: 'notify_group_action;update.start',
  execute: async ({ groupId }: UpdateGroup, { tx, requestId }) => {
    await tellGroup(tx, 'update.start', await getGroup(tx.db, groupId), requestId);
    for (const id of (await membersOf(tx.db, [groupId])).get(groupId) ?? [])
      await tellVolume(tx, 'update.start', await getVolume(tx.db, id), requestId);
  },
});

const UpdateGroupOnFinish = record({
  name: 'update_group_on_finish;update.end',
  execute: async ({ groupId, added, removed }: UpdateGroup, { tx, requestId }) => {
    for (const id of added) await updateVolume(tx, id, { groupId });
    for (const id of removed) await updateVolume(tx, id, { groupId: null });
    await updateRow(tx, groupId, { status: GROUP_TRANSITIONS.update.success });
    await tellGroup(tx, 'update.end', await getGroup(tx.db, groupId), requestId);
    for (const id of (await membersOf(tx.db, [groupId])).get(groupId) ?? [])
      await tellVolume(tx, 'update.end', await getVolume(tx.db, id), requestId);
  },
});

export const updateGroup = flow<UpdateGroup>('update_group')
  .add(LeaveAsItWas)
  .add(NotifyStart)
  .add(UpdateGroupOnFinish)
  .build({ version: 1 });
