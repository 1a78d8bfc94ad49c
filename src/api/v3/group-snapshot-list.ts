/** The list of group snapshots, and that of the snapshots of consistency groups. */
import { type GroupSnapshotField, listGroupSnapshots } from '../../db/group-snapshots.ts';
import type { GroupSnapshot } from '../../model/group-snapshot.ts';
import { type FilterTable, filtersOf } from '../filters.ts';
import { nextLinks, pageOf } from '../page.ts';
import type { ApiCall } from '../route.ts';
import { ofKind } from './group-kind.ts';

export const GROUP_SNAPSHOT_FILTERS: FilterTable<GroupSnapshotField> = {
  id: { field: 'id', as: 'word' },
  name: { field: 'name', as: 'text' },
  description: { field: 'description', as: 'text' },
  status: { field: 'status', as: 'word' },
  group_id: { field: 'groupId', as: 'word' },
  group_type_id: { field: 'groupTypeId', as: 'word' },
  project_id: { field: 'projectId', as: 'word' },
  user_id: { field: 'userId', as: 'word' },
  created_at: { field: 'createdAt', as: 'time' },
  updated_at: { field: 'updatedAt', as: 'time' },
};

const SORT_KEYS: Readonly<Record<string, GroupSnapshotField>> = {
  id: 'id',
  name: 'name',
  status: 'status',
  group_id: 'groupId',
  group_type_id: 'groupTypeId',
  created_at: 'createdAt',
  updated_at: 'updatedAt',
};

type Kind = 'group_snapshots' | 'cgsnapshots';

/** `path` is that of the route, for the link to the next page. */
export async function pageOfGroupSnapshots(
  call: ApiCall,
  path: string,
  kind: Kind,
  show: (groupSnapshot: GroupSnapshot) => object,
): Promise<object> {
  const page = pageOf(call, SORT_KEYS);
  const asked = filtersOf(call, 'group_snapshot', GROUP_SNAPSHOT_FILTERS);
  const filters = asked && [...asked, ...(await ofKind(call, kind === 'group_snapshots' ? 'generic' : 'consistency'))];
  const found =
    filters === undefined || page.limit === 0 ? [] : await listGroupSnapshots(call.desk.db, { ...page, filters });
  const links = nextLinks(call, path, page, { length: found.length, last: found.at(-1)?.id });
  return { [kind]: found.map(show), ...(links.length > 0 && { [`${kind.slice(0, -1)}_links`]: links }) };
}
