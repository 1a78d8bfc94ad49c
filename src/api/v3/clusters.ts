/**
 * `clusters`: services that share a backend and take over from each other by name. Processes here take over by owning hosts
 * (`db/sql/ownership.ts`) and belong to no cluster, so the list is empty and no cluster is found.
 */

import { Type } from '../../lib/schema.ts';
import { ClusterNotFound, InvalidInput } from '../../model/errors.ts';
import { CLOSED, Maybe, Text255 } from '../body.ts';
import { CLUSTERS, type Microversion, REPLICATED_CLUSTERS } from '../microversion.ts';
import { PAGE_NAMES } from '../page.ts';
import { queryBoolean, queryInteger } from '../query.ts';
import { type ApiCall, route } from '../route.ts';

const Name = Type.String({ minLength: 1, maxLength: 255 });
const EnableBody = Type.Object({ name: Name, binary: Maybe(Text255) }, CLOSED);
const DisableBody = Type.Object({ name: Name, binary: Maybe(Text255), disabled_reason: Maybe(Text255) }, CLOSED);

const FILTERS = ['name', 'binary', 'is_up', 'disabled', 'num_hosts', 'num_down_hosts'];
const FILTERS_OF_REPLICATION = ['replication_status', 'frozen', 'active_backend_id'];

const at = (path: string) => ({ path, since: CLUSTERS }) as const;

export const clusters = [
  route({ ...at('/clusters'), method: 'GET', policy: 'clusters:get_all', handle: none }),
  route({ ...at('/clusters/detail'), method: 'GET', policy: 'clusters:get_all', handle: none }),

  route({
    method: 'GET',
    path: '/clusters/:name',
    since: CLUSTERS,
    policy: 'clusters:get',
    handle: async ({ params }) => notFound(params.name),
  }),

  route({
    ...at('/clusters/enable'),
    method: 'PUT',
    policy: 'clusters:update',
    body: EnableBody,
    handle: async ({ body }) => notFound(body.name),
  }),

  route({
    ...at('/clusters/disable'),
    method: 'PUT',
    policy: 'clusters:update',
    body: DisableBody,
    handle: async ({ body }) => notFound(body.name),
  }),
];

async function none({ query, version }: ApiCall): Promise<object> {
  checkFilters([...query.keys()], version);
  for (const name of ['is_up', 'disabled', 'frozen']) queryBoolean(query, name);
  for (const name of ['num_hosts', 'num_down_hosts']) queryInteger(query, name);
  return { clusters: [] };
}

function checkFilters(names: readonly string[], version: Microversion): void {
  const known = version >= REPLICATED_CLUSTERS ? [...FILTERS, ...FILTERS_OF_REPLICATION] : FILTERS;
  const unknown = names.filter((name) => !known.includes(name) && !PAGE_NAMES.has(name));
  if (unknown.length > 0) throw new InvalidInput(`Clusters cannot be filtered by ${unknown.join(', ')}.`);
}

function notFound(name: string): never {
  throw new ClusterNotFound(`Cluster ${name} could not be found.`);
}
