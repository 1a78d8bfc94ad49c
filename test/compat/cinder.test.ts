/**
 * `cinder` from Debian (python3-cinderclient) against a real service, without Keystone.
 *
 * It needs `OS_AUTH_TYPE=noauth`, `CINDER_ENDPOINT=http://HOST:PORT/v3`, `OS_USER_ID` and `OS_PROJECT_ID`; these are what
 * they say. It cannot do with `OS_AUTH_TYPE=none`: two of its own options then have one name. It asks for the highest
 * version that it and the service know, `OS_VOLUME_API_VERSION` for another. Quotas, which `openstack` cannot reach without
 * Keystone, are here.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { DirectoryImages } from '../../src/clients/image-directory.ts';
import { exec } from '../../src/lib/exec.ts';
import { type LiveService, liveService } from './live-service.ts';
import { type Env, highestVersion, missing, PythonClient } from './python-client.ts';

const skip = missing(['cinderclient'], ['python3-cinderclient']);

type Row = Readonly<Record<string, string>>;

describe('cinder, the command line', { skip }, () => {
  let client: PythonClient;
  before(() => {
    client = new PythonClient('cinder', 'cinderclient.shell');
  });
  after(() => client.close());

  const authentication = ({ endpoint }: LiveService): Env => ({
    OS_AUTH_TYPE: 'noauth',
    CINDER_ENDPOINT: endpoint,
    OS_USER_ID: 'me',
    OS_PROJECT_ID: 'demo',
  });

  async function start(context: TestContext, env: Env = {}, set: readonly string[] = []) {
    const service = await liveService(context, set);
    return { service, ...cinder(service, env) };
  }

  function cinder(service: LiveService, env: Env = {}) {
    const run = (argv: readonly string[]) => client.run({ ...authentication(service), ...env }, argv);
    const ok = async (...argv: readonly string[]): Promise<string> => {
      const { code, out, err } = await run(argv);
      assert.equal(code, 0, `cinder ${argv.join(' ')}: ${err}`);
      return out;
    };
    return {
      ok,
      /** The rows of the table it prints. */
      rows: async (...argv: readonly string[]): Promise<readonly Row[]> => rowsOf(await ok(...argv)),
      /** The table it prints of one thing, as that thing. */
      shown: async (...argv: readonly string[]): Promise<Row> => propertiesOf(await ok(...argv)),
      fails: async (...argv: readonly string[]): Promise<string> => {
        const { code, out, err } = await run(argv);
        assert.notEqual(code, 0, `cinder ${argv.join(' ')}: ${out}`);
        return `${out}${err}`;
      },
    };
  }

  const names = (rows: readonly Row[]): (string | undefined)[] => rows.map(({ Name }) => Name);

  it('makes and lists a volume when it is told no more than where and who', async (t) => {
    const service = await liveService(t);
    const cinderItself = async (...argv: readonly string[]) =>
      (await promisify(execFile)('cinder', argv, { env: { ...process.env, ...authentication(service) } })).stdout;
    const { id = '' } = propertiesOf(await cinderItself('create', '1', '--name', 'first'));
    await service.volume(id);
    assert.partialDeepStrictEqual(rowsOf(await cinderItself('list')), [{ ID: id, Name: 'first', Status: 'available' }]);
  });

  for (const env of [{ OS_VOLUME_API_VERSION: '3.0' }, {}] satisfies Env[]) {
    const version = env.OS_VOLUME_API_VERSION ?? (skip ? 'the highest' : highestVersion());

    it(`makes, shows, changes and deletes a volume (${version})`, async (t) => {
      const { service, ok, rows, shown } = await start(t, env);
      const options = ['--description', 'of mine', '--volume-type', '__DEFAULT__', '--availability-zone', 'nova'];
      const { id = '' } = await shown('create', '1', '--name', 'first', ...options, '--metadata', 'k=v', 'm=n');
      await service.volume(id);
      assert.partialDeepStrictEqual(await shown('show', 'first'), {
        id,
        description: 'of mine',
        user_id: 'me',
        'os-vol-tenant-attr:tenant_id': 'demo',
        metadata: 'k : v\nm : n',
      });

      await ok('rename', 'first', 'second', '--description', 'changed');
      await ok('metadata', 'second', 'set', 'n=o');
      await ok('metadata', 'second', 'unset', 'k');
      assert.deepEqual(propertiesOf(await ok('metadata-show', 'second')), { m: 'n', n: 'o' });
      await ok('metadata-update-all', 'second', 'only=this');
      await ok('image-metadata', 'second', 'set', 'os_distro=debian');
      assert.deepEqual(propertiesOf(await ok('image-metadata-show', 'second')), { os_distro: 'debian' });
      await ok('set-bootable', 'second', 'true');
      await ok('readonly-mode-update', 'second', 'true');
      assert.partialDeepStrictEqual(await service.volume(id), {
        name: 'second',
        description: 'changed',
        bootable: 'true',
        metadata: { only: 'this', readonly: 'True' },
        volume_image_metadata: { os_distro: 'debian' },
      });
      await ok('extend', 'second', '2');
      assert.equal((await service.volume(id)).size, 2);

      await ok('reset-state', '--state', 'error', 'second');
      assert.deepEqual(names(await rows('list', '--status', 'error')), ['second']);
      await ok('reset-state', '--attach-status', 'detached', '--reset-migration-status', 'second');
      await ok('reset-state', '--state', 'available', 'second');
      await ok('delete', 'second');
      await service.gone(`/volumes/${id}`);
    });

    it(`makes, shows, changes and deletes a snapshot (${version})`, async (t) => {
      const { service, ok, rows, shown } = await start(t, env);
      const volume = await shown('create', '1', '--name', 'origin');
      await service.volume(volume.id ?? '');
      const options = ['--description', 'of mine', '--metadata', 'k=v', 'm=n'];
      const { id = '' } = await shown('snapshot-create', 'origin', '--name', 'first', ...options);
      await service.snapshot(id);
      assert.partialDeepStrictEqual(await shown('snapshot-show', 'first'), {
        id,
        volume_id: volume.id,
        description: 'of mine',
        'os-extended-snapshot-attributes:progress': '100%',
      });
      await ok('snapshot-rename', 'first', 'second', '--description', 'changed');
      await ok('snapshot-metadata', 'second', 'set', 'n=o');
      await ok('snapshot-metadata', 'second', 'unset', 'k');
      assert.deepEqual(propertiesOf(await ok('snapshot-metadata-show', 'second')), { m: 'n', n: 'o' });
      await ok('snapshot-metadata-update-all', 'second', 'only=this');
      assert.partialDeepStrictEqual(await service.snapshot(id), {
        name: 'second',
        description: 'changed',
        metadata: { only: 'this' },
      });
      await ok('snapshot-reset-state', '--state', 'error', 'second');
      assert.deepEqual(names(await rows('snapshot-list', '--status', 'error')), ['second']);
      await ok('snapshot-delete', '--force', 'second');
      await service.gone(`/snapshots/${id}`);
    });

    it(`makes, shows, changes and deletes volume types (${version})`, async (t) => {
      const { service, ok, rows, shown, fails } = await start(t, env);
      const [{ ID: gold = '' } = {}] = await rows('type-create', 'gold', '--description', 'of mine');
      const [{ ID: hidden = '' } = {}] = await rows('type-create', 'hidden', '--is-public', 'false');
      await ok('type-key', 'gold', 'set', 'volume_backend_name=large', 'k=v');
      await ok('type-key', 'gold', 'unset', 'k');
      const specs = (await rows('extra-specs-list')).find(({ Name }) => Name === 'gold');
      assert.equal(specs?.extra_specs, "{'volume_backend_name': 'large'}");
      await ok('type-update', gold, '--name', 'golden', '--description', 'changed');
      assert.partialDeepStrictEqual(await shown('type-show', 'golden'), { id: gold, description: 'changed' });
      if (env.OS_VOLUME_API_VERSION === undefined) {
        const found = await rows('type-list', '--filters', 'extra_specs={volume_backend_name:large}');
        assert.deepEqual(names(found), ['golden']);
      }
      assert.partialDeepStrictEqual(await rows('type-default'), [{ Name: '__DEFAULT__' }]);
      assert.deepEqual(names(await rows('type-list')).sort(), ['__DEFAULT__', 'golden', 'hidden']);

      await ok('type-access-add', '--volume-type', 'hidden', '--project-id', 'somewhere');
      assert.match(await fails('type-access-add', '--volume-type', 'hidden', '--project-id', 'somewhere'), /HTTP 409/);
      assert.deepEqual(await rows('type-access-list', '--volume-type', 'hidden'), [
        { Volume_type_ID: hidden, Project_ID: 'somewhere' },
      ]);
      await ok('type-access-remove', '--volume-type', 'hidden', '--project-id', 'somewhere');

      const volume = await shown('create', '1', '--name', 'one', '--volume-type', 'golden');
      assert.equal((await service.volume(volume.id ?? ''))['os-vol-host-attr:host'], 'node@large#large');
      assert.match(await fails('type-delete', 'golden'), /HTTP 400/, 'a type in use stays');
      await ok('force-delete', 'one');
      await service.gone(`/volumes/${volume.id}`);
      await ok('type-delete', 'golden', 'hidden');
      assert.deepEqual(names(await rows('type-list')), ['__DEFAULT__']);
    });

    it(`gives a volume to another project, and takes an offer back (${version})`, async (t) => {
      const { service, ok, rows, shown, fails } = await start(t, env);
      const theirs = cinder(service, { ...env, OS_PROJECT_ID: 'another' });
      const { id: volume = '' } = await shown('create', '1', '--name', 'mine');
      await service.volume(volume);
      const { id: first = '' } = await shown('transfer-create', 'mine', '--name', 'offer');
      assert.partialDeepStrictEqual(await rows('transfer-list'), [{ ID: first, 'Volume ID': volume, Name: 'offer' }]);
      await ok('transfer-delete', 'offer');
      const { id = '', auth_key = '' } = await shown('transfer-create', 'mine');
      assert.match(await theirs.fails('transfer-accept', id, '0123456789abcdef'), /HTTP 400/);
      assert.partialDeepStrictEqual(propertiesOf(await theirs.ok('transfer-accept', id, auth_key)), {
        volume_id: volume,
      });
      assert.match(await fails('transfer-show', id), /No .*transfer/i);
      assert.deepEqual(names(await theirs.rows('list')), ['mine']);
    });

    it(`takes over files of a backend and gives them back (${version})`, async (t) => {
      const { service, ok, rows, shown, fails } = await start(t, env);
      const { signal } = new AbortController();
      for (const name of ['of-before', 'of-then'])
        await exec(['qemu-img', 'create', '-q', '-f', 'raw', join(service.backend('fast'), name), '1G'], { signal });
      await writeFile(join(service.backend('fast'), 'torn'), 'no whole sectors');

      const options = ['--name', 'mine', '--description', 'taken over', '--metadata', 'k=v'];
      const { id = '' } = await shown('manage', 'node@fast#fast', 'of-before', '--bootable', ...options);
      assert.partialDeepStrictEqual(await service.volume(id), {
        name: 'mine',
        description: 'taken over',
        size: 1,
        bootable: 'true',
        metadata: { k: 'v' },
      });
      const snapshot = await shown('snapshot-manage', 'mine', 'of-then', '--name', 'then');
      assert.equal((await service.snapshot(snapshot.id ?? '')).volume_id, id);
      const torn = await shown('manage', 'node@fast#fast', 'torn', '--name', 'torn');
      await service.volume(torn.id ?? '', 'error');
      assert.match(await fails('manage', 'nowhere@fast#fast', 'of-before'), /HTTP 404|HTTP 400/);
      assert.match(await fails('unmanage', 'mine'), /HTTP 400/, 'it has a snapshot');

      if (env.OS_VOLUME_API_VERSION === undefined) {
        const listed = await rows('manageable-list', 'node@fast#fast');
        const mine = listed.find(({ reference }) => reference?.includes(`volume-${id}`));
        assert.partialDeepStrictEqual(mine, { size: '1', safe_to_manage: 'False', cinder_id: id });
        assert.equal((await rows('manageable-list', 'node@fast#fast', '--limit', '1')).length, 1);
        const snapshots = await rows('snapshot-manageable-list', 'node@fast#fast');
        assert.ok(snapshots.some(({ cinder_id }) => cinder_id === snapshot.id));
      }

      await ok('snapshot-unmanage', 'then');
      await service.gone(`/snapshots/${snapshot.id}`);
      await ok('unmanage', 'mine');
      await service.gone(`/volumes/${id}`);
      const files = await readdir(service.backend('fast'));
      assert.ok(files.includes('of-before') && files.includes('of-then'), 'under the names they came with');
      const again = await shown('manage', 'node@fast#fast', 'of-before', '--name', 'again');
      await service.volume(again.id ?? '');
    });
  }

  it('waits for a volume, and makes others of it, of its snapshot and of an image', async (t) => {
    const { service, ok, shown, fails } = await start(t);
    const image = join(service.backend('fast'), '..', 'image.qcow2');
    const { signal } = new AbortController();
    await exec(['qemu-img', 'create', '-q', '-f', 'qcow2', image, '16M'], { signal });
    const store = new DirectoryImages({ directory: service.images });
    const { id: imageId } = await store.add({ name: 'tiny', diskFormat: 'qcow2' }, image, signal);

    const origin = await shown('create', '1', '--name', 'origin', '--poll');
    assert.equal(origin.status, 'available');
    const snapshot = await shown('snapshot-create', 'origin', '--name', 'then');
    await service.snapshot(snapshot.id ?? '');
    const restored = await shown('create', '--snapshot-id', snapshot.id ?? '', '--name', 'restored');
    const clone = await shown('create', '2', '--source-volid', origin.id ?? '', '--name', 'clone');
    const booting = await shown('create', '1', '--image-id', imageId, '--name', 'booting');
    assert.partialDeepStrictEqual(await service.volume(restored.id ?? ''), { size: 1, snapshot_id: snapshot.id });
    assert.partialDeepStrictEqual(await service.volume(clone.id ?? ''), { size: 2, source_volid: origin.id });
    assert.partialDeepStrictEqual(await service.volume(booting.id ?? ''), {
      bootable: 'true',
      volume_image_metadata: { image_id: imageId, disk_format: 'qcow2' },
    });
    assert.match(await fails('create', '1', '--image-id', '9bd0b2e5-7e4c-4d8c-b3f9-0a1f6a7f4a52'), /HTTP 40[04]/);

    const apart = await shown('create', '1', '--name', 'apart', '--hint', `different_host=${origin.id}`);
    const together = await shown('create', '1', '--name', 'together', '--hint', `same_host=${origin.id}`);
    const host = (await service.volume(origin.id ?? ''))['os-vol-host-attr:host'];
    assert.notEqual((await service.volume(apart.id ?? ''))['os-vol-host-attr:host'], host);
    assert.equal((await service.volume(together.id ?? ''))['os-vol-host-attr:host'], host);

    await ok('delete', '--cascade', 'origin');
    await service.gone(`/volumes/${origin.id}`);
    await service.gone(`/snapshots/${snapshot.id}`);
  });

  it('lists by page, filter, order and project, and counts', async (t) => {
    // A list without a limit follows the links from page to page.
    const { service, ok, rows, shown } = await start(t, {}, ['api.osapi_max_limit=2']);
    const other = cinder(service, { OS_USER_ID: 'somebody', OS_PROJECT_ID: 'elsewhere' });
    const ids: string[] = [];
    for (const name of ['a1', 'b1', 'b2']) {
      const { id = '' } = await shown('create', '1', '--name', name, '--metadata', `letter=${name[0]}`);
      await service.volume(id);
      ids.push(id);
      const snapshot = await shown('snapshot-create', name, '--name', `of-${name}`, '--metadata', `letter=${name[0]}`);
      await service.snapshot(snapshot.id ?? '');
    }
    const foreign = await other.shown('create', '1', '--name', 'c1');
    await service.volume(foreign.id ?? '');

    const list = async (...options: readonly string[]) => names(await rows('list', ...options));
    assert.deepEqual((await list()).sort(), ['a1', 'b1', 'b2']);
    assert.deepEqual(await list('--sort', 'name:desc'), ['b2', 'b1', 'a1']);
    assert.deepEqual(await list('--limit', '1', '--marker', ids[2] ?? ''), ['b1']);
    assert.deepEqual(await list('--name', 'b1', '--status', 'available'), ['b1']);
    assert.deepEqual(await list('--filters', 'name~=b', '--sort', 'name:asc'), ['b1', 'b2']);
    assert.deepEqual(await list('--filters', 'metadata={letter:a}'), ['a1']);
    assert.deepEqual(await list('--metadata', 'letter=a'), ['a1']);
    assert.deepEqual((await list('--filters', 'created_at=gt:2020-01-01T00:00:00')).length, 3);
    assert.deepEqual(await list('--filters', 'created_at=lt:2020-01-01T00:00:00'), []);
    assert.deepEqual((await list('--all-tenants', '--sort', 'name:asc')).at(-1), 'c1');
    assert.deepEqual(await list('--tenant', 'elsewhere'), ['c1']);
    assert.match(await ok('list', '--limit', '1', '--with-count'), /\b3\b/);
    assert.partialDeepStrictEqual(await shown('summary', '--all-tenants'), { total_count: '4', total_size: '4' });

    const snapshots = async (...options: readonly string[]) => names(await rows('snapshot-list', ...options));
    assert.deepEqual(await snapshots('--sort', 'name:asc', '--limit', '2'), ['of-a1', 'of-b1']);
    assert.deepEqual(await snapshots('--filters', 'metadata={letter:a}'), ['of-a1']);
    assert.deepEqual(await snapshots('--volume-id', ids[1] ?? '', '--all-tenants'), ['of-b1']);
  });

  it('shows and sets quotas, and says what is used of them', async (t) => {
    const { service, ok, rows, shown, fails } = await start(t);
    await ok('type-create', 'gold');
    await ok('quota-update', 'demo', '--volumes', '2', '--gigabytes', '3', '--per-volume-gigabytes', '2');
    await ok('quota-update', 'demo', '--volume-type', 'gold', '--volumes', '0');
    const volume = await shown('create', '2', '--name', 'one');
    await service.volume(volume.id ?? '');
    assert.partialDeepStrictEqual(await shown('quota-show', 'demo'), {
      volumes: '2',
      gigabytes: '3',
      per_volume_gigabytes: '2',
      volumes_gold: '0',
    });
    const usage = (await rows('quota-usage', 'demo')).find(({ Type }) => Type === 'gigabytes');
    assert.partialDeepStrictEqual(usage, { In_use: '2', Reserved: '0', Limit: '3' });
    const limits = Object.fromEntries((await rows('absolute-limits')).map(({ Name, Value }) => [Name, Value]));
    assert.partialDeepStrictEqual(limits, { maxTotalVolumes: '2', totalVolumesUsed: '1', totalGigabytesUsed: '2' });
    assert.equal((await rows('absolute-limits', 'elsewhere')).length, 10);
    assert.deepEqual(await rows('rate-limits'), []);

    for (const refused of [
      ['create', '2'],
      ['create', '3'],
      ['create', '1', '--volume-type', 'gold'],
      ['extend', 'one', '4'],
      ['snapshot-create', 'one'],
    ])
      assert.match(await fails(...refused), /HTTP 413/, refused.join(' '));
    assert.equal((await rows('list')).length, 1);

    assert.equal((await shown('quota-defaults', 'demo')).volumes, '10');
    await ok('quota-delete', 'demo');
    assert.equal((await shown('quota-show', 'demo')).volumes, '10');
    await ok('quota-class-update', 'default', '--volumes', '12');
    assert.equal((await shown('quota-class-show', 'default')).volumes, '12');
    assert.equal((await shown('quota-show', 'demo')).volumes, '12');
  });

  it('reads and sets services, and lists zones, pools, extensions, filters and versions', async (t) => {
    const { ok, rows, fails } = await start(t);
    const services = await rows('service-list', '--withreplication');
    assert.deepEqual(
      services.map(({ Binary, Host, Status, State }) => [Binary, Host, Status, State]),
      [
        ['cinder-scheduler', 'node', 'enabled', 'up'],
        ['cinder-volume', 'node@fast', 'enabled', 'up'],
        ['cinder-volume', 'node@large', 'enabled', 'up'],
      ],
    );
    await ok('service-disable', 'node@fast', 'cinder-volume', '--reason', 'repair');
    assert.partialDeepStrictEqual(await rows('service-list', '--host', 'node@fast', '--binary', 'cinder-volume'), [
      { Status: 'disabled', 'Disabled Reason': 'repair' },
    ]);
    await ok('service-enable', 'node@fast', 'cinder-volume');
    assert.match(await fails('service-enable', 'nowhere', 'cinder-volume'), /HTTP 404/);

    assert.deepEqual(await rows('availability-zone-list'), [{ Name: 'nova', Status: 'available' }]);
    const pools = await ok('get-pools', '--detail');
    for (const word of ['node@fast#fast', 'node@large#large', 'total_capacity_gb', 'max_over_subscription_ratio'])
      assert.ok(pools.includes(word), word);
    assert.equal(propertiesOf(await ok('get-pools', '--filters', 'name=node@fast#fast')).name, 'node@fast#fast');
    await ok('type-create', 'gold');
    await ok('type-key', 'gold', 'set', 'volume_backend_name=large');
    assert.equal(propertiesOf(await ok('get-pools', '--filters', 'volume_type=gold')).name, 'node@large#large');

    assert.ok((await rows('list-extensions')).some(({ Alias }) => Alias === 'os-volume-manage'));
    const [filters] = await rows('list-filters', '--resource', 'volume');
    assert.match(filters?.Filters ?? '', /\bstatus\b/);
    assert.partialDeepStrictEqual((await rows('version-list')).at(-1), { 'Min Version': '3.0', Version: '3.71' });
  });

  it('shows and deletes the message of a failed create', async (t) => {
    const { service, ok, rows, shown } = await start(t);
    await ok('type-create', 'homeless');
    await ok('type-key', 'homeless', 'set', 'volume_backend_name=nowhere');
    const { id = '' } = await shown('create', '1', '--volume-type', 'homeless', '--name', 'lost');
    await service.volume(id, 'error');
    const [message, ...more] = await rows('message-list', '--filters', `resource_uuid=${id}`);
    assert.partialDeepStrictEqual(message, { 'Resource Type': 'VOLUME', 'Resource UUID': id });
    assert.equal(more.length, 0);
    assert.equal((await shown('message-show', message?.ID ?? '')).resource_uuid, id);
    await ok('message-delete', message?.ID ?? '');
    assert.deepEqual(await rows('message-list'), []);
  });

  it('gives types QoS specs, an encryption and a project, and defines types of groups', async (t) => {
    const { service, ok, rows, shown, fails } = await start(t);
    await ok('type-create', 'gold');
    const [{ ID: gold = '' } = {}] = (await rows('type-list')).filter(({ Name }) => Name === 'gold');

    const qos = await shown('qos-create', 'slow', 'consumer=both', 'total_iops_sec=100');
    const id = qos.id ?? '';
    await ok('qos-key', id, 'set', 'read_bytes_sec=5');
    await ok('qos-key', id, 'unset', 'total_iops_sec');
    assert.match((await shown('qos-show', 'slow')).specs ?? '', /read_bytes_sec/);
    await ok('qos-associate', id, gold);
    assert.deepEqual(names(await rows('qos-get-association', id)), ['gold']);
    assert.match(await fails('qos-delete', id), /HTTP 400/);
    await ok('qos-disassociate-all', id);
    await ok('qos-delete', id);
    assert.deepEqual(await rows('qos-list'), []);

    const luks = ['--cipher', 'aes-xts-plain64', '--key-size', '256', '--control-location', 'front-end'];
    await ok('encryption-type-create', ...luks, 'gold', 'luks');
    await ok('encryption-type-update', '--key-size', '512', 'gold');
    const [encryption] = await rows('encryption-type-show', 'gold');
    assert.deepEqual([encryption?.Provider, encryption?.['Key Size']], ['luks', '512']);
    assert.match(await fails('create', '1', '--volume-type', 'gold'), /HTTP 400/);
    await ok('encryption-type-delete', 'gold');

    await ok('default-type-set', 'gold', 'demo');
    assert.equal((await rows('default-type-list')).length, 1);
    const { id: volume = '' } = await shown('create', '1', '--name', 'golden');
    assert.equal((await service.volume(volume)).volume_type, 'gold');
    await ok('default-type-unset', 'demo');

    await ok('group-type-create', 'together');
    await ok('group-type-key', 'together', 'set', 'consistent_group_snapshot_enabled=<is> True');
    assert.match((await shown('group-type-show', 'together')).group_specs ?? '', /<is> True/);
    // The client sorts them by their ids.
    assert.deepEqual(names(await rows('group-type-list')).sort(), ['default_cgsnapshot_type', 'together']);
    await ok('group-type-delete', 'together');
  });

  it('looks after hosts and services', async (t) => {
    const { ok, rows, fails } = await start(t);
    const capabilities = rowsOf(await ok('get-capabilities', 'node@fast')).flatMap(Object.values);
    assert.ok(capabilities.includes('storage_protocol'), capabilities.join());
    await ok('freeze-host', 'node@fast');
    const frozen = async () =>
      (await rows('service-list', '--host', 'node@fast', '--withreplication')).map(({ Status, Frozen }) => [
        Status,
        Frozen,
      ]);
    assert.deepEqual(await frozen(), [['disabled', 'True']]);
    await ok('thaw-host', 'node@fast');
    assert.deepEqual(await frozen(), [['enabled', 'False']]);
    assert.match(await fails('failover-host', 'node@fast'), /HTTP 400/);
    assert.deepEqual(await rows('cluster-list'), []);
    const cleaning = await ok('work-cleanup');
    assert.match(cleaning, /node@fast/);
    await ok('service-set-log', '--binary', 'cinder-volume', 'ERROR');
    const [level] = await rows('service-get-log', '--binary', 'cinder-scheduler');
    assert.equal(level?.Level, 'ERROR');
  });

  it('retypes a volume, by migration where its new type wants that, and migrates it', async (t) => {
    const { service, ok, shown } = await start(t);
    for (const backend of ['fast', 'large']) {
      await ok('type-create', backend);
      await ok('type-key', backend, 'set', `volume_backend_name=${backend}`);
    }
    const { id = '' } = await shown('create', '1', '--volume-type', 'fast', '--name', 'first');
    await service.volume(id);
    await ok('retype', 'first', 'large', '--migration-policy', 'never');
    assert.equal((await service.volume(id)).volume_type, 'fast');
    await ok('retype', 'first', 'large', '--migration-policy', 'on-demand');
    const large = { volume_type: 'large', 'os-vol-host-attr:host': 'node@large#large', migration_status: 'success' };
    assert.partialDeepStrictEqual(await service.volume(id), large);
    await ok('retype', 'first', '__DEFAULT__');
    await service.volume(id);
    // It says so, and ends well all the same.
    assert.match(await ok('migrate', 'first', 'node@large#large'), /HTTP 400/);
    await ok('migrate', 'first', 'node@fast#fast', '--force-host-copy', 'True', '--lock-volume', 'True');
    const fast = { volume_type: '__DEFAULT__', 'os-vol-host-attr:host': 'node@fast#fast', migration_status: 'success' };
    assert.partialDeepStrictEqual(await service.volume(id), fast);
    assert.deepEqual(propertiesOf(await ok('show', 'first')).migration_status, 'success');
  });

  it('says what was refused, and changes nothing', async (t) => {
    const { service, rows, shown, fails } = await start(t);
    const { id = '' } = await shown('create', '2', '--name', 'only');
    await service.volume(id);
    const snapshot = await shown('snapshot-create', 'only');
    await service.snapshot(snapshot.id ?? '');
    const there = await service.get(`/volumes/${id}`);
    const nobody = '9bd0b2e5-7e4c-4d8c-b3f9-0a1f6a7f4a52';
    for (const [status, ...argv] of [
      ['HTTP 404', 'create', '1', '--snapshot-id', nobody],
      ['HTTP 404', 'create', '1', '--source-volid', nobody],
      ['HTTP 404', 'create', '1', '--volume-type', 'nosuch'],
      ['HTTP 400', 'create', '1', '--snapshot-id', snapshot.id ?? ''],
      ['HTTP 400', 'create', '1', '--availability-zone', 'nowhere'],
      ['HTTP 400', 'create', '0'],
      ['HTTP 400', 'extend', 'only', '2'],
      ['HTTP 400', 'delete', 'only'],
      ['HTTP 400', 'unmanage', 'only'],
      ['nosuch', 'show', 'nosuch'],
      ['nosuch', 'delete', 'nosuch'],
      ['nosuch', 'snapshot-show', 'nosuch'],
      ['nosuch', 'type-show', 'nosuch'],
    ] as const)
      assert.ok((await fails(...argv)).includes(status), argv.join(' '));
    assert.deepEqual(await service.get(`/volumes/${id}`), there);
    assert.equal((await rows('list')).length, 1);
  });
});

/** What `cinder` prints: `| a | b |`, between and under lines of `+---+`. A row without a first cell goes on with the last. */
function rowsOf(table: string): readonly Row[] {
  const lines = table.split('\n').filter((line) => line.startsWith('|'));
  const [heads = [], ...rows] = lines.map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
  return rows.map((row) => Object.fromEntries(heads.map((head, index) => [head, row[index] ?? ''])));
}

function propertiesOf(table: string): Row {
  const found: Record<string, string> = {};
  let name = '';
  for (const row of rowsOf(table)) {
    const [head = '', value = ''] = Object.values(row);
    if (head !== '') name = head;
    found[name] = head === '' ? `${found[name]}\n${value}` : value;
  }
  return found;
}
