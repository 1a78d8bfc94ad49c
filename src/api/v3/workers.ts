/** `workers/cleanup` (3.24): interrupted flows go on at once. */

import { type CleanupRequest, cleanUp } from '../../commands/hosts/clean-up.ts';
import type { Service } from '../../db/services.ts';
import { Type } from '../../lib/schema.ts';
import { InvalidInput } from '../../model/errors.ts';
import { CLOSED, LooseBoolean, Maybe, Text255, Uuid } from '../body.ts';
import { readTime } from '../filters.ts';
import { WORKERS_CLEANUP } from '../microversion.ts';
import { readBoolean } from '../query.ts';
import { route } from '../route.ts';

const Body = Type.Object(
  {
    cluster_name: Maybe(Text255),
    service_id: Maybe(Type.Union([Type.Integer(), Text255])),
    host: Maybe(Text255),
    binary: Maybe(Type.Enum(['cinder-volume', 'cinder-scheduler'])),
    is_up: Maybe(LooseBoolean),
    disabled: Maybe(LooseBoolean),
    resource_id: Maybe(Uuid),
    resource_type: Maybe(Text255),
    until: Maybe(Text255),
  },
  CLOSED,
);

export const workers = [
  route({
    method: 'POST',
    path: '/workers/cleanup',
    since: WORKERS_CLEANUP,
    policy: 'workers:cleanup',
    status: 202,
    body: Body,
    async handle({ desk, body }) {
      const { cleaning, unavailable } = await cleanUp(desk, {
        clusterName: body.cluster_name || null,
        serviceId: body.service_id ? String(body.service_id) : null,
        host: body.host || null,
        binary: body.binary ?? null,
        isUp: booleanOf(body.is_up, 'is_up'),
        disabled: booleanOf(body.disabled, 'disabled'),
        resourceType: resourceType(body.resource_type || null),
        resourceId: body.resource_id ?? null,
        until: body.until ? readTime(body.until) : null,
      });
      return { cleaning: cleaning.map(view), unavailable: unavailable.map(view) };
    },
  }),
];

const booleanOf = (value: boolean | string | null | undefined, name: string): boolean | null =>
  value === undefined || value === null ? null : readBoolean(value, name);

function resourceType(text: string | null): CleanupRequest['resourceType'] {
  const type = text?.toLowerCase() ?? null;
  if (type !== null && type !== 'volume' && type !== 'snapshot')
    throw new InvalidInput('A resource type is Volume or Snapshot.');
  return type;
}

const view = ({ uuid, host, binary }: Service): object => ({ id: uuid, host, binary, cluster_name: null });
