/**
 * `POST /group_snapshots`: a snapshot of each volume of a group, as one thing.
 *
 * Everything is looked at before the first row is made, the quota of all of them together; one transaction, so a refusal leaves nothing.
 */

import { insertGroupSnapshot } from '../../db/group-snapshots.ts';
import { getGroupType } from '../../db/group-types.ts';
import { listPools } from '../../db/pools.ts';
import type { Tx } from '../../db/sql/tx.ts';
import type { SnapshotRef } from '../../drivers/driver.ts';
import { createGroupSnapshot as flow } from '../../flows/groups/create-group-snapshot.ts';
import { uuid } from '../../lib/clock.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidGroup, InvalidGroupType } from '../../model/errors.ts';
import type { GroupSnapshot } from '../../model/group-snapshot.ts';
import { GROUP_SNAPSHOT_TRANSITIONS } from '../../model/group-status.ts';
import { type GroupType, ONE_MOMENT, wantsOneMoment } from '../../model/group-type.ts';
import { snapshotRefOf } from '../../model/snapshot.ts';
import {
  begin,
  exclusive,
  groupResource,
  groupSnapshotResource,
  shared,
  snapshotResource,
  volumeResource,
} from '../begin.ts';
import { checkGroupStatus, checkVolumeStatus } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockMembers } from '../groups/lock-members.ts';
import { lockGroup } from '../lock.ts';
import { insertSnapshotOf } from '../snapshots/create-snapshot.ts';

export interface CreateGroupSnapshotRequest {
  readonly groupId: string;
  /** Its parts are called so too. */
  readonly name: string | null;
  readonly description: string | null;
}

export async function createGroupSnapshot(
  desk: Desk,
  caller: Caller,
  { groupId, name, description }: CreateGroupSnapshotRequest,
): Promise<GroupSnapshot> {
  return desk.db.write(async (tx) => {
    const group = await lockGroup(tx, caller, groupId);
    checkGroupStatus(group, 'snapshot');
    const members = await lockMembers(tx, groupId);
    const [first] = members;
    if (first === undefined) throw new InvalidGroup(`Group ${groupId} has no volumes to take snapshots of.`);
    // One in use may be snapshotted in any version.
    for (const volume of members) checkVolumeStatus(volume, 'snapshot', true);
    const groupType = await getGroupType(tx.db, group.groupTypeId);
    const oneMoment = wantsOneMoment(groupType);
    if (oneMoment) await checkKeepsMoment(desk, tx, groupType, first.host);
    const groupSnapshot = await insertGroupSnapshot(tx, {
      id: uuid(),
      projectId: group.projectId,
      userId: caller.userId,
      groupId,
      groupTypeId: group.groupTypeId,
      name,
      description,
      status: GROUP_SNAPSHOT_TRANSITIONS.create.during[0],
    });
    const part = { name, description, metadata: {}, groupSnapshotId: groupSnapshot.id };
    const parts: { readonly snapshotRef: SnapshotRef; readonly pool: string }[] = [];
    for (const volume of members) {
      const { snapshot, pool } = await insertSnapshotOf(desk, tx, caller, volume, part, 'create');
      parts.push({ snapshotRef: snapshotRefOf(snapshot, volume), pool });
    }
    const snapshotRefs = parts.map(({ snapshotRef }) => snapshotRef);
    const pool = parts[0]?.pool ?? '';
    const input = { groupSnapshotId: groupSnapshot.id, groupId, pool, oneMoment, snapshotRefs };
    await begin(desk, tx, caller, flow, input, {
      resource: groupSnapshotResource(groupSnapshot.id),
      projectId: group.projectId,
      holds: [
        exclusive(groupSnapshotResource(groupSnapshot.id)),
        exclusive(groupResource(groupId)),
        ...snapshotRefs.map(({ id }) => exclusive(snapshotResource(id))),
        ...members.map(({ id }) => shared(volumeResource(id))),
      ],
    });
    return groupSnapshot;
  });
}

/** Cinder takes them one after another where the backend cannot, and says nothing. Throws `InvalidGroupType`. */
async function checkKeepsMoment(desk: Desk, tx: Tx, { name }: GroupType, pool: string | null): Promise<void> {
  const found = (await listPools(tx.db, desk.tools.serviceDownSeconds)).find((each) => each.name === pool);
  if (found === undefined || found.stats[ONE_MOMENT] === true) return;
  throw new InvalidGroupType(
    `Group type ${name} demands ${ONE_MOMENT}, and the backend of the group does not have that capability.`,
  );
}
