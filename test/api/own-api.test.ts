/** What every request of our own API has in common, whatever it asks for, and who one is. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { callerOf } from '../../src/api/caller.ts';
import { type Route, route } from '../../src/api/route.ts';
import { buildApi } from '../../src/api/server.ts';
import { silentLog } from '../../src/lib/logging.ts';
import { identityWorld } from './identity-world.ts';
import { askOverSocket } from './over-socket.ts';
import { freshWorld, PROJECT, USER } from './world.ts';

const faultOf = ({ body }: { readonly body: Readonly<Record<string, { readonly code: number }>> }) =>
  Object.entries(body).map(([fault, { code }]) => [fault, code]);

describe('a request of our own API', () => {
  it('needs neither a project in its path nor a version, and is told none', async (context) => {
    const world = await freshWorld(context);
    const answer = await world.ask('GET', '//pumice/v1/whoami', { version: '9.99' });
    assert.equal(answer.status, 200, answer.text);
    assert.match(String(answer.headers['x-openstack-request-id']), /^req-/);
    assert.deepEqual([answer.headers['openstack-api-version'], answer.headers.vary], [undefined, undefined]);
  });

  it('without a token is refused, where Cinder would invite', async (context) => {
    const world = await freshWorld(context);
    for (const path of ['//pumice/v1/whoami', '//pumice/v1/nothing']) {
      const answer = await world.ask('GET', path, { project: null });
      assert.deepEqual([answer.status, faultOf(answer)], [401, [['unauthorized', 401]]]);
    }
  });

  it('of another method is a bad method; of another path is not found', async (context) => {
    const world = await freshWorld(context);
    const posted = await world.ask('POST', '//pumice/v1/whoami', { body: {} });
    assert.deepEqual([posted.status, faultOf(posted)], [405, [['badMethod', 405]]]);
    for (const path of ['nothing', 'whoami/', 'whoami/more', '', `${PROJECT}/whoami`]) {
      const answer = await world.ask('GET', `//pumice/v1/${path}`);
      assert.deepEqual([answer.status, faultOf(answer)], [404, [['itemNotFound', 404]]], path);
      assert.equal(answer.headers['openstack-api-version'], undefined, path);
    }
  });

  it('is no path of Cinder’s, nor the other way round', async (context) => {
    const world = await freshWorld(context);
    assert.equal((await world.ask('GET', '/whoami')).status, 404);
    assert.equal((await world.ask('GET', '//pumice/v1/volumes')).status, 404);
  });

  it('counts against the rate limit', async (context) => {
    const world = await freshWorld(context, { set: ['api.rate_limit_per_minute=1', 'api.rate_limit_burst=1'] });
    assert.equal((await world.ask('GET', '//pumice/v1/whoami')).status, 200);
    assert.equal((await world.ask('GET', '//pumice/v1/whoami')).status, 413);
  });
});

describe('a route of our own API', () => {
  async function listening(context: TestContext, ...table: readonly Route[]): Promise<string> {
    const world = await freshWorld(context);
    const api = buildApi({
      desk: world.service.desk,
      log: silentLog,
      admit: callerOf,
      ownRoutes: async () => table,
    });
    context.after(() => api.close());
    return api.listen({ host: '127.0.0.1', port: 0 });
  }

  it('may write its answer by itself, piece by piece', async (context) => {
    const address = await listening(
      context,
      route({
        method: 'GET',
        path: '/pieces',
        policy: '@',
        async handle({ caller, header, takeOver }) {
          header('x-of-the-route', 'yes');
          const answer = takeOver();
          answer.writeHead(200, { 'content-type': 'text/plain' });
          answer.write(caller.projectId);
          setImmediate(() => answer.end(', and no more'));
          return { never: 'sent' };
        },
      }),
    );
    const { status, headers, text } = await askOverSocket(address, '/pumice/v1/pieces');
    assert.deepEqual([status, text], [200, `${PROJECT}, and no more`]);
    assert.equal(headers['x-of-the-route'], 'yes');
    assert.match(String(headers['x-openstack-request-id']), /^req-/);
  });

  it('that fails while it writes ends its connection, and the next request is answered', async (context) => {
    const address = await listening(
      context,
      route({
        method: 'GET',
        path: '/half',
        policy: '@',
        async handle({ takeOver }) {
          takeOver().write('half of it');
          throw new Error('the other half is not to be had');
        },
      }),
      route({ method: 'GET', path: '/whole', policy: '@', handle: async () => ({ whole: true }) }),
    );
    await assert.rejects(askOverSocket(address, '/pumice/v1/half'), /aborted|hang up|ECONNRESET/);
    assert.equal((await askOverSocket(address, '/pumice/v1/whole')).text, '{"whole":true}');
  });

  it('may be open, and then nobody is asked who it is', async (context) => {
    const address = await listening(
      context,
      route({
        method: 'POST',
        path: '/door',
        policy: '@',
        open: true,
        handle: async ({ body, caller }) => ({ body, user: caller.userId, admin: caller.isAdmin }),
      }),
      route({ method: 'GET', path: '/door', policy: '@', handle: async ({ caller }) => ({ user: caller.userId }) }),
    );
    const nobody = { 'x-auth-token': '' };
    const body = Buffer.from('{"name":"ada"}');
    const opened = await askOverSocket(address, '/pumice/v1/door', { method: 'POST', body, headers: nobody });
    assert.deepEqual(JSON.parse(opened.text), { body: { name: 'ada' }, user: '', admin: false });
    assert.equal((await askOverSocket(address, '/pumice/v1/door', { headers: nobody })).status, 401);
    assert.deepEqual(JSON.parse((await askOverSocket(address, '/pumice/v1/door')).text), { user: USER });
  });
});

describe('whoami', () => {
  it('tells user, project, roles and how one signs in', async (context) => {
    const world = await freshWorld(context);
    const { body } = await world.get('//pumice/v1/whoami');
    assert.deepEqual(body, {
      user_id: USER,
      project_id: PROJECT,
      roles: ['admin', 'member', 'reader'],
      is_admin: true,
      auth_strategy: 'noauth',
    });
  });

  it('tells a user of our own, and refuses a token that is nobody’s', async (context) => {
    const world = await identityWorld(context);
    const asked = async (token: string) =>
      world.ask('GET', '//pumice/v1/whoami', { project: null, headers: { 'x-auth-token': token } });
    const { body } = await asked(await world.signIn('bob'));
    assert.deepEqual([body.is_admin, body.auth_strategy], [false, 'local']);
    assert.equal((await asked('nobody’s'.replace('’', ''))).status, 401);
  });
});
