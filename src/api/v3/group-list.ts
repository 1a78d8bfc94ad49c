/** The list of groups, and that of consistency groups. */
import { type GroupField, listGroups } from '../../db/groups.ts';
import type { Group } from '../../model/group.ts';
import { type FilterTable, filtersOf, hostFilter } from '../filters.ts';
import { nextLinks, pageOf } from '../page.ts';
import type { ApiCall } from '../route.ts';
import { ofKind } from './group-kind.ts';

export const GROUP_FILTERS: FilterTable<GroupField> = {
  id: { field: 'id', as: 'word' },
  name: { field: 'name', as: 'text' },
  description: { field: 'description', as: 'text' },
  status: { field: 'status', as: 'word' },
  group_type: { field: 'groupTypeId', as: 'word' },
  group_type_id: { field: 'groupTypeId', as: 'word' },
  host: { field: 'host', as: (text) => [hostFilter('host', text)] },
  availability_zone: { field: 'availabilityZone', as: 'word' },
  source_group_id: { field: 'sourceGroupId', as: 'word' },
  group_snapshot_id: { field: 'groupSnapshotId', as: 'word' },
  replication_status: { field: 'replicationStatus', as: 'word' },
  project_id: { field: 'projectId', as: 'word' },
  user_id: { field: 'userId', as: 'word' },
  created_at: { field: 'createdAt', as: 'time' },
  updated_at: { field: 'updatedAt', as: 'time' },
};

const SORT_KEYS: Readonly<Record<string, GroupField>> = {
  id: 'id',
  name: 'name',
  status: 'status',
  group_type: 'groupTypeId',
  group_type_id: 'groupTypeId',
  host: 'host',
  availability_zone: 'availabilityZone',
  created_at: 'createdAt',
  updated_at: 'updatedAt',
};

type Kind = 'groups' | 'consistencygroups';

/** `path` is that of the route, for the link to the next page. */
export async function pageOfGroups(
  call: ApiCall,
  path: string,
  kind: Kind,
  show: (groups: readonly Group[]) => Promise<readonly object[]> | readonly object[],
): Promise<object> {
  const page = pageOf(call, SORT_KEYS);
  const asked = filtersOf(call, 'group', GROUP_FILTERS);
  const filters = asked && [...asked, ...(await ofKind(call, kind === 'groups' ? 'generic' : 'consistency'))];
  const found = filters === undefined || page.limit === 0 ? [] : await listGroups(call.desk.db, { ...page, filters });
  const links = nextLinks(call, path, page, { length: found.length, last: found.at(-1)?.id });
  return { [kind]: await show(found), ...(links.length > 0 && { [`${kind.slice(0, -1)}_links`]: links }) };
}
