/**
 * The list of group snapshots, and that of the snapshots of consistency groups: the same table, parted before a page is cut, so that each
 * page is full.
 */
import { type GroupSnapshotField, listGroupSnapshots } from '../../db/group-snapshots.ts';
import { findGroupTypeByName } from '../../db/group-types.ts';
import type { ListFilter } from '../../db/sql/list-query.ts';
import type { GroupSnapshot } from '../../model/group-snapshot.ts';
import { CONSISTENCY_GROUP_TYPE } from '../../model/group-type.ts';
import { type FilterTable, filtersOf } from '../filters.ts';
import { nextLinks, pageOf, projectShown } from '../page.ts';
import type { ApiCall } from '../route.ts';

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
  const filters = await wanted(call, kind);
  const found =
    filters === undefined || page.limit === 0 ? [] : await listGroupSnapshots(call.desk.db, { ...page, filters });
  const links = nextLinks(call, path, page, { length: found.length, last: found.at(-1)?.id });
  return { [kind]: found.map(show), ...(links.length > 0 && { [`${kind.slice(0, -1)}_links`]: links }) };
}

async function wanted(call: ApiCall, kind: Kind): Promise<readonly ListFilter<GroupSnapshotField>[] | undefined> {
  const filters = filtersOf(call, 'group_snapshot', GROUP_SNAPSHOT_FILTERS);
  if (filters === undefined) return undefined;
  const reserved = await findGroupTypeByName(call.desk.db.read, CONSISTENCY_GROUP_TYPE);
  const is = kind === 'group_snapshots' ? 'not-in' : 'in';
  const projectId = projectShown(call);
  return [
    ...filters,
    { is, field: 'groupTypeId', values: reserved === undefined ? [] : [reserved.id] },
    ...(projectId === undefined ? [] : [{ is: 'equal', field: 'projectId', value: projectId } as const]),
  ];
}
