/** `groups`: volumes that are managed together (3.13). Consistency groups are shown by calls of their own only. */
import { genericGroupFor, genericGroupSnapshotFor } from '../../commands/groups/consistency-groups.ts';
import { createGroup } from '../../commands/groups/create-group.ts';
import { createGroupFromSource } from '../../commands/groups/create-group-from-source.ts';
import { updateGroup } from '../../commands/groups/update-group.ts';
import { Type } from '../../lib/schema.ts';
import { CLOSED, Maybe, NotBlank255, Text255, trimmed, Uuid } from '../body.ts';
import { GROUP_SNAPSHOTS, GROUPS } from '../microversion.ts';
import { route } from '../route.ts';
import { pageOfGroups } from './group-list.ts';
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

const FromSourceBody = Type.Object(
  { name: Maybe(Text255), description: Maybe(Text255), group_snapshot_id: Maybe(Uuid), source_group_id: Maybe(Uuid) },
  CLOSED,
);

/** Ids, joined by commas. */
export const Volumes = Maybe(Type.String({ maxLength: 50_000 }));
const UpdateBody = Type.Object(
  {
    group: Type.Object(
      { name: Maybe(Text255), description: Maybe(Text255), add_volumes: Volumes, remove_volumes: Volumes },
      { ...CLOSED, minProperties: 1 },
    ),
  },
  CLOSED,
);

export const groups = [
  route({
    method: 'GET',
    path: '/groups',
    since: GROUPS,
    policy: 'group:get_all',
    handle: (call) =>
      pageOfGroups(call, '/groups', 'groups', (found) =>
        found.map((group) => groupSummary.show(group, undefined, call.version)),
      ),
  }),

  route({
    method: 'GET',
    path: '/groups/detail',
    since: GROUPS,
    policy: 'group:get_all',
    handle: (call) => pageOfGroups(call, '/groups/detail', 'groups', (found) => groupDetails(call, found)),
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
    method: 'POST',
    path: '/groups/action',
    action: 'create-from-src',
    since: GROUP_SNAPSHOTS,
    policy: 'group:create',
    status: 202,
    body: FromSourceBody,
    async handle({ desk, caller, version, body }) {
      const groupSnapshotId = body.group_snapshot_id ?? null;
      const sourceGroupId = body.source_group_id ?? null;
      if (groupSnapshotId !== null) await genericGroupSnapshotFor(desk.db.read, caller, groupSnapshotId);
      if (sourceGroupId !== null) await genericGroupFor(desk.db.read, caller, sourceGroupId);
      const group = await createGroupFromSource(desk, caller, {
        name: trimmed(body.name),
        description: trimmed(body.description),
        groupSnapshotId,
        sourceGroupId,
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

/** Ids of volumes. */
export const idsIn = (text: string | null | undefined): readonly string[] =>
  (text ?? '')
    .split(',')
    .map((id) => id.trim())
    .filter((id) => id !== '');
