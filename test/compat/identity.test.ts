/**
 * Debian's clients as they are used at a site: they sign in with a name, a password and a project, and find the block storage
 * in the catalogue. The identity is our own; nothing else runs.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { hashPassword } from '../../src/lib/password.ts';
import { liveService } from './live-service.ts';
import { type Env, missing, PYTHON, PythonClient } from './python-client.ts';

const skip = missing(
  ['openstackclient', 'cinderclient', 'openstack'],
  ['python3-openstackclient', 'python3-cinderclient', 'python3-openstacksdk'],
);

const SDK = `
import openstack, sys
cloud = openstack.connection.Connection(auth=dict(auth_url=sys.argv[1], username='bob', password='secret of bob',
    project_name='demo', user_domain_id='default', project_domain_id='default'))
volume = cloud.block_storage.create_volume(name='of the sdk', size=1)
assert [each.name for each in cloud.block_storage.volumes()] == ['of the sdk'], 'list'
assert cloud.current_project.name == 'demo', cloud.current_project
assert cloud.block_storage.get_quota_set(cloud.current_project_id).volumes == 10, 'quota'
assert [each.name for each in cloud.identity.user_projects(cloud.current_user_id)] == ['demo'], 'projects'
try:
    list(cloud.block_storage.backend_pools())
    raise AssertionError('a member saw pools')
except openstack.exceptions.HttpException as error:
    assert error.status_code == 403, error
`;

describe('clients that sign in', { skip }, () => {
  async function start(t: TestContext): Promise<{ readonly auth: Env; readonly url: string }> {
    const quick = (secret: string) => hashPassword(secret, { log2N: 10 });
    const { endpoint } = await liveService(t, [
      'api.auth_strategy=local',
      'identity.projects.demo.id=0123456789abcdef0123456789abcdef',
      `identity.users.bob.password_hash=${await quick('secret of bob')}`,
      'identity.users.bob.roles.demo=member',
      `identity.users.ada.password_hash=${await quick('secret of ada')}`,
      'identity.users.ada.roles.demo=admin',
      `identity.application_credentials.robot.secret_hash=${await quick('wrench')}`,
      'identity.application_credentials.robot.id=robot',
      'identity.application_credentials.robot.user=bob',
      'identity.application_credentials.robot.project=demo',
    ]);
    const url = endpoint.replace(/\/v3$/, '/identity/v3');
    const auth = {
      OS_AUTH_URL: url,
      OS_USERNAME: 'bob',
      OS_PASSWORD: 'secret of bob',
      OS_PROJECT_NAME: 'demo',
      OS_USER_DOMAIN_NAME: 'Default',
      OS_PROJECT_DOMAIN_NAME: 'Default',
    };
    return { auth, url };
  }

  async function withClient(t: TestContext, name: string, module: string) {
    const client = new PythonClient(name, module);
    t.after(() => client.close());
    return {
      ok: async (env: Env, ...argv: readonly string[]): Promise<string> => {
        const { code, out, err } = await client.run(env, argv);
        assert.equal(code, 0, `${name} ${argv.join(' ')}: ${err}`);
        return out;
      },
      fails: async (env: Env, ...argv: readonly string[]): Promise<string> => {
        const { code, out, err } = await client.run(env, argv);
        assert.notEqual(code, 0, `${name} ${argv.join(' ')}: ${out}`);
        return err;
      },
    };
  }

  it('openstack does with no more than a name, a password and a project', async (t) => {
    const { auth, url } = await start(t);
    const { ok, fails } = await withClient(t, 'openstack', 'openstackclient.shell');
    const json = async (env: Env, ...argv: readonly string[]) => JSON.parse(await ok(env, ...argv, '-f', 'json'));
    const ada = { ...auth, OS_USERNAME: 'ada', OS_PASSWORD: 'secret of ada' };
    const robot = {
      OS_AUTH_URL: url,
      OS_AUTH_TYPE: 'v3applicationcredential',
      OS_APPLICATION_CREDENTIAL_ID: 'robot',
      OS_APPLICATION_CREDENTIAL_SECRET: 'wrench',
    };
    const options = ['--os-auth-url', url, '--os-username', 'bob', '--os-password', 'secret of bob'];
    const domain = ['--os-user-domain-id', 'default', '--os-project-domain-id', 'default'];
    await ok({}, ...options, ...domain, '--os-project-name', 'demo', 'volume', 'create', '--size', '1', 'first');
    assert.deepEqual(
      (await json(auth, 'volume', 'list')).map((each: { Name: string }) => each.Name),
      ['first'],
    );
    assert.deepEqual(
      (await json(robot, 'volume', 'list')).map((each: { Name: string }) => each.Name),
      ['first'],
    );
    const token = await json(auth, 'token', 'issue');
    const byToken = { OS_AUTH_URL: url, OS_AUTH_TYPE: 'v3token', OS_TOKEN: token.id, OS_PROJECT_ID: token.project_id };
    assert.equal((await json(byToken, 'volume', 'list')).length, 1);
    assert.deepEqual((await json(auth, 'catalog', 'list')).map((each: { Type: string }) => each.Type).sort(), [
      'block-storage',
      'identity',
      'image',
      'volumev3',
    ]);
    assert.equal((await json(auth, 'project', 'list'))[0].Name, 'demo');
    assert.equal((await json(ada, 'volume', 'list', '--project', 'demo')).length, 1);
    assert.equal((await json(ada, 'project', 'show', 'demo')).name, 'demo');
    assert.match(await fails(auth, 'volume', 'service', 'list'), /HTTP 403/);
    assert.match(await fails({ ...auth, OS_PASSWORD: 'wrong' }, 'volume', 'list'), /HTTP 401/);
    assert.match(await fails({ ...auth, OS_PROJECT_NAME: 'another' }, 'volume', 'list'), /HTTP 401/);
    await ok(byToken, 'token', 'revoke', token.id);
    assert.match(await fails(byToken, 'volume', 'list'), /HTTP 401/);
  });

  it('cinder finds its way, too, and the version when it is not told', async (t) => {
    const { auth, url } = await start(t);
    const { ok, fails } = await withClient(t, 'cinder', 'cinderclient.shell');
    await ok({ ...auth, OS_AUTH_URL: url.replace(/\/v3$/, '') }, 'create', '--name', 'first', '1');
    assert.match(await ok(auth, 'list'), /first/);
    assert.match(await ok(auth, 'absolute-limits'), /maxTotalVolumes/);
    assert.match(await fails(auth, 'service-list'), /Policy doesn't allow/);
  });

  it('openstacksdk does', async (t) => {
    const { url } = await start(t);
    await promisify(execFile)(PYTHON, ['-c', SDK, url], { timeout: 60_000 });
  });
});
