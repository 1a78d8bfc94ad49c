/**
 * `POST /groups`: a group without volumes, on a backend that takes volumes of each of its types.
 *
 * One transaction, and no flow: to choose a backend is to read what all of them have reported, and on the backend there is nothing to be made.
 * Where none will do, the group says `error` and a message says why, as Cinder's does without one; it counts until it is deleted.
 */

import { findGroupTypeByName, mayUseGroupType } from '../../db/group-types.ts';
import { insertGroup } from '../../db/groups.ts';
import { listPools } from '../../db/pools.ts';
import type { Db } from '../../db/sql/db.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { take } from '../../flows/quota.ts';
import { tellGroup, tellUser } from '../../flows/tell.ts';
import { uuid } from '../../lib/clock.ts';
import type { Pool } from '../../model/backend.ts';
import type { Caller } from '../../model/caller.ts';
import { GroupTypeNotFound, NoValidBackend } from '../../model/errors.ts';
import type { Group } from '../../model/group.ts';
import { GROUP_TRANSITIONS } from '../../model/group-status.ts';
import { CONSISTENCY_GROUP_TYPE, type GroupType } from '../../model/group-type.ts';
import { GROUP_QUOTA } from '../../model/quota.ts';
import type { VolumeType } from '../../model/volume-type.ts';
import { scheduleGroup } from '../../scheduler/schedule-group.ts';
import type { Desk } from '../desk.ts';
import { groupTypeFor } from '../find.ts';
import { lockGroupType } from '../lock.ts';
import { chooseZones, typeFor } from '../volumes/volume-choices.ts';
import { refuseConsistencyGroupType } from './consistency-groups.ts';

export interface CreateGroupRequest {
  readonly name: string | null;
  readonly description: string | null;
  /** Id or name. */
  readonly groupType: string;
  /** Ids or names; at least one. */
  readonly volumeTypes: readonly string[];
  readonly availabilityZone: string | null;
}

export async function createGroup(desk: Desk, caller: Caller, request: CreateGroupRequest): Promise<Group> {
  return desk.db.write(async (tx) => {
    const groupType = await groupTypeNamed(tx.db, caller, request.groupType, desk.config);
    refuseConsistencyGroupType(groupType);
    return makeGroup(desk, tx, caller, groupType, request);
  });
}

/** `POST /consistencygroups`. Rejects with `GroupTypeNotFound` where an administrator has deleted their type. */
export async function createConsistencyGroup(
  desk: Desk,
  caller: Caller,
  request: Omit<CreateGroupRequest, 'groupType'>,
): Promise<Group> {
  return desk.db.write(async (tx) => {
    const groupType = await findGroupTypeByName(tx.db, CONSISTENCY_GROUP_TYPE);
    if (groupType === undefined) throw new GroupTypeNotFound(CONSISTENCY_GROUP_TYPE);
    return makeGroup(desk, tx, caller, groupType, request);
  });
}

async function makeGroup(
  desk: Desk,
  tx: Tx,
  caller: Caller,
  groupType: GroupType,
  request: Omit<CreateGroupRequest, 'groupType'>,
): Promise<Group> {
  await lockGroupType(tx, groupType.id);
  const volumeTypes: VolumeType[] = [];
  for (const each of request.volumeTypes) volumeTypes.push(await typeFor(tx.db, caller, each, desk.config));
  const { zone, zones } = await zonesOf(desk, tx, request.availabilityZone, volumeTypes);
  await take(tx, caller.projectId, GROUP_QUOTA, desk.config.quota);
  const pools = await listPools(tx.db, desk.tools.serviceDownSeconds);
  const pool = place(() =>
    scheduleGroup(pools, { groupType, volumeTypes, availabilityZones: zones }, desk.tools.scheduler),
  );
  const { during, success, failure } = GROUP_TRANSITIONS.create;
  const group = await insertGroup(tx, {
    id: uuid(),
    projectId: caller.projectId,
    userId: caller.userId,
    name: request.name,
    description: request.description,
    status: pool === undefined ? failure : success,
    host: pool?.name ?? null,
    availabilityZone: pool?.availabilityZone ?? zone,
    groupTypeId: groupType.id,
    volumeTypeIds: [...new Set(volumeTypes.map(({ id }) => id))],
    replicationStatus: 'disabled',
  });
  const { requestId } = caller;
  if (pool === undefined) {
    await tellUser(tx, 'create-group', { name: NoValidBackend.name }, group, { requestId, tools: desk.tools });
    return group;
  }
  await tellGroup(tx, 'create.start', { ...group, status: during[0] }, requestId);
  await tellGroup(tx, 'create.end', group, requestId);
  return group;
}

/** By name or id: one that `groupTypeFor` finds. */
async function groupTypeNamed(
  db: Db,
  caller: Caller,
  requested: string,
  { ignore_case: ignoreCase }: Desk['config'],
): Promise<GroupType> {
  const named = await findGroupTypeByName(db, requested, { ignoreCase });
  if (named === undefined) return groupTypeFor(db, caller, requested);
  if (!caller.isAdmin && !(await mayUseGroupType(db, named, caller.projectId))) throw new GroupTypeNotFound(requested);
  return named;
}

/** Any zone will do that does for each of the volume types. */
async function zonesOf(desk: Desk, tx: Tx, requested: string | null, types: readonly VolumeType[]) {
  const chosen = [];
  for (const type of types) chosen.push(await chooseZones(tx.db, requested, { is: 'nothing' }, type, desk.config));
  const [first, ...others] = chosen;
  const zones = first?.zones.filter((zone) => others.every((each) => each.zones.includes(zone))) ?? [];
  return { zone: first?.zone ?? null, zones };
}

function place(schedule: () => Pool): Pool | undefined {
  try {
    return schedule();
  } catch (error) {
    if (error instanceof NoValidBackend) return undefined;
    throw error;
  }
}
