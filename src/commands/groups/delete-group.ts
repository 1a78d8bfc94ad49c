/**
 * `POST /groups/{id}/action` `delete`: a group that is empty, or with all its volumes when that is said.
 *
 * Everything is looked at before the first status changes. A group that never came to a backend needs no flow.
 */
import { groupSnapshotsOf } from '../../db/group-snapshots.ts';
import { moveGroupStatus } from '../../db/groups.ts';
import { snapshotsOf } from '../../db/snapshots.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { moveVolumeStatus } from '../../db/volumes.ts';
import { deleteGroup as flow, forgetGroup } from '../../flows/groups/delete-group.ts';
import { tellGroup } from '../../flows/tell.ts';
import { now } from '../../lib/clock.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidGroup } from '../../model/errors.ts';
import type { Group } from '../../model/group.ts';
import { refOf, type Volume } from '../../model/volume.ts';
import { begin, exclusive, groupResource, volumeResource } from '../begin.ts';
import { checkGroupStatus, refusedVolume } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockGroup } from '../lock.ts';
import { isMigrating } from '../volumes/migrating.ts';
import { lockMembers } from './lock-members.ts';

export async function deleteGroup(
  desk: Desk,
  caller: Caller,
  id: string,
  { withVolumes }: { readonly withVolumes: boolean },
): Promise<void> {
  await desk.db.write(async (tx) => {
    const group = await lockGroup(tx, caller, id);
    checkGroupStatus(group, 'delete');
    const members = await lockMembers(tx, id);
    if (members.length > 0 && !withVolumes)
      throw new InvalidGroup(
        `Group ${id} has ${members.length} volumes; remove them first, or ask for delete-volumes.`,
      );
    if ((await groupSnapshotsOf(tx.db, id)).length > 0)
      throw new InvalidGroup(`Group ${id} has group snapshots; delete them first.`);
    for (const volume of members) await moveMember(tx, group, volume);
    await moveGroupStatus(tx, id, 'delete');
    if (group.host === null && members.length === 0) return forgetUnplaced(tx, group, caller);
    const input = {
      groupId: id,
      pool: group.host ?? '',
      previousStatus: group.status,
      members: members.map((volume) => ({
        ref: refOf(volume),
        pool: volume.host,
        previousStatus: volume.status,
      })),
    };
    await begin(desk, tx, caller, flow, input, {
      resource: groupResource(id),
      projectId: group.projectId,
      holds: [exclusive(groupResource(id)), ...members.map((volume) => exclusive(volumeResource(volume.id)))],
    });
  });
}

async function moveMember(tx: Tx, group: Group, volume: Volume): Promise<void> {
  const refused = (why: string) => new InvalidGroup(`Group ${group.id} cannot be deleted: volume ${volume.id} ${why}.`);
  if (volume.attachStatus === 'attached') throw refused('is attached; detach it first');
  if (isMigrating(volume)) throw refused('is being migrated');
  if ((await snapshotsOf(tx.db, volume.id)).length > 0) throw refused('has snapshots; delete them first');
  const moved = await moveVolumeStatus(tx, volume.id, 'delete_with_group', {
    attachStatusNot: 'attached',
    withoutExports: true,
    set: { terminatedAt: now() },
  });
  if (!moved) throw refusedVolume(volume, 'delete_with_group');
}

async function forgetUnplaced(tx: Tx, group: Group, { requestId }: Caller): Promise<void> {
  await tellGroup(tx, 'delete.start', group, requestId);
  await forgetGroup(tx, group, requestId);
}
