/** Groups of volumes, as `pumice groups` shows them, with their members and what was taken of them. */
import { groupSnapshotsOf } from '../../db/group-snapshots.ts';
import { getGroupType } from '../../db/group-types.ts';
import { countGroups, listGroups, membersOf } from '../../db/groups.ts';
import { findVolumes } from '../../db/volumes.ts';
import type { Group } from '../../model/group.ts';
import { GROUP_STATUSES } from '../../model/group-status.ts';
import { called, type ResourceKind } from './kind.ts';

interface GroupWithMembers extends Group {
  /** Ids, the oldest first. */
  readonly members: readonly string[];
}

export const groups: ResourceKind<GroupWithMembers> = {
  word: 'group',
  statuses: GROUP_STATUSES,
  list: async (database, query) => {
    const rows = await listGroups(database, query);
    const members = await membersOf(
      database.read,
      rows.map(({ id }) => id),
    );
    return rows.map((row) => ({ ...row, members: members.get(row.id) ?? [] }));
  },
  count: countGroups,
  columns: [
    { title: 'VOLUMES', align: 'right' },
    { title: 'HOST', shrinksTo: 8 },
  ],
  cells: ({ members, host }) => [String(members.length), host ?? ''],
  details: async ({ read }, group) => {
    const volumes = Map.groupBy(await findVolumes(read, group.members), ({ id }) => id);
    const taken = await groupSnapshotsOf(read, group.id);
    return [
      ['type', (await getGroupType(read, group.groupTypeId)).name],
      ['host', group.host],
      ['from', group.groupSnapshotId === null ? null : `group snapshot ${group.groupSnapshotId}`],
      ['from', group.sourceGroupId === null ? null : `group ${group.sourceGroupId}`],
      ...group.members
        .flatMap((id) => volumes.get(id) ?? [])
        .map((volume) => ['volume', `${called(volume)}  ${volume.status}`] as const),
      ...taken.map((each) => ['snapshot', `${called(each)}  ${each.status}`] as const),
    ];
  },
  facts: (group) => ({
    id: group.id,
    name: group.name,
    description: group.description,
    status: group.status,
    project_id: group.projectId,
    user_id: group.userId,
    host: group.host,
    availability_zone: group.availabilityZone,
    group_type: group.groupTypeId,
    volume_types: group.volumeTypeIds,
    group_snapshot_id: group.groupSnapshotId,
    source_group_id: group.sourceGroupId,
    volumes: group.members,
    created_at: group.createdAt,
  }),
};
