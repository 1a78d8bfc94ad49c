/**
 * `consistencygroups`: the older calls for groups of volumes, any version. Each is a group of the one type that is theirs, which
 * demands snapshots of one moment; by the calls for groups it is neither shown nor changed.
 */
import { cgsnapshotFor, consistencyGroupFor } from '../../commands/groups/consistency-groups.ts';
import { createConsistencyGroup } from '../../commands/groups/create-group.ts';
import { createGroupFromSource } from '../../commands/groups/create-group-from-source.ts';
import { deleteGroup } from '../../commands/groups/delete-group.ts';
import { updateGroup } from '../../commands/groups/update-group.ts';
import { Type } from '../../lib/schema.ts';
import { CLOSED, LooseBoolean, Maybe, Text255, trimmed, Uuid } from '../body.ts';
import { readBoolean } from '../query.ts';
import { route } from '../route.ts';
import { pageOfGroups } from './group-list.ts';
import { consistencyGroupDetail, consistencyGroupSummary } from './group-view.ts';
import { idsIn, Volumes } from './groups.ts';

/** Clients say in it, too, who asks and what it will be. */
const CreateBody = Type.Object(
  {
    consistencygroup: Type.Object(
      {
        name: Maybe(Text255),
        description: Maybe(Text255),
        /** Ids or names, joined by commas. */
        volume_types: Type.String({ minLength: 1, maxLength: 50_000, pattern: '[^\\s,]' }),
        availability_zone: Maybe(Text255),
        status: Maybe(Text255),
        user_id: Maybe(Text255),
        project_id: Maybe(Text255),
      },
      CLOSED,
    ),
  },
  CLOSED,
);

const FromSourceBody = Type.Object(
  {
    'consistencygroup-from-src': Type.Object(
      {
        name: Maybe(Text255),
        description: Maybe(Text255),
        cgsnapshot_id: Maybe(Uuid),
        source_cgid: Maybe(Uuid),
        status: Maybe(Text255),
        user_id: Maybe(Text255),
        project_id: Maybe(Text255),
      },
      CLOSED,
    ),
  },
  CLOSED,
);

const UpdateBody = Type.Object(
  {
    consistencygroup: Type.Object(
      { name: Maybe(Text255), description: Maybe(Text255), add_volumes: Volumes, remove_volumes: Volumes },
      CLOSED,
    ),
  },
  CLOSED,
);

const DeleteBody = Type.Object(
  { consistencygroup: Type.Optional(Type.Object({ force: Type.Optional(LooseBoolean) }, CLOSED)) },
  CLOSED,
);

export const consistencyGroups = [
  route({
    method: 'GET',
    path: '/consistencygroups',
    policy: 'group:get_all',
    handle: (call) =>
      pageOfGroups(call, '/consistencygroups', 'consistencygroups', (found) =>
        found.map((group) => consistencyGroupSummary.show(group, undefined, call.version)),
      ),
  }),

  route({
    method: 'GET',
    path: '/consistencygroups/detail',
    policy: 'group:get_all',
    handle: (call) =>
      pageOfGroups(call, '/consistencygroups/detail', 'consistencygroups', (found) =>
        found.map((group) => consistencyGroupDetail.show(group, undefined, call.version)),
      ),
  }),

  route({
    method: 'POST',
    path: '/consistencygroups',
    policy: 'group:create',
    status: 202,
    body: CreateBody,
    async handle({ desk, caller, version, body }) {
      const { consistencygroup: request } = body;
      const group = await createConsistencyGroup(desk, caller, {
        name: trimmed(request.name),
        description: trimmed(request.description),
        volumeTypes: idsIn(request.volume_types),
        availabilityZone: trimmed(request.availability_zone) || null,
      });
      return { consistencygroup: consistencyGroupSummary.show(group, undefined, version) };
    },
  }),

  route({
    method: 'POST',
    path: '/consistencygroups/create_from_src',
    policy: 'group:create',
    status: 202,
    body: FromSourceBody,
    async handle({ desk, caller, version, body }) {
      const { 'consistencygroup-from-src': request } = body;
      const groupSnapshotId = request.cgsnapshot_id ?? null;
      const sourceGroupId = request.source_cgid ?? null;
      if (groupSnapshotId !== null) await cgsnapshotFor(desk.db.read, caller, groupSnapshotId);
      if (sourceGroupId !== null) await consistencyGroupFor(desk.db.read, caller, sourceGroupId);
      const group = await createGroupFromSource(desk, caller, {
        name: trimmed(request.name),
        description: trimmed(request.description),
        groupSnapshotId,
        sourceGroupId,
      });
      return { consistencygroup: consistencyGroupSummary.show(group, undefined, version) };
    },
  }),

  route({
    method: 'GET',
    path: '/consistencygroups/:id',
    policy: 'group:get',
    async handle({ desk, caller, version, params }) {
      const group = await consistencyGroupFor(desk.db.read, caller, params.id);
      return { consistencygroup: consistencyGroupDetail.show(group, undefined, version) };
    },
  }),

  route({
    method: 'PUT',
    path: '/consistencygroups/:id/update',
    policy: 'group:update',
    status: 202,
    body: UpdateBody,
    async handle({ desk, caller, params, body }) {
      const { consistencygroup: request } = body;
      await consistencyGroupFor(desk.db.read, caller, params.id);
      await updateGroup(desk, caller, params.id, {
        name: trimmed(request.name),
        description: trimmed(request.description),
        added: idsIn(request.add_volumes),
        removed: idsIn(request.remove_volumes),
      });
      return undefined;
    },
  }),

  route({
    method: 'POST',
    path: '/consistencygroups/:id/delete',
    policy: 'group:delete',
    status: 202,
    body: DeleteBody,
    async handle({ desk, caller, params, body }) {
      const withVolumes = readBoolean(body.consistencygroup?.force ?? false, 'force');
      await consistencyGroupFor(desk.db.read, caller, params.id);
      await deleteGroup(desk, caller, params.id, { withVolumes });
      return undefined;
    },
  }),
];
