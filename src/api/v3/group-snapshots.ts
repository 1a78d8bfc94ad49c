/** `group_snapshots`: snapshots of all volumes of a group (3.14). Those of consistency groups are shown by calls of their own only. */
import { createGroupSnapshot } from '../../commands/group-snapshots/create-group-snapshot.ts';
import { deleteGroupSnapshot } from '../../commands/group-snapshots/delete-group-snapshot.ts';
import { resetGroupSnapshotStatus } from '../../commands/group-snapshots/reset-group-snapshot-status.ts';
import { genericGroupFor, genericGroupSnapshotFor } from '../../commands/groups/consistency-groups.ts';
import { Type } from '../../lib/schema.ts';
import { InvalidInput } from '../../model/errors.ts';
import type { GroupSnapshot } from '../../model/group-snapshot.ts';
import { GROUP_SNAPSHOT_STATUSES } from '../../model/group-status.ts';
import { CLOSED, Maybe, readWord, Text255, trimmed, Uuid, Word } from '../body.ts';
import { GROUP_SNAPSHOT_RESET_STATUS, GROUP_SNAPSHOTS, PROJECT_OF_GROUP } from '../microversion.ts';
import { type ApiCall, route } from '../route.ts';
import { Fields, only } from '../view.ts';
import { pageOfGroupSnapshots } from './group-snapshot-list.ts';

const CreateBody = Type.Object(
  { group_snapshot: Type.Object({ name: Maybe(Text255), description: Maybe(Text255), group_id: Uuid }, CLOSED) },
  CLOSED,
);

const summary = new Fields<GroupSnapshot, unknown>([
  [GROUP_SNAPSHOTS, 'id', ({ id }) => id],
  [GROUP_SNAPSHOTS, 'name', ({ name }) => name],
  [GROUP_SNAPSHOTS, 'group_type_id', ({ groupTypeId }) => groupTypeId],
]);

const detail = new Fields<GroupSnapshot, { readonly seesProject: boolean }>([
  [GROUP_SNAPSHOTS, 'id', ({ id }) => id],
  [GROUP_SNAPSHOTS, 'group_id', ({ groupId }) => groupId],
  [GROUP_SNAPSHOTS, 'group_type_id', ({ groupTypeId }) => groupTypeId],
  [GROUP_SNAPSHOTS, 'status', ({ status }) => status],
  [GROUP_SNAPSHOTS, 'created_at', ({ createdAt }) => createdAt],
  [GROUP_SNAPSHOTS, 'name', ({ name }) => name],
  [GROUP_SNAPSHOTS, 'description', ({ description }) => description],
  [PROJECT_OF_GROUP, 'project_id', ({ projectId }, { seesProject }) => only(seesProject, projectId)],
]);

const viewer = ({ may }: ApiCall) => ({ seesProject: may('group:group_snapshot_project_attribute') });

export const groupSnapshots = [
  route({
    method: 'GET',
    path: '/group_snapshots',
    since: GROUP_SNAPSHOTS,
    policy: 'group:get_all_group_snapshots',
    handle: (call) =>
      pageOfGroupSnapshots(call, '/group_snapshots', 'group_snapshots', (each) =>
        summary.show(each, undefined, call.version),
      ),
  }),

  route({
    method: 'GET',
    path: '/group_snapshots/detail',
    since: GROUP_SNAPSHOTS,
    policy: 'group:get_all_group_snapshots',
    handle: (call) =>
      pageOfGroupSnapshots(call, '/group_snapshots/detail', 'group_snapshots', (each) =>
        detail.show(each, viewer(call), call.version),
      ),
  }),

  route({
    method: 'POST',
    path: '/group_snapshots',
    since: GROUP_SNAPSHOTS,
    policy: 'group:create_group_snapshot',
    status: 202,
    body: CreateBody,
    async handle({ desk, caller, version, body }) {
      const { group_snapshot: request } = body;
      await genericGroupFor(desk.db.read, caller, request.group_id);
      const made = await createGroupSnapshot(desk, caller, {
        groupId: request.group_id,
        name: trimmed(request.name),
        description: trimmed(request.description),
      });
      return { group_snapshot: summary.show(made, undefined, version) };
    },
  }),

  route({
    method: 'GET',
    path: '/group_snapshots/:id',
    since: GROUP_SNAPSHOTS,
    policy: 'group:get_group_snapshot',
    async handle(call) {
      const found = await genericGroupSnapshotFor(call.desk.db.read, call.caller, call.params.id);
      return { group_snapshot: detail.show(found, viewer(call), call.version) };
    },
  }),

  route({
    method: 'DELETE',
    path: '/group_snapshots/:id',
    since: GROUP_SNAPSHOTS,
    policy: 'group:delete_group_snapshot',
    status: 202,
    async handle({ desk, caller, params }) {
      await genericGroupSnapshotFor(desk.db.read, caller, params.id);
      await deleteGroupSnapshot(desk, caller, params.id);
      return undefined;
    },
  }),

  route({
    method: 'POST',
    path: '/group_snapshots/:id/action',
    action: 'reset_status',
    since: GROUP_SNAPSHOT_RESET_STATUS,
    policy: 'group:reset_group_snapshot_status',
    status: 202,
    body: Type.Object({ status: Word(GROUP_SNAPSHOT_STATUSES) }, CLOSED),
    async handle({ desk, caller, params, body }) {
      const status = readWord(body.status, 'status', GROUP_SNAPSHOT_STATUSES);
      if (status === undefined) throw new InvalidInput('status must be given.');
      await genericGroupSnapshotFor(desk.db.read, caller, params.id);
      await resetGroupSnapshotStatus(desk, caller, params.id, status);
      return undefined;
    },
  }),
];
