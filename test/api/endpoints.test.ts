/** Every call that Cinder serves: here, at its microversion and with its status, or with a reason why not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isServed, reasonOf } from '../../scripts/print-api.ts';
import { routes } from '../../src/api/routes.ts';
import { type Endpoint, endpoints } from './endpoints.ts';
import { type Answer, freshWorld, PROJECT, type World } from './world.ts';

const keyOf = (method: string, path: string, action = ''): string =>
  `${method} ${path.replaceAll(/:\w+/g, ':')} ${action}`;

const named = ({ id, method, path, action = '' }: Endpoint): string => `${id} ${method} ${path} ${action}`.trim();

/** Asks for something that is not there, at a path that is. */
function ask(world: World, { method, path, action, open }: Endpoint, minor: number): Promise<Answer> {
  const filled = path.replaceAll(/:(\w+)/g, (_, name) => (name === 'project' ? PROJECT : 'no-such-thing'));
  return world.ask(method, `${open ? '/' : ''}${filled}`, {
    version: `3.${minor}`,
    ...(method !== 'GET' && { body: action === undefined ? {} : { [action]: null } }),
  });
}

const messageOf = ({ body }: Answer): string =>
  (Object.values(body ?? {})[0] as { readonly message?: string } | undefined)?.message ?? '';

/** The answer of a service that has no such route, or no such action. */
const isUnknown = (answer: Answer): boolean =>
  answer.status === 405 ||
  /^The resource could not be found\.$|not found in version|There is no such action/.test(messageOf(answer));

describe('of the calls of the Block Storage API', () => {
  it('each is either served or has a reason not to be, never both', () => {
    const both = endpoints.filter((endpoint) => isServed(endpoint) === (reasonOf(endpoint) !== undefined));
    assert.deepEqual(both.map(named), []);
  });

  // Cinder's too, under the names from before 3.8, which its reference leaves out.
  const LISTS = ['/os-volume-manage', '/os-volume-manage/detail', '/os-snapshot-manage', '/os-snapshot-manage/detail'];

  it('each that is served is one of Cinder, and stands in the table', () => {
    const known = new Set(endpoints.map(({ method, path, action }) => keyOf(method, path, action)));
    const served = routes.map(({ method, path, action }) => keyOf(method, path, action));
    assert.deepEqual(
      served.filter((key) => !known.has(key)),
      LISTS.map((path) => keyOf('GET', path)),
    );
  });

  it('each that is served answers with the status that clients expect', () => {
    const statuses = new Map(
      routes.map((route) => [keyOf(route.method, route.path, route.action), route.status ?? 200]),
    );
    const served = endpoints.filter((endpoint) => !endpoint.open && isServed(endpoint));
    assert.deepEqual(
      served.map((endpoint) => [named(endpoint), statuses.get(keyOf(endpoint.method, endpoint.path, endpoint.action))]),
      served.map((endpoint) => [named(endpoint), endpoint.status]),
    );
  });

  it('each that is served is there from its microversion on, and not just below', async (context) => {
    const world = await freshWorld(context);
    for (const endpoint of endpoints.filter(isServed)) {
      const at = await ask(world, endpoint, endpoint.since);
      assert.equal(isUnknown(at), false, `${named(endpoint)} at 3.${endpoint.since}: ${at.status} ${at.text}`);
      if (endpoint.since === 0) continue;
      const below = await ask(world, endpoint, endpoint.since - 1);
      assert.equal(below.status, 404, `${named(endpoint)} below 3.${endpoint.since}: ${below.text}`);
      assert.equal(isUnknown(below), true, `${named(endpoint)} below 3.${endpoint.since}: ${below.text}`);
    }
  });

  it('each that is not served is not there', async (context) => {
    const world = await freshWorld(context);
    for (const endpoint of endpoints.filter((each) => !isServed(each))) {
      const answer = await ask(world, endpoint, 71);
      assert.ok(answer.status >= 400 && answer.status < 500, `${named(endpoint)}: ${answer.status} ${answer.text}`);
    }
  });
});
