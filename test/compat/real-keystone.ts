/**
 * Pumice behind Debian's own Keystone, which knows nothing of us, asked by Debian's own clients. Run by `keystone.sh`.
 *
 * Cached answers are switched off, so that what Keystone says now is what counts.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it, type TestContext } from 'node:test';
import { KeystoneProcess } from './keystone-process.ts';
import { liveService } from './live-service.ts';
import { type Env, missing, PythonClient } from './python-client.ts';

function keystoneMissing(): string | false {
  try {
    execFileSync('keystone-manage', ['--version'], { stdio: 'ignore' });
    return missing(['openstackclient', 'cinderclient'], ['python3-openstackclient', 'python3-cinderclient']);
  } catch {
    return 'Keystone is not installed; test/compat/keystone.sh does it as root';
  }
}

describe('behind a real Keystone', { skip: keystoneMissing() }, () => {
  let keystone: KeystoneProcess;
  let openstack: PythonClient;
  let cinder: PythonClient;

  before(async () => {
    keystone = await KeystoneProcess.start();
    openstack = new PythonClient('openstack', 'openstackclient.shell');
    cinder = new PythonClient('cinder', 'cinderclient.shell');
    const ok = (...argv: readonly string[]) => says(openstack, keystone.env(), ...argv);
    await ok('project', 'create', 'service');
    await ok('project', 'create', 'demo');
    await ok('role', 'create', 'service');
    for (const [user, project, role] of [
      ['pumice', 'service', 'service'],
      ['bob', 'demo', 'member'],
      ['eve', 'demo', 'reader'],
      ['ada', 'demo', 'admin'],
    ] as const) {
      await ok('user', 'create', '--password', `secret of ${user}`, user);
      await ok('role', 'add', '--project', project, '--user', user, role);
    }
    await ok('service', 'create', '--name', 'pumice', 'volumev3');
  });
  after(async () => {
    await openstack?.close();
    await cinder?.close();
    await keystone?.remove();
  });

  async function says(client: PythonClient, env: Env, ...argv: readonly string[]): Promise<string> {
    const { code, out, err } = await client.run(env, argv);
    assert.equal(code, 0, `${argv.join(' ')}: ${err}`);
    return out;
  }

  async function complains(client: PythonClient, env: Env, ...argv: readonly string[]): Promise<string> {
    const { code, out, err } = await client.run(env, argv);
    assert.notEqual(code, 0, `${argv.join(' ')}: ${out}`);
    return err;
  }

  const as = (user: string): Env => keystone.env(user, `secret of ${user}`, 'demo');
  const json = async (env: Env, ...argv: readonly string[]) =>
    JSON.parse(await says(openstack, env, ...argv, '-f', 'json'));

  async function start(
    t: TestContext,
    set: readonly string[] = ['keystone.username=pumice', 'keystone.password=secret of pumice'],
  ) {
    const { endpoint } = await liveService(t, [
      'api.auth_strategy=keystone',
      `keystone.auth_url=${keystone.url}`,
      'keystone.token_cache_time=0',
      // It answers one at a time, on whatever machine runs this.
      'keystone.http_request_timeout=60',
      ...set,
    ]);
    const admin = keystone.env();
    const url = `${endpoint}/%(project_id)s`;
    const { id } = await json(admin, 'endpoint', 'create', '--region', 'RegionOne', 'volumev3', 'public', url);
    t.after(async () => {
      if (await fetch(keystone.url).catch(() => undefined)) await says(openstack, admin, 'endpoint', 'delete', id);
    });
    const ask = (token: string, path: string, headers = {}, body?: object) =>
      fetch(`${endpoint}${path}`, {
        headers: { 'x-auth-token': token, 'content-type': 'application/json', ...headers },
        ...(body && { method: 'POST', body: JSON.stringify(body) }),
      });
    return { endpoint, ask };
  }

  it('members make volumes, readers look at them, administrators at the site', async (t) => {
    await start(t);
    await says(cinder, as('bob'), 'create', '--name', 'first', '1');
    for (const user of ['bob', 'eve', 'ada'])
      assert.equal((await json(as(user), 'volume', 'list'))[0].Name, 'first', user);
    assert.match(await complains(cinder, as('eve'), 'create', '1'), /Policy doesn't allow volume:create/);
    assert.match(await complains(openstack, as('bob'), 'volume', 'service', 'list'), /HTTP 403/);
    assert.ok((await json(as('ada'), 'volume', 'service', 'list')).length > 0);
    const elsewhere = keystone.env();
    assert.deepEqual(await json(elsewhere, 'volume', 'list'), [], "another project's volumes are its own");
    assert.equal((await json(elsewhere, 'volume', 'list', '--all-projects')).length, 1);
  });

  it('a token opens until it is revoked, and only for a project', async (t) => {
    const { ask } = await start(t);
    const { id } = await json(as('bob'), 'token', 'issue');
    assert.equal((await ask(id, '/volumes')).status, 200);
    await says(openstack, as('bob'), 'token', 'revoke', id);
    const revoked = await ask(id, '/volumes');
    assert.equal(revoked.status, 401);
    assert.equal(revoked.headers.get('www-authenticate'), `Keystone uri="${keystone.url}"`);
    const { OS_PROJECT_NAME: _, OS_PROJECT_DOMAIN_NAME: __, ...nowhere } = as('bob');
    assert.equal((await ask((await json(nowhere, 'token', 'issue')).id, '/volumes')).status, 403);
    const { OS_PROJECT_NAME: ___, OS_PROJECT_DOMAIN_NAME: ____, ...admin } = keystone.env();
    const system = await json({ ...admin, OS_SYSTEM_SCOPE: 'all' }, 'token', 'issue');
    assert.equal((await ask(system.id, '/volumes?all_tenants=1')).status, 200);
  });

  it('a service asks in a user’s name with its own token', async (t) => {
    const { ask } = await start(t);
    const user = (await json(as('bob'), 'token', 'issue')).id;
    const service = (await json(keystone.env('pumice', 'secret of pumice', 'service'), 'token', 'issue')).id;
    assert.equal((await ask(user, '/volumes', { 'x-service-token': service })).status, 200);
    assert.equal((await ask(user, '/volumes', { 'x-service-token': user })).status, 401);
  });

  it('an application credential is enough for us, and for our clients', async (t) => {
    const create = (env: Env, ...argv: readonly string[]) => json(env, 'application', 'credential', 'create', ...argv);
    const ours = await create(keystone.env('pumice', 'secret of pumice', 'service'), 'ours');
    await start(t, [
      `keystone.application_credential_id=${ours.id}`,
      `keystone.application_credential_secret=${ours.secret}`,
    ]);
    const bobs = await create(as('bob'), 'bobs');
    const env = {
      OS_AUTH_URL: keystone.url,
      OS_AUTH_TYPE: 'v3applicationcredential',
      OS_APPLICATION_CREDENTIAL_ID: bobs.id,
      OS_APPLICATION_CREDENTIAL_SECRET: bobs.secret,
    };
    assert.deepEqual(await json(env, 'volume', 'list'), []);
  });

  it('an application credential with access rules may do what they say and nothing else', async (t) => {
    const { ask } = await start(t);
    const rules = JSON.stringify([{ service: 'volumev3', method: 'GET', path: '/v3/**' }]);
    const made = await json(as('bob'), 'application', 'credential', 'create', '--access-rules', rules, 'held');
    const env = {
      OS_AUTH_URL: keystone.url,
      OS_AUTH_TYPE: 'v3applicationcredential',
      OS_APPLICATION_CREDENTIAL_ID: made.id,
      OS_APPLICATION_CREDENTIAL_SECRET: made.secret,
    };
    const { id } = await json(env, 'token', 'issue');
    assert.equal((await ask(id, '/volumes?limit=1')).status, 200);
    assert.equal((await ask(id, '/volumes', {}, { volume: { size: 1 } })).status, 401);
    assert.ok(Array.isArray(await json(env, 'volume', 'list')));
    assert.match(await complains(openstack, env, 'volume', 'type', 'create', 'none'), /401/);
    const service = (await json(keystone.env('pumice', 'secret of pumice', 'service'), 'token', 'issue')).id;
    assert.equal((await ask(id, '/volumes', { 'x-service-token': service }, { volume: { size: 1 } })).status, 202);
  });

  it('credentials of ours that are wrong, and a Keystone that is dead, let nobody in', async (t) => {
    const { ask } = await start(t);
    const { id } = await json(as('bob'), 'token', 'issue');
    assert.equal((await ask(id, '/volumes')).status, 200);
    await keystone.end();
    assert.equal((await ask(id, '/volumes')).status, 503);
    await keystone.begin();
    assert.equal((await ask(id, '/volumes')).status, 200);
    const wrong = await start(t, ['keystone.username=pumice', 'keystone.password=another']);
    assert.equal((await wrong.ask(id, '/volumes')).status, 503);
  });
});
