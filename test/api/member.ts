/** Asks a route as somebody who is no administrator, whom `noauth` never makes: the route's handler, without the door. */
import assert from 'node:assert/strict';
import { linksOf } from '../../src/api/links.ts';
import { type Microversion, NEWEST } from '../../src/api/microversion.ts';
import { attributesFor } from '../../src/api/policy/attributes.ts';
import { Policy } from '../../src/api/policy/policy.ts';
import { parseQuery } from '../../src/api/query.ts';
import { routes } from '../../src/api/routes.ts';
import { RowCache } from '../../src/api/row-cache.ts';
import { PROJECT, USER, type World } from './world.ts';

export interface AskedAsMember {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly version?: Microversion;
  readonly project?: string;
}

/** `path` as it stands in the table of routes. Rejects with the error of the catalogue. */
// biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
export async function getAsMember({ service }: World, path: string, asked: AskedAsMember = {}): Promise<any> {
  const { params = {}, query = '', version = NEWEST, project = PROJECT } = asked;
  const route = routes.find((each) => each.method === 'GET' && each.path === path);
  assert.ok(route, `There is no GET ${path}.`);
  const policy = new Policy();
  const caller = {
    userId: USER,
    projectId: project,
    roles: ['member', 'reader'],
    isAdmin: false,
    serviceRoles: [],
    requestId: 'req-of-a-member',
  };
  return route.handle({
    desk: service.desk,
    caller,
    attributes: attributesFor(policy, caller),
    may: (rule) => policy.allows(rule, caller),
    demand: (rule) => policy.demand(rule, caller),
    version,
    params,
    query: parseQuery(query),
    body: undefined,
    headers: {},
    links: linksOf('http://pumice.test:8776', project),
    rowCache: new RowCache(service.db),
    rate: undefined,
    header: () => undefined,
    takeOver: () => assert.fail('No answer is to be taken over here.'),
    callerNow: async () => caller,
    callerBy: async () => caller,
    address: '127.0.0.1',
    closing: new AbortController().signal,
  });
}
