/** `POST groups/{id}/action`: from the name of an action to the command that does it. */
import { genericGroupFor } from '../../commands/groups/consistency-groups.ts';
import { deleteGroup } from '../../commands/groups/delete-group.ts';
import { refuseReplication } from '../../commands/groups/replicate-group.ts';
import { resetGroupStatus } from '../../commands/groups/reset-group-status.ts';
import { Type } from '../../lib/schema.ts';
import { InvalidInput } from '../../model/errors.ts';
import { GROUP_RESET_STATUSES } from '../../model/group-status.ts';
import { CLOSED, LooseBoolean, Maybe, readWord, Text255, Word } from '../body.ts';
import { GROUP_REPLICATION, GROUP_RESET_STATUS, GROUPS } from '../microversion.ts';
import { readBoolean } from '../query.ts';
import { route } from '../route.ts';

const action = { method: 'POST', path: '/groups/:id/action' } as const;

const Nothing = Type.Record(Type.String(), Type.Unknown());
const Failover = Type.Object(
  { allow_attached_volume: Type.Optional(LooseBoolean), secondary_backend_id: Maybe(Text255) },
  CLOSED,
);

const replication = (name: 'enable' | 'disable' | 'failover' | 'list') =>
  route({
    ...action,
    action: name === 'list' ? 'list_replication_targets' : `${name}_replication`,
    since: GROUP_REPLICATION,
    policy: name === 'list' ? 'group:list_replication_targets' : `group:${name}_replication`,
    status: 202,
    body: name === 'failover' ? Failover : Nothing,
    handle: ({ desk, caller, params }) => refuseReplication(desk, caller, params.id),
  });

export const groupActions = [
  route({
    ...action,
    action: 'delete',
    since: GROUPS,
    policy: 'group:delete',
    status: 202,
    body: Type.Object({ 'delete-volumes': Type.Optional(LooseBoolean) }, CLOSED),
    async handle({ desk, caller, params, body }) {
      const withVolumes = readBoolean(body['delete-volumes'] ?? false, 'delete-volumes');
      await genericGroupFor(desk.db.read, caller, params.id);
      await deleteGroup(desk, caller, params.id, { withVolumes });
      return undefined;
    },
  }),

  route({
    ...action,
    action: 'reset_status',
    since: GROUP_RESET_STATUS,
    policy: 'group:reset_status',
    status: 202,
    body: Type.Object({ status: Word(GROUP_RESET_STATUSES) }, CLOSED),
    async handle({ desk, caller, params, body }) {
      const status = readWord(body.status, 'status', GROUP_RESET_STATUSES);
      if (status === undefined) throw new InvalidInput('status must be given.');
      await genericGroupFor(desk.db.read, caller, params.id);
      await resetGroupStatus(desk, caller, params.id, status);
      return undefined;
    },
  }),

  replication('enable'),
  replication('disable'),
  replication('failover'),
  replication('list'),
];
