/**
 * Authorization: the rule of a route, asked before the route does anything.
 *
 * The target of a request belongs to a project: the caller's, for a list or a create; that in the path, for quotas; the
 * row's, for a row. Only an administrator finds rows of other projects (for the rest it is 404, in the handler), so the
 * row is looked up only when the rule asks for its user, or for the project of a row that an administrator names.
 */
import { findOwner, type OwnedTable } from '../../db/row-owners.ts';
import type { Caller } from '../../model/caller.ts';
import type { ApiCall, Route } from '../route.ts';
import type { PolicyTarget } from './expression.ts';
import { type Policy, PolicyNotAuthorized } from './policy.ts';

/** Resources that belong to a project, by the first part of their path, and the table that says to which. */
const OWNED: Readonly<Record<string, OwnedTable>> = {
  volumes: 'volume',
  snapshots: 'snapshot',
  attachments: 'volume_attachment',
  messages: 'message',
  'os-volume-transfer': 'transfer',
  'volume-transfers': 'transfer',
  groups: 'volume_group',
  consistencygroups: 'volume_group',
  group_snapshots: 'group_snapshot',
  cgsnapshots: 'group_snapshot',
  backups: 'backup',
};

const OBJECT = /^\/([a-z_-]+)\/:id(?:\/|$)/;

export async function enforce(
  policy: Policy,
  { method, policy: rule, path }: Route,
  { caller, params, desk }: Pick<ApiCall, 'caller' | 'params' | 'desk'>,
): Promise<void> {
  // A token for the whole site: what it made would belong to no project.
  if (caller.projectId === '' && method !== 'GET') throw new PolicyNotAuthorized(rule);
  if (rule === '@') return;
  const [, resource = ''] = OBJECT.exec(path) ?? [];
  const table = Object.hasOwn(OWNED, resource) ? OWNED[resource] : undefined;
  const owner = ownerKnown(resource, table !== undefined, caller, params.id ?? '');
  let allowed = policy.decide(rule, caller, owner);
  if (allowed === undefined && table !== undefined) {
    const found = await findOwner(desk.db.read, table, params.id ?? '');
    // What is not there, the route says better.
    if (found === undefined || (!caller.isAdmin && found.projectId !== caller.projectId)) return;
    allowed = policy.decide(rule, caller, found);
  }
  if (allowed !== true) throw new PolicyNotAuthorized(rule);
}

function ownerKnown(resource: string, owned: boolean, caller: Caller, id: string): PolicyTarget {
  if (resource === 'os-quota-sets') return { projectId: id };
  if (!owned) return { projectId: caller.projectId, userId: caller.userId };
  return caller.isAdmin ? {} : { projectId: caller.projectId };
}
