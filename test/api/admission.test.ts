/** The door with a Keystone behind it: who is let in, as whom, and what the others are told. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { insertAttachment } from '../../src/db/attachments.ts';
import { uuid } from '../../src/lib/clock.ts';
import { answer, identityServer, later, projectToken } from '../clients/identity-server.ts';
import { freshWorld, PROJECT } from './world.ts';

async function start(t: TestContext, set: readonly string[] = []) {
  const identity = await identityServer(t);
  const world = await freshWorld(t, {
    set: [
      'api.auth_strategy=keystone',
      `keystone.auth_url=${identity.url}/v3`,
      'keystone.username=cinder',
      'keystone.password=secret',
      ...set,
    ],
  });
  const ask = (method: string, path: string, token: string | null, more: Readonly<Record<string, string>> = {}) =>
    world.ask(method, path, {
      version: 'latest',
      project: null,
      headers: { ...(token !== null && { 'x-auth-token': token }), ...more },
      ...(method === 'POST' && { body: { volume: { size: 1 } } }),
    });
  return { identity, world, ask };
}

describe('with auth_strategy "keystone"', () => {
  it('a request without a token, or with one that is nobody’s, is told where to get one', async (t) => {
    const { identity, ask } = await start(t);
    for (const token of [null, 'nobody’s', 'admin:admin']) {
      const { status, headers, body } = await ask('GET', '/volumes', token);
      assert.equal(status, 401);
      assert.equal(headers['www-authenticate'], `Keystone uri="${identity.url}/v3"`);
      assert.equal(body.unauthorized.code, 401);
    }
    assert.equal((await ask('GET', '//nowhere', null)).status, 401);
    assert.equal((await ask('GET', '//v3/', null)).status, 200, 'versions need no token');
  });

  it('a caller has the project and the roles of the token, with the roles that they imply', async (t) => {
    const { identity, world, ask } = await start(t);
    await world.volume({ name: 'ours' });
    identity.tokens.set('member', projectToken(PROJECT, ['member']));
    identity.tokens.set('reader', projectToken(PROJECT, ['reader']));
    identity.tokens.set('admin', projectToken(PROJECT, ['Admin']));
    identity.tokens.set('elsewhere', projectToken('ffff', ['member']));
    assert.equal((await ask('GET', '/volumes', 'member')).body.volumes[0].name, 'ours');
    assert.equal((await ask('POST', '/volumes', 'member')).status, 202);
    assert.equal((await ask('POST', '/volumes', 'reader')).status, 403);
    assert.equal((await ask('GET', '/os-services', 'member')).status, 403);
    assert.equal((await ask('GET', '/os-services', 'admin')).status, 200);
    assert.equal((await ask('GET', '/volumes', 'elsewhere')).status, 400, 'the project in the path is not its own');
    assert.deepEqual((await ask('GET', '//v3/volumes', 'elsewhere')).body.volumes, []);
  });

  it('a token for no project gets nowhere, and one for the whole site changes nothing', async (t) => {
    const { identity, world, ask } = await start(t);
    const { id } = await world.volume();
    const { project: _, ...none } = projectToken('', ['admin']);
    identity.tokens.set('unscoped', { ...none, roles: [] });
    identity.tokens.set('domain', { ...none, domain: { id: 'default' } });
    identity.tokens.set('system', { ...none, system: { all: true } });
    identity.tokens.set('system-reader', { ...none, roles: [{ name: 'reader' }], system: { all: true } });
    for (const token of ['unscoped', 'domain', 'system-reader']) {
      assert.equal((await ask('GET', '//v3/volumes', token)).status, 403, token);
    }
    assert.equal((await ask('GET', '//v3/volumes?all_tenants=1', 'system')).body.volumes[0].id, id);
    assert.equal((await ask('POST', '//v3/volumes', 'system')).status, 403);
    assert.equal((await ask('DELETE', `//v3/volumes/${id}`, 'system')).status, 403);
  });

  it('a service token must be that of a service, and lets an expired token pass', async (t) => {
    const { identity, ask } = await start(t);
    identity.tokens.set('old', projectToken(PROJECT, ['member'], { expires_at: later(-1000) }));
    identity.tokens.set('nova', projectToken('services', ['service']));
    identity.tokens.set('member', projectToken(PROJECT, ['member']));
    assert.equal((await ask('GET', '/volumes', 'old')).status, 401);
    assert.equal((await ask('GET', '/volumes', 'old', { 'x-service-token': 'nova' })).status, 200);
    assert.equal((await ask('GET', '/volumes', 'member', { 'x-service-token': 'member' })).status, 401);
    assert.equal((await ask('GET', '/volumes', 'member', { 'x-service-token': 'nobody’s' })).status, 401);
    assert.equal((await ask('GET', '/volumes', 'nova', { 'x-service-token': 'nova' })).status, 400);
  });

  it('a service is known by the role that its site gives to services, and by no other', async (t) => {
    const set = ['keystone.service_token_roles=Robots', 'keystone.service_token_roles_required=false'];
    const { identity, world, ask } = await start(t, set);
    identity.tokens.set('member', projectToken(PROJECT, ['member']));
    identity.tokens.set('robot', projectToken('services', ['robots']));
    identity.tokens.set('service', projectToken('services', ['service']));
    const volume = await world.volume({ status: 'in-use', attachStatus: 'attached' });
    const id = uuid();
    await world.service.db.write((tx) =>
      insertAttachment(tx, {
        id,
        projectId: PROJECT,
        volumeId: volume.id,
        instanceId: uuid(),
        attachMode: 'rw',
        attachStatus: 'attached',
      }),
    );
    const detach = async (service: string) =>
      (await ask('DELETE', `/attachments/${id}`, 'member', { 'x-service-token': service })).status;
    assert.deepEqual([await detach('member'), await detach('service')], [409, 409]);
    assert.equal(await detach('robot'), 200);
  });

  it('an application credential with access rules may do what they say', async (t) => {
    const { identity, world, ask } = await start(t);
    const { id } = await world.volume();
    const held = (...rules: readonly [service: string, method: string, path: string][]) =>
      projectToken(PROJECT, ['member'], {
        application_credential: {
          id: 'c1',
          access_rules: rules.map(([service, method, path]) => ({ id: uuid(), service, method, path })),
        },
      });
    identity.tokens.set('reads', held(['compute', 'POST', '/**'], ['block-storage', 'GET', `/v3/*/volumes/*`]));
    identity.tokens.set('nothing', held());
    identity.tokens.set('elsewhere', held(['compute', 'GET', '/**']));
    const status = async (...asked: Parameters<typeof ask>) => (await ask(...asked)).status;
    for (let n = 0; n < 2; n += 1) {
      assert.equal(await status('GET', `/volumes/${id}`, 'reads'), 200);
      assert.equal(await status('GET', `/volumes/${id}?a=b`, 'reads'), 200);
      assert.equal(await status('GET', '/volumes', 'reads'), 401);
      assert.equal(await status('DELETE', `/volumes/${id}`, 'reads'), 401);
      assert.equal(await status('POST', '/volumes', 'reads'), 401);
      assert.equal(await status('GET', '/volumes', 'nothing'), 401);
      assert.equal(await status('GET', `/volumes/${id}`, 'elsewhere'), 401);
    }
    const refusal = await ask('GET', '/volumes', 'reads');
    assert.equal(refusal.headers['www-authenticate'], `Keystone uri="${identity.url}/v3"`);
    assert.equal((await ask('GET', `/volumes/${id}`, 'reads')).body.volume.status, 'available', 'and nothing was done');
  });

  it('a service in its user’s name is not held to access rules, and nobody gets rid of them alone', async (t) => {
    const { identity, ask } = await start(t, ['keystone.service_token_roles_required=false']);
    const none = { application_credential: { id: 'c1', access_rules: [] } };
    identity.tokens.set('held', projectToken(PROJECT, ['member'], none));
    identity.tokens.set('held-service', projectToken(PROJECT, ['service', 'member'], none));
    identity.tokens.set('nova', projectToken('services', ['service']));
    identity.tokens.set('member', projectToken(PROJECT, ['member']));
    const by = async (token: string, service: string) =>
      (await ask('GET', '/volumes', token, { 'x-service-token': service })).status;
    assert.equal(await by('held', 'nova'), 200);
    assert.equal(await by('held', 'member'), 401, 'that is no service');
    assert.equal(await by('held', 'held'), 401);
    assert.equal(await by('held-service', 'held-service'), 401, 'nor does one vouch for itself');
    assert.equal(await by('member', 'member'), 200);
  });

  it('a site may call the service otherwise, and its rules then say so', async (t) => {
    const { identity, ask } = await start(t, ['keystone.service_type=our-storage']);
    for (const service of ['our-storage', 'volumev3'])
      identity.tokens.set(
        service,
        projectToken(PROJECT, ['member'], {
          application_credential: { id: 'c1', access_rules: [{ service, method: 'GET', path: '/v3/**' }] },
        }),
      );
    assert.equal((await ask('GET', '/volumes', 'our-storage')).status, 200);
    assert.equal((await ask('GET', '/volumes', 'volumev3')).status, 401);
  });

  it('nobody is let in while Keystone is away', async (t) => {
    const { identity, ask } = await start(t);
    identity.tokens.set('member', projectToken(PROJECT, ['member']));
    identity.next.push(answer(503, {}));
    const { status, body } = await ask('GET', '/volumes', 'member');
    assert.equal(status, 503);
    assert.equal(body.serviceUnavailable.message, 'The identity service cannot be asked.');
    assert.equal((await ask('GET', '/volumes', 'member')).status, 200, 'and it is asked again at once');
  });
});
