/**
 * `PUT /groups/{id}`: a new name or description, at once; volumes that are added and removed, by a flow that holds the group and them.
 */
import { membersOf, moveGroupStatus, updateGroup as updateRow } from '../../db/groups.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { lockVolumeRow } from '../../db/volumes.ts';
import { updateGroup as flow } from '../../flows/groups/update-group.ts';
import { hostOf } from '../../model/backend.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidGroup, InvalidVolume } from '../../model/errors.ts';
import type { Group } from '../../model/group.ts';
import type { Volume } from '../../model/volume.ts';
import { begin, exclusive, groupResource, shared, volumeResource } from '../begin.ts';
import { checkGroupStatus, checkVolumeStatus } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockGroup } from '../lock.ts';
import { isMigrating } from '../volumes/migrating.ts';

export interface UpdateGroupRequest {
  /** Null: as it is. */
  readonly name: string | null;
  readonly description: string | null;
  /** Ids of volumes. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

export async function updateGroup(
  desk: Desk,
  caller: Caller,
  id: string,
  { name, description, ...volumes }: UpdateGroupRequest,
): Promise<void> {
  await desk.db.write(async (tx) => {
    const group = await lockGroup(tx, caller, id);
    checkGroupStatus(group, 'update');
    const patch = {
      ...(name !== null && name !== group.name && { name }),
      ...(description !== null && description !== group.description && { description }),
    };
    const { added, removed } = await changes(tx, group, volumes);
    const moves = [...added, ...removed];
    if (moves.length === 0 && Object.keys(patch).length === 0)
      throw new InvalidGroup(`Nothing new is said of group ${id}: no name, no description and no volumes.`);
    if (Object.keys(patch).length > 0) await updateRow(tx, id, patch);
    if (moves.length === 0) return;
    await moveGroupStatus(tx, id, 'update');
    await begin(
      desk,
      tx,
      caller,
      flow,
      { groupId: id, added, removed },
      {
        resource: groupResource(id),
        projectId: group.projectId,
        holds: [exclusive(groupResource(id)), ...moves.map((volume) => shared(volumeResource(volume)))],
      },
    );
  });
}

/** Those that are members already are none to be added. Throws `InvalidVolume`. */
async function changes(tx: Tx, group: Group, asked: Pick<UpdateGroupRequest, 'added' | 'removed'>) {
  const twice = asked.added.filter((id) => asked.removed.includes(id));
  if (twice.length > 0)
    throw new InvalidVolume(`Volume ${twice[0]} cannot be added to a group and removed from it at once.`);
  const members = (await membersOf(tx.db, [group.id])).get(group.id) ?? [];
  const added = [...new Set(asked.added)].filter((id) => !members.includes(id));
  const removed = [...new Set(asked.removed)];
  const stranger = removed.find((id) => !members.includes(id));
  if (stranger !== undefined)
    throw new InvalidVolume(`Volume ${stranger} cannot be removed from group ${group.id}: it is not in it.`);
  // In one order, so that two transactions do not wait for each other crosswise.
  for (const id of [...added, ...removed].sort()) {
    const volume = await lockVolumeRow(tx, id);
    if (added.includes(id)) checkJoins(volume, id, group);
    else if (volume !== undefined) checkVolumeStatus(volume, 'leave_group');
  }
  return { added, removed };
}

function checkJoins(volume: Volume | undefined, id: string, group: Group): void {
  const refused = (why: string) => new InvalidVolume(`Volume ${id} cannot be added to group ${group.id}: ${why}.`);
  // Whoever asks: the group would hold what its project may not see.
  if (volume === undefined || volume.projectId !== group.projectId) throw refused('it could not be found');
  if (volume.groupId !== null) throw refused('it is in another group');
  if (!group.volumeTypeIds.includes(volume.volumeTypeId)) throw refused('the group takes no volumes of its type');
  if (isMigrating(volume)) throw refused('it is being migrated');
  checkVolumeStatus(volume, 'join_group');
  if (group.host === null || volume.host === null || hostOf(volume.host) !== hostOf(group.host))
    throw refused('it is on another backend');
}
