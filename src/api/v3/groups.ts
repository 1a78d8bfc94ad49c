/** `groups`: volumes that are managed together (3.13). Consistency groups are shown by calls of their own only. */
import { genericGroupFor } from '../../commands/groups/consistency-groups.ts';
import { createGroup } from '../../commands/groups/create-group.ts';
import { updateGroup } from '../../commands/groups/update-group.ts';
import { findGroupTypeByName } from '../../db/group-types.ts';
import { type GroupField, listGroups } from '../../db/groups.ts';
import type { ListFilter } from '../../db/sql/list-query.ts';
import { Type } from '../../lib/schema.ts';
import type { Group } from '../../model/group.ts';
import { CONSISTENCY_GROUP_TYPE } from '../../model/group-type.ts';
import { CLOSED, Maybe, NotBlank255, Text255, trimmed } from '../body.ts';
import { type FilterTable, filtersOf, hostFilter } from '../filters.ts';
import { GROUPS } from '../microversion.ts';
import { nextLinks, pageOf, projectShown } from '../page.ts';
import { type ApiCall, route } from '../route.ts';
import { groupDetails, groupSummary } from './group-view.ts';

const CreateBody = Type.Object(
  {
    group: Type.Object(
      {
        name: Maybe(Text255),
        description: Maybe(Text255),
        group_type: NotBlank255,
        volume_types: Type.Array(NotBlank255, { minItems: 1, maxItems: 500, uniqueItems: true }),
        availability_zone: Maybe(Text255),
      },
      CLOSED,
    ),
  },
  CLOSED,
);

/** Ids, joined by commas. */
const Volumes = Maybe(Type.String({ maxLength: 50_000 }));
const UpdateBody = Type.Object(
  {
    group: Type.Object(
      { name: Maybe(Text255), description: Maybe(Text255), add_volumes: Volumes, remove_volumes: Volumes },
      { ...CLOSED, minProperties: 1 },
    ),
  },
  CLOSED,
);

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

export const groups = [
  route({
    method: 'GET',
    path: '/groups',
    since: GROUPS,
    policy: 'group:get_all',
    handle: (call) =>
      list(call, '/groups', async (found) => found.map((group) => groupSummary.show(group, undefined, call.version))),
  }),

  route({
    method: 'GET',
    path: '/groups/detail',
    since: GROUPS,
    policy: 'group:get_all',
    handle: (call) => list(call, '/groups/detail', (found) => groupDetails(call, found)),
  }),

  route({
    method: 'POST',
    path: '/groups',
    since: GROUPS,
    policy: 'group:create',
    status: 202,
    body: CreateBody,
    async handle({ desk, caller, version, body }) {
      const { group: request } = body;
      const group = await createGroup(desk, caller, {
        name: trimmed(request.name),
        description: trimmed(request.description),
        groupType: request.group_type,
        volumeTypes: request.volume_types,
        availabilityZone: trimmed(request.availability_zone) || null,
      });
      return { group: groupSummary.show(group, undefined, version) };
    },
  }),

  route({
    method: 'GET',
    path: '/groups/:id',
    since: GROUPS,
    policy: 'group:get',
    async handle(call) {
      const group = await genericGroupFor(call.desk.db.read, call.caller, call.params.id);
      return { group: (await groupDetails(call, [group]))[0] };
    },
  }),

  route({
    method: 'PUT',
    path: '/groups/:id',
    since: GROUPS,
    policy: 'group:update',
    status: 202,
    body: UpdateBody,
    async handle({ desk, caller, params, body }) {
      const { group: request } = body;
      await genericGroupFor(desk.db.read, caller, params.id);
      await updateGroup(desk, caller, params.id, {
        name: trimmed(request.name),
        description: trimmed(request.description),
        added: idsIn(request.add_volumes),
        removed: idsIn(request.remove_volumes),
      });
      return undefined;
    },
  }),
];

const idsIn = (text: string | null | undefined): readonly string[] =>
  (text ?? '')
    .split(',')
    .map((id) => id.trim())
    .filter((id) => id !== '');

async function list(
  call: ApiCall,
  path: string,
  show: (groups: readonly Group[]) => Promise<readonly object[]>,
): Promise<object> {
  const page = pageOf(call, SORT_KEYS);
  const filters = await wanted(call);
  const found = filters === undefined || page.limit === 0 ? [] : await listGroups(call.desk.db, { ...page, filters });
  const links = nextLinks(call, path, page, { length: found.length, last: found.at(-1)?.id });
  return { groups: await show(found), ...(links.length > 0 && { group_links: links }) };
}

/** Without consistency groups, so that a page is full of what is shown. */
async function wanted(call: ApiCall): Promise<readonly ListFilter<GroupField>[] | undefined> {
  const filters = filtersOf(call, 'group', GROUP_FILTERS);
  if (filters === undefined) return undefined;
  const reserved = await findGroupTypeByName(call.desk.db.read, CONSISTENCY_GROUP_TYPE);
  const projectId = projectShown(call);
  return [
    ...filters,
    ...(reserved === undefined ? [] : [{ is: 'not-in', field: 'groupTypeId', values: [reserved.id] } as const]),
    ...(projectId === undefined ? [] : [{ is: 'equal', field: 'projectId', value: projectId } as const]),
  ];
}
