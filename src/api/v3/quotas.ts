/** `os-quota-sets` and `os-quota-class-sets`: how much of everything a project may have. */

import {
  limitsByDefault,
  limitsOfClass,
  limitsOfProject,
  resetQuotas,
  setClassQuotas,
  setQuotas,
} from '../../commands/quotas.ts';
import { type Amounts, quotaUsage } from '../../db/quotas.ts';
import { Type } from '../../lib/schema.ts';
import type { Caller } from '../../model/caller.ts';
import { Forbidden, InvalidInput } from '../../model/errors.ts';
import { CLOSED, Maybe } from '../body.ts';
import { queryBoolean } from '../query.ts';
import { type ApiCall, route } from '../route.ts';

const MOST = 2_147_483_647;
const LimitValue = Type.Union([
  Type.Integer({ minimum: -1, maximum: MOST }),
  Type.String({ pattern: '^-?[0-9]{1,10}$' }),
]);

/** Clients name in the body, too, whose limits they are. */
const NAMES = { id: Maybe(Type.String()), tenant_id: Maybe(Type.String()), class_name: Maybe(Type.String()) };
const Limits = Type.Object(NAMES, { additionalProperties: LimitValue });
/** A client that sets nothing has meant something else. */
const SomeLimits = Type.Object(NAMES, { additionalProperties: LimitValue, minProperties: 1 });

export const quotas = [
  route({
    method: 'GET',
    path: '/os-quota-sets/:id',
    policy: 'volume_extension:quotas:show',
    async handle(call) {
      const { db, config } = call.desk;
      const id = projectIn(call);
      const limits = await limitsOfProject(db.read, id, config.quota);
      if (!queryBoolean(call.query, 'usage')) return { quota_set: { id, ...limits } };
      return { quota_set: { id, ...withUsage(limits, await quotaUsage(db.read, id)) } };
    },
  }),

  route({
    method: 'GET',
    path: '/os-quota-sets/:id/defaults',
    policy: 'volume_extension:quotas:show',
    async handle(call) {
      const { db, config } = call.desk;
      return { quota_set: { id: projectIn(call), ...(await limitsByDefault(db.read, config.quota)) } };
    },
  }),

  route({
    method: 'PUT',
    path: '/os-quota-sets/:id',
    policy: 'volume_extension:quotas:update',
    body: Type.Object({ quota_set: SomeLimits }, CLOSED),
    async handle(call) {
      const evenBelowUsage = queryBoolean(call.query, 'skip_validation');
      const limits = limitsIn(call.body.quota_set);
      return { quota_set: await setQuotas(call.desk, projectIn(call), limits, { evenBelowUsage }) };
    },
  }),

  route({
    method: 'DELETE',
    path: '/os-quota-sets/:id',
    policy: 'volume_extension:quotas:delete',
    async handle(call) {
      await resetQuotas(call.desk, projectIn(call));
      return undefined;
    },
  }),

  route({
    method: 'GET',
    path: '/os-quota-class-sets/:id',
    policy: 'volume_extension:quota_classes:get',
    async handle({ desk: { db, config }, params }) {
      const id = shortEnough(params.id);
      return { quota_class_set: { id, ...(await limitsOfClass(db.read, id, config.quota)) } };
    },
  }),

  route({
    method: 'PUT',
    path: '/os-quota-class-sets/:id',
    policy: 'volume_extension:quota_classes:update',
    body: Type.Object({ quota_class_set: Limits }, CLOSED),
    async handle({ desk, params, body }) {
      return { quota_class_set: await setClassQuotas(desk, shortEnough(params.id), limitsIn(body.quota_class_set)) };
    },
  }),
];

function projectIn({ caller, params }: ApiCall<unknown, 'id'>): string {
  mayLookAt(caller, params.id);
  return shortEnough(params.id);
}

function mayLookAt({ isAdmin, projectId }: Caller, project: string): void {
  if (!isAdmin && project !== projectId) throw new Forbidden("Another project's quotas are not for this caller.");
}

function shortEnough(name: string): string {
  if (name.length > 255) throw new InvalidInput('The name of a project or class has at most 255 characters.');
  return name;
}

function limitsIn(given: object): Amounts {
  const limits = Object.entries(given).filter(([name]) => !Object.hasOwn(NAMES, name));
  return Object.fromEntries(limits.map(([resource, value]) => [resource, readLimit(value, resource)]));
}

function readLimit(value: number | string, resource: string): number {
  const limit = Number(value);
  if (limit < -1 || limit > MOST) throw new InvalidInput(`The limit of ${resource} must be between -1 and ${MOST}.`);
  return limit;
}

function withUsage(limits: Amounts, usage: Awaited<ReturnType<typeof quotaUsage>>): object {
  return Object.fromEntries(
    Object.entries(limits).map(([resource, limit]) => {
      const { inUse, reserved } = usage[resource] ?? { inUse: 0, reserved: 0 };
      return [resource, { limit, in_use: inUse, reserved }];
    }),
  );
}
