/**
 * `openstack` from Debian (python3-openstackclient) against a real service, without Keystone.
 *
 * `OS_AUTH_TYPE=none` with `OS_ENDPOINT=http://HOST:PORT/v3` is all it needs: its token is then `notused`, so that is the
 * user and the project. `OS_AUTH_TYPE=admin_token` with `OS_TOKEN=user:project` says who asks. What asks Keystone by itself
 * is out of reach without one: `quota …`, `--project`, `versions show`. So is `--image` without a Glance, since the client
 * looks the image up before it names it; `cinder create --image-id` does not.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { imageServer } from '../clients/image-server.ts';
import { type LiveService, liveService } from './live-service.ts';
import { type Env, highestVersion, missing, PythonClient } from './python-client.ts';

const skip = missing(['openstackclient', 'cinderclient'], ['python3-openstackclient', 'python3-cinderclient']);

describe('openstack, the command line', { skip }, () => {
  let client: PythonClient;
  before(() => {
    client = new PythonClient('openstack', 'openstackclient.shell');
  });
  after(() => client.close());

  /** Without a version the client asks for 3.0. */
  const versions: readonly Env[] = [{}, skip ? {} : { OS_VOLUME_API_VERSION: highestVersion() }];
  const newest = versions[1] as Env;
  /** From 3.66 on the client refuses its own `force: false`. */
  const forced = (env: Env): readonly string[] => (env.OS_VOLUME_API_VERSION ? ['--force'] : []);
  const called = (env: Env): string => env.OS_VOLUME_API_VERSION ?? '3.0';

  async function start(context: TestContext, env: Env = {}, set: readonly string[] = []) {
    const service = await liveService(context, set);
    return { service, ...openstack(service, env) };
  }

  function openstack({ endpoint }: LiveService, env: Env = {}) {
    const run = (argv: readonly string[]) => client.run({ OS_AUTH_TYPE: 'none', OS_ENDPOINT: endpoint, ...env }, argv);
    return {
      /** What it prints; it must end well. */
      ok: async (...argv: readonly string[]): Promise<string> => {
        const { code, out, err } = await run(argv);
        assert.equal(code, 0, `openstack ${argv.join(' ')}: ${err}`);
        return out;
      },
      // biome-ignore lint/suspicious/noExplicitAny: each command prints another shape
      json: async (...argv: readonly string[]): Promise<any> => {
        const { code, out, err } = await run([...argv, '-f', 'json']);
        assert.equal(code, 0, `openstack ${argv.join(' ')}: ${err}`);
        return JSON.parse(out);
      },
      /** What it complains of; it must not end well. */
      fails: async (...argv: readonly string[]): Promise<string> => {
        const { code, out, err } = await run(argv);
        assert.notEqual(code, 0, `openstack ${argv.join(' ')}: ${out}`);
        return err;
      },
    };
  }

  it('makes and lists a volume when it is told no more than the README tells it', async (t) => {
    const { endpoint, volume } = await liveService(t);
    const env = { ...process.env, OS_AUTH_TYPE: 'none', OS_ENDPOINT: `${endpoint}/` };
    const openstackItself = async (...argv: readonly string[]) =>
      JSON.parse((await promisify(execFile)('openstack', [...argv, '-f', 'json'], { env })).stdout);
    const { id } = await openstackItself('volume', 'create', '--size', '1', 'first');
    await volume(id);
    const [found] = await openstackItself('volume', 'list');
    assert.partialDeepStrictEqual(found, { ID: id, Name: 'first', Status: 'available', Size: 1 });
  });

  for (const env of versions) {
    it(`makes, shows, changes and deletes a volume (${called(env)})`, async (t) => {
      const { service, ok, json } = await start(t, env);
      const options = ['--description', 'of mine', '--property', 'k=v', '--property', 'm=n', '--type', '__DEFAULT__'];
      const { id } = await json('volume', 'create', '--size', '1', '--availability-zone', 'nova', ...options, 'first');
      await service.volume(id);
      assert.partialDeepStrictEqual(await json('volume', 'show', 'first'), {
        id,
        status: 'available',
        description: 'of mine',
        properties: { k: 'v', m: 'n' },
        type: '__DEFAULT__',
        'os-vol-tenant-attr:tenant_id': 'notused',
        ...(env.OS_VOLUME_API_VERSION && { consumes_quota: true, group_id: null }),
      });

      await ok('volume', 'set', '--size', '2', 'first');
      assert.equal((await service.volume(id)).size, 2);
      await ok('volume', 'set', '--name', 'second', '--description', 'changed', '--property', 'n=o', 'first');
      await ok('volume', 'set', '--bootable', '--read-only', '--image-property', 'os_distro=debian', 'second');
      assert.partialDeepStrictEqual(await json('volume', 'show', 'second'), {
        id,
        description: 'changed',
        bootable: 'true',
        properties: { k: 'v', m: 'n', n: 'o', readonly: 'True' },
        volume_image_metadata: { os_distro: 'debian' },
      });

      await ok('volume', 'unset', '--property', 'k', '--image-property', 'os_distro', 'second');
      await ok('volume', 'set', '--non-bootable', '--read-write', 'second');
      const unset = await json('volume', 'show', id);
      assert.deepEqual(unset.properties, { m: 'n', n: 'o', readonly: 'False' });
      assert.equal(unset.bootable, 'false');
      assert.ok(!('volume_image_metadata' in unset), 'the last image property takes the rest with it');

      // What nobody has cannot be said to be attached.
      await ok('volume', 'set', '--state', 'error', '--detached', 'second');
      assert.equal((await service.get(`/volumes/${id}`)).volume.status, 'error');
      await ok('volume', 'set', '--state', 'available', '--detached', 'second');
      await ok('volume', 'delete', 'second');
      await service.gone(`/volumes/${id}`);
    });

    it(`makes, shows, changes and deletes a snapshot (${called(env)})`, async (t) => {
      const { service, ok, json } = await start(t, env);
      const volume = await json('volume', 'create', '--size', '1', 'origin');
      await service.volume(volume.id);
      const options = [
        '--volume',
        'origin',
        '--description',
        'of mine',
        '--property',
        'k=v',
        '--property',
        'm=n',
        ...forced(env),
      ];
      const { id } = await json('volume', 'snapshot', 'create', ...options, 'first');
      await service.snapshot(id);
      assert.partialDeepStrictEqual(await json('volume', 'snapshot', 'show', 'first'), {
        id,
        volume_id: volume.id,
        size: 1,
        description: 'of mine',
        properties: { k: 'v', m: 'n' },
        'os-extended-snapshot-attributes:progress': '100%',
        ...(env.OS_VOLUME_API_VERSION && { consumes_quota: true, user_id: 'notused' }),
      });

      await ok(
        'volume',
        'snapshot',
        'set',
        '--name',
        'second',
        '--description',
        'changed',
        '--property',
        'n=o',
        'first',
      );
      await ok('volume', 'snapshot', 'unset', '--property', 'k', 'second');
      await ok('volume', 'snapshot', 'set', '--state', 'error', 'second');
      assert.partialDeepStrictEqual(await json('volume', 'snapshot', 'show', 'second'), {
        id,
        status: 'error',
        description: 'changed',
        properties: { m: 'n', n: 'o' },
      });
      await ok('volume', 'snapshot', 'set', '--state', 'available', '--no-property', 'second');
      assert.deepEqual((await service.snapshot(id)).metadata, {});

      await ok('volume', 'snapshot', 'delete', 'second');
      await service.gone(`/snapshots/${id}`);
    });

    it(`makes, shows, changes and deletes volume types (${called(env)})`, async (t) => {
      const { service, ok, json, fails } = await start(t, env);
      const options = ['--public', '--description', 'of mine', '--property', 'volume_backend_name=large'];
      const { id } = await json('volume', 'type', 'create', ...options, '--property', 'k=v', 'gold');
      await ok('volume', 'type', 'create', '--private', 'hidden');
      assert.match(await fails('volume', 'type', 'create', 'gold'), /HTTP 409/);
      const all = await json('volume', 'type', 'list', '--long');
      assert.deepEqual(all.map((type: Record<string, unknown>) => [type.Name, type['Is Public']]).sort(), [
        ['__DEFAULT__', true],
        ['gold', true],
        ['hidden', false],
      ]);
      assert.deepEqual(await json('volume', 'type', 'list', '--private', '-c', 'Name'), [{ Name: 'hidden' }]);
      assert.deepEqual(await json('volume', 'type', 'list', '--default', '-c', 'Name'), [{ Name: '__DEFAULT__' }]);

      await ok('volume', 'type', 'set', '--name', 'golden', '--description', 'changed', '--property', 'm=n', 'gold');
      await ok('volume', 'type', 'unset', '--property', 'k', 'golden');
      assert.partialDeepStrictEqual(await json('volume', 'type', 'show', 'golden'), {
        id,
        description: 'changed',
        is_public: true,
        properties: { volume_backend_name: 'large', m: 'n' },
      });

      await ok('volume', 'type', 'unset', '--property', 'm', 'golden');
      const volume = await json('volume', 'create', '--size', '1', '--type', 'golden', 'one');
      assert.equal((await service.volume(volume.id))['os-vol-host-attr:host'], 'node@large#large');
      assert.match(await fails('volume', 'type', 'delete', 'golden'), /HTTP 400/, 'a type in use stays');
      await ok('volume', 'delete', 'one');
      await service.gone(`/volumes/${volume.id}`);
      await ok('volume', 'type', 'delete', 'golden', 'hidden');
      assert.deepEqual(await json('volume', 'type', 'list', '-c', 'Name'), [{ Name: '__DEFAULT__' }]);
    });
  }

  it('offers a volume, takes the offer back, and accepts another', async (t) => {
    const { service, ok, json, fails } = await start(t, newest);
    const { id: volume } = await json('volume', 'create', '--size', '1', 'mine');
    await service.volume(volume);
    const request = ['volume', 'transfer', 'request'];
    const { id: first } = await json(...request, 'create', '--name', 'offer', '--no-snapshots', 'mine');
    assert.deepEqual(await json(...request, 'list'), [{ ID: first, Name: 'offer', Volume: volume }]);
    assert.partialDeepStrictEqual(await json(...request, 'show', 'offer'), { id: first, volume_id: volume });
    await ok(...request, 'delete', 'offer');
    const { id, auth_key } = await json(...request, 'create', 'mine');
    assert.match(await fails(...request, 'accept', '--auth-key', '0123456789abcdef', id), /HTTP 400/);
    assert.partialDeepStrictEqual(await json(...request, 'accept', '--auth-key', auth_key, id), { volume_id: volume });
    assert.equal((await service.volume(volume)).status, 'available');
  });

  it('migrates a volume, and retypes it by migration', async (t) => {
    const { service, ok, json, fails } = await start(t);
    await ok('volume', 'type', 'create', '--property', 'volume_backend_name=large', 'large');
    const { id } = await json('volume', 'create', '--size', '1', 'mine');
    const { 'os-vol-host-attr:host': from } = await service.volume(id);
    const [here, there] = from === 'node@fast#fast' ? ['fast', 'large'] : ['large', 'fast'];
    assert.match(await fails('volume', 'migrate', '--host', from, 'mine'), /HTTP 400/);
    for (const to of [there, here, 'fast']) {
      const host = `node@${to}#${to}`;
      if ((await service.volume(id))['os-vol-host-attr:host'] === host) continue;
      // It is available all the time that it moves, unless it is locked.
      await ok('volume', 'migrate', '--host', host, '--lock-volume', 'mine');
      const moved = { 'os-vol-host-attr:host': host, migration_status: 'success' };
      assert.partialDeepStrictEqual(await service.volume(id), moved);
    }
    await ok('volume', 'set', '--type', 'large', '--retype-policy', 'on-demand', 'mine');
    const retyped = { volume_type: 'large', 'os-vol-host-attr:host': 'node@large#large' };
    assert.partialDeepStrictEqual(await service.volume(id), retyped);
    await ok('volume', 'delete', 'mine');
    await service.gone(`/volumes/${id}`);
  });

  it('makes volumes of a snapshot and of a volume, which outlive both', async (t) => {
    const { service, ok, json } = await start(t, newest);
    const origin = await json('volume', 'create', '--size', '1', 'origin');
    await service.volume(origin.id);
    const snapshot = await json('volume', 'snapshot', 'create', '--force', 'origin');
    await service.snapshot(snapshot.id);
    const restored = await json('volume', 'create', '--snapshot', 'origin', 'restored');
    const clone = await json('volume', 'create', '--source', 'origin', '--size', '2', 'clone');
    assert.equal((await service.volume(restored.id)).snapshot_id, snapshot.id);
    assert.partialDeepStrictEqual(await service.volume(clone.id), { size: 2, source_volid: origin.id });
    await ok('volume', 'snapshot', 'delete', '--force', 'origin');
    await service.gone(`/snapshots/${snapshot.id}`);
    await ok('volume', 'delete', 'origin');
    await service.gone(`/volumes/${origin.id}`);
    await service.volume(restored.id);
    await service.volume(clone.id);
  });

  it('makes a volume of an image that it finds by name in Glance', async (t) => {
    const glance = await imageServer(t, 512 * 1024);
    Object.assign(glance.metadata, { disk_format: 'raw' });
    const service = await liveService(t, ['images.store=glance', `images.glance_url=${glance.url}`]);
    const clouds = join(service.backend('fast'), '..', 'clouds.yaml');
    const cloud = {
      auth_type: 'none',
      auth: { endpoint: service.endpoint },
      image_endpoint_override: glance.url,
    };
    await writeFile(clouds, JSON.stringify({ clouds: { here: cloud } }));
    const env = { OS_AUTH_TYPE: '', OS_ENDPOINT: '', OS_CLIENT_CONFIG_FILE: clouds, OS_CLOUD: 'here' };
    const { json } = openstack(service, env);
    const { id } = await json('volume', 'create', '--size', '1', '--image', glance.id, 'booting');
    const volume = await service.volume(id);
    assert.equal(volume.bootable, 'true');
    assert.partialDeepStrictEqual(volume.volume_image_metadata, { image_id: glance.id, os_distro: 'cirros' });
  });

  it('lists by page, name, status, volume and project', async (t) => {
    // A list without a limit follows the links from page to page.
    const { service, json } = await start(t, newest, ['api.osapi_max_limit=2']);
    const other = openstack(service, { OS_AUTH_TYPE: 'admin_token', OS_TOKEN: 'somebody:elsewhere' });
    const ids: Record<string, string> = {};
    for (const name of ['a', 'b', 'c']) {
      const { id } = await json('volume', 'create', '--size', '1', name);
      await service.volume(id);
      const snapshot = await json('volume', 'snapshot', 'create', '--force', '--volume', name, `${name}-snapshot`);
      await service.snapshot(snapshot.id);
      Object.assign(ids, { [name]: id, [`${name}-snapshot`]: snapshot.id });
    }
    const foreign = await other.json('volume', 'create', '--size', '1', 'd');
    await service.volume(foreign.id);
    assert.partialDeepStrictEqual(foreign, { user_id: 'somebody' });

    const list = async (...options: readonly string[]): Promise<string[]> =>
      (await json('volume', 'list', '--long', ...options)).map(({ Name }: { Name: string }) => Name);
    assert.deepEqual(await list(), ['c', 'b', 'a']);
    assert.deepEqual(await list('--limit', '1'), ['c']);
    assert.deepEqual(await list('--limit', '1', '--marker', ids.c ?? ''), ['b']);
    assert.deepEqual(await list('--name', 'b', '--status', 'available'), ['b']);
    assert.deepEqual(await list('--status', 'error'), []);
    assert.deepEqual(await list('--all-projects'), ['d', 'c', 'b', 'a']);

    const snapshots = async (...options: readonly string[]): Promise<string[]> =>
      (await json('volume', 'snapshot', 'list', ...options)).map(({ Name }: { Name: string }) => Name[0]);
    assert.deepEqual(await snapshots(), ['c', 'b', 'a']);
    assert.deepEqual(await snapshots('--limit', '1', '--marker', ids['b-snapshot'] ?? ''), ['a']);
    assert.deepEqual(await snapshots('--volume', 'b'), ['b']);
    assert.deepEqual(await snapshots('--name', 'a-snapshot', '--status', 'available', '--all-projects'), ['a']);
  });

  it('reads and sets services, and lists zones, extensions, limits and filters', async (t) => {
    const { ok, json, fails } = await start(t, newest);
    const services = ['volume', 'service', 'list', '--long'];
    assert.deepEqual(
      (await json(...services)).map((each: Record<string, string>) => [
        each.Binary,
        each.Host,
        each.Status,
        each.State,
      ]),
      [
        ['cinder-scheduler', 'node', 'enabled', 'up'],
        ['cinder-volume', 'node@fast', 'enabled', 'up'],
        ['cinder-volume', 'node@large', 'enabled', 'up'],
      ],
    );
    await ok('volume', 'service', 'set', '--disable', '--disable-reason', 'repair', 'node@fast', 'cinder-volume');
    const [disabled] = await json(...services, '--host', 'node@fast', '--service', 'cinder-volume');
    assert.partialDeepStrictEqual(disabled, { Status: 'disabled', 'Disabled Reason': 'repair' });
    await ok('volume', 'service', 'set', '--enable', 'node@fast', 'cinder-volume');
    assert.match(await fails('volume', 'service', 'set', '--enable', 'nowhere', 'cinder-volume'), /HTTP 404/);

    assert.deepEqual(await json('availability', 'zone', 'list', '--volume'), [
      { 'Zone Name': 'nova', 'Zone Status': 'available' },
    ]);
    const extensions = (await json('extension', 'list', '--volume')).map(({ Alias }: { Alias: string }) => Alias);
    assert.ok(extensions.includes('os-volume-manage'));
    // The same endpoint is asked for Nova's limits too, so each is there twice.
    const limits = await json('limits', 'show', '--absolute');
    assert.equal(limits.find(({ Name }: { Name: string }) => Name === 'maxTotalVolumes').Value, 10);
    const filters = await json('block', 'storage', 'resource', 'filter', 'list');
    const ofVolumes = filters.find(({ Resource }: { Resource: string }) => Resource === 'volume').Filters;
    assert.ok(ofVolumes.includes('status'));
  });

  it('shows and deletes the message of a failed create', async (t) => {
    const { service, ok, json } = await start(t, newest);
    await ok('volume', 'type', 'create', '--property', 'volume_backend_name=nowhere', 'homeless');
    const { id } = await json('volume', 'create', '--size', '1', '--type', 'homeless', 'lost');
    await service.volume(id, 'error');
    const [message, ...more] = await json('volume', 'message', 'list');
    assert.partialDeepStrictEqual(message, { 'Resource Type': 'VOLUME', 'Resource UUID': id });
    assert.equal(more.length, 0);
    assert.equal((await json('volume', 'message', 'show', message.ID)).resource_uuid, id);
    await ok('volume', 'message', 'delete', message.ID);
    assert.deepEqual(await json('volume', 'message', 'list'), []);
    await ok('volume', 'delete', 'lost');
    await service.gone(`/volumes/${id}`);
  });

  it('says what was refused, and changes nothing', async (t) => {
    const { service, json, fails } = await start(t, newest, ['quota.quota_volumes=1', 'quota.quota_gigabytes=3']);
    const { id } = await json('volume', 'create', '--size', '1', 'only');
    await service.volume(id);
    const snapshot = await json('volume', 'snapshot', 'create', '--force', 'only');
    await service.snapshot(snapshot.id);
    const there = await service.get(`/volumes/${id}`);

    const create = ['volume', 'create', '--size', '1'];
    assert.match(await fails(...create, 'two'), /HTTP 413/);
    assert.match(await fails('volume', 'set', '--size', '3', 'only'), /HTTP 413/);
    assert.match(await fails('volume', 'create', '--size', '0', 'none'), /HTTP 400/);
    assert.match(await fails(...create, '--availability-zone', 'nowhere', 'none'), /HTTP 400/);
    assert.match(await fails(...create, '--type', 'nosuch', 'none'), /HTTP 404/);
    assert.match(await fails('volume', 'delete', 'only'), /HTTP 400/, 'it has a snapshot');
    for (const gone of [
      ['volume', 'show', 'nosuch'],
      ['volume', 'delete', 'nosuch'],
      ['volume', 'snapshot', 'show', 'nosuch'],
      ['volume', 'type', 'show', 'nosuch'],
      ['volume', 'create', '--snapshot', 'nosuch', 'none'],
      ['volume', 'create', '--source', 'nosuch', 'none'],
    ])
      assert.match(await fails(...gone), /nosuch/);
    assert.deepEqual(await service.get(`/volumes/${id}`), there);
    assert.equal((await json('volume', 'list')).length, 1);
  });

  it('deletes a volume with its snapshots, and one in any state', async (t) => {
    const { service, ok, json } = await start(t, newest);
    const volume = await json('volume', 'create', '--size', '1', 'many');
    await service.volume(volume.id);
    const snapshot = await json('volume', 'snapshot', 'create', '--force', 'many');
    await service.snapshot(snapshot.id);
    await ok('volume', 'delete', '--purge', 'many');
    await service.gone(`/volumes/${volume.id}`);
    await service.gone(`/snapshots/${snapshot.id}`);

    const { id } = await json('volume', 'create', '--size', '1', 'stuck');
    await service.volume(id);
    await ok('volume', 'set', '--state', 'maintenance', 'stuck');
    await ok('volume', 'delete', '--force', 'stuck');
    await service.gone(`/volumes/${id}`);
  });
});
