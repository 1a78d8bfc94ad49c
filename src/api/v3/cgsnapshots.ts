/** `cgsnapshots`: the older calls for snapshots of consistency groups, any version. Each is a group snapshot of such a group. */
import { createGroupSnapshot } from '../../commands/group-snapshots/create-group-snapshot.ts';
import { deleteGroupSnapshot } from '../../commands/group-snapshots/delete-group-snapshot.ts';
import { cgsnapshotFor, consistencyGroupFor } from '../../commands/groups/consistency-groups.ts';
import { Type } from '../../lib/schema.ts';
import type { GroupSnapshot } from '../../model/group-snapshot.ts';
import { CLOSED, Maybe, Text255, trimmed, Uuid } from '../body.ts';
import { OLDEST } from '../microversion.ts';
import { route } from '../route.ts';
import { Fields } from '../view.ts';
import { pageOfGroupSnapshots } from './group-snapshot-list.ts';

/** Clients say in it, too, who asks and what it will be. */
const CreateBody = Type.Object(
  {
    cgsnapshot: Type.Object(
      {
        consistencygroup_id: Uuid,
        name: Maybe(Text255),
        description: Maybe(Text255),
        status: Maybe(Text255),
        user_id: Maybe(Text255),
        project_id: Maybe(Text255),
      },
      CLOSED,
    ),
  },
  CLOSED,
);

const summary = new Fields<GroupSnapshot, unknown>([
  [OLDEST, 'id', ({ id }) => id],
  [OLDEST, 'name', ({ name }) => name],
]);

const detail = new Fields<GroupSnapshot, unknown>([
  [OLDEST, 'id', ({ id }) => id],
  [OLDEST, 'consistencygroup_id', ({ groupId }) => groupId],
  [OLDEST, 'status', ({ status }) => status],
  [OLDEST, 'created_at', ({ createdAt }) => createdAt],
  [OLDEST, 'name', ({ name }) => name],
  [OLDEST, 'description', ({ description }) => description],
]);

export const cgsnapshots = [
  route({
    method: 'GET',
    path: '/cgsnapshots',
    policy: 'group:get_all_group_snapshots',
    handle: (call) =>
      pageOfGroupSnapshots(call, '/cgsnapshots', 'cgsnapshots', (each) => summary.show(each, undefined, call.version)),
  }),

  route({
    method: 'GET',
    path: '/cgsnapshots/detail',
    policy: 'group:get_all_group_snapshots',
    handle: (call) =>
      pageOfGroupSnapshots(call, '/cgsnapshots/detail', 'cgsnapshots', (each) =>
        detail.show(each, undefined, call.version),
      ),
  }),

  route({
    method: 'POST',
    path: '/cgsnapshots',
    policy: 'group:create_group_snapshot',
    status: 202,
    body: CreateBody,
    async handle({ desk, caller, version, body }) {
      const { cgsnapshot: request } = body;
      const groupId = request.consistencygroup_id;
      await consistencyGroupFor(desk.db.read, caller, groupId);
      const made = await createGroupSnapshot(desk, caller, {
        groupId,
        name: trimmed(request.name),
        description: trimmed(request.description),
      });
      return { cgsnapshot: summary.show(made, undefined, version) };
    },
  }),

  route({
    method: 'GET',
    path: '/cgsnapshots/:id',
    policy: 'group:get_group_snapshot',
    async handle({ desk, caller, version, params }) {
      const found = await cgsnapshotFor(desk.db.read, caller, params.id);
      return { cgsnapshot: detail.show(found, undefined, version) };
    },
  }),

  route({
    method: 'DELETE',
    path: '/cgsnapshots/:id',
    policy: 'group:delete_group_snapshot',
    status: 202,
    async handle({ desk, caller, params }) {
      await cgsnapshotFor(desk.db.read, caller, params.id);
      await deleteGroupSnapshot(desk, caller, params.id);
      return undefined;
    },
  }),
];
