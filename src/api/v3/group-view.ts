/** The views of a group, and of one that is a consistency group: in a list, and in detail, version by version. */
import { membersOf } from '../../db/groups.ts';
import type { Group } from '../../model/group.ts';
import {
  GROUP_REPLICATION,
  GROUP_SNAPSHOTS,
  GROUPS,
  MEMBERS_OF_GROUP,
  OLDEST,
  PROJECT_OF_GROUP,
} from '../microversion.ts';
import { queryBoolean } from '../query.ts';
import type { ApiCall } from '../route.ts';
import { Fields, only } from '../view.ts';

interface Viewer {
  /** The ids of its volumes; undefined when nobody has asked. */
  members(groupId: string): readonly string[] | undefined;
  readonly seesProject: boolean;
}

export const groupSummary = new Fields<Group, unknown>([
  [GROUPS, 'id', ({ id }) => id],
  [GROUPS, 'name', ({ name }) => name],
]);

const detail = new Fields<Group, Viewer>([
  [GROUPS, 'id', ({ id }) => id],
  [GROUPS, 'status', ({ status }) => status],
  [GROUPS, 'availability_zone', ({ availabilityZone }) => availabilityZone],
  [GROUPS, 'created_at', ({ createdAt }) => createdAt],
  [GROUPS, 'name', ({ name }) => name],
  [GROUPS, 'description', ({ description }) => description],
  [GROUPS, 'group_type', ({ groupTypeId }) => groupTypeId],
  [GROUPS, 'volume_types', ({ volumeTypeIds }) => volumeTypeIds],
  [GROUP_SNAPSHOTS, 'group_snapshot_id', ({ groupSnapshotId }) => groupSnapshotId],
  [GROUP_SNAPSHOTS, 'source_group_id', ({ sourceGroupId }) => sourceGroupId],
  [MEMBERS_OF_GROUP, 'volumes', ({ id }, { members }) => members(id)],
  [GROUP_REPLICATION, 'replication_status', ({ replicationStatus }) => replicationStatus],
  [PROJECT_OF_GROUP, 'project_id', ({ projectId }, { seesProject }) => only(seesProject, projectId)],
]);

export const consistencyGroupSummary = new Fields<Group, unknown>([
  [OLDEST, 'id', ({ id }) => id],
  [OLDEST, 'name', ({ name }) => name],
]);

export const consistencyGroupDetail = new Fields<Group, unknown>([
  [OLDEST, 'id', ({ id }) => id],
  [OLDEST, 'status', ({ status }) => status],
  [OLDEST, 'availability_zone', ({ availabilityZone }) => availabilityZone],
  [OLDEST, 'created_at', ({ createdAt }) => createdAt],
  [OLDEST, 'name', ({ name }) => name],
  [OLDEST, 'description', ({ description }) => description],
  [OLDEST, 'volume_types', ({ volumeTypeIds }) => volumeTypeIds],
]);

/** With their members where `list_volume` asks for them. */
export async function groupDetails(call: ApiCall, groups: readonly Group[]): Promise<readonly object[]> {
  const { desk, query, version } = call;
  const listed = version >= MEMBERS_OF_GROUP && queryBoolean(query, 'list_volume');
  const ids = groups.map(({ id }) => id);
  const found = listed ? await membersOf(desk.db.read, ids) : undefined;
  const viewer: Viewer = {
    members: (id) => found && (found.get(id) ?? []),
    seesProject: call.may('group:group_project_attribute'),
  };
  return groups.map((group) => detail.show(group, viewer, version));
}
