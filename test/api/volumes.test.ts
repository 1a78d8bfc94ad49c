/** `volumes`, version by version: what is shown, and what may be asked. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { uuid } from '../../src/lib/clock.ts';
import { identityWorld } from './identity-world.ts';
import { freshWorld, PROJECT, USER, until, type World } from './world.ts';

const BASE = `http://pumice.test:8776`;

/** Every field of a volume's answer at 3.0, and what later versions add. */
const ANSWER = [
  'attachments',
  'availability_zone',
  'bootable',
  'consistencygroup_id',
  'created_at',
  'description',
  'encrypted',
  'id',
  'links',
  'metadata',
  'migration_status',
  'multiattach',
  'name',
  'replication_status',
  'size',
  'snapshot_id',
  'source_volid',
  'status',
  'updated_at',
  'user_id',
  'volume_type',
];
const EXTENDED = [
  'os-vol-host-attr:host',
  'os-vol-mig-status-attr:migstat',
  'os-vol-mig-status-attr:name_id',
  'os-vol-tenant-attr:tenant_id',
];
const ADDED: readonly [since: number, fields: readonly string[]][] = [
  [13, ['group_id']],
  [21, ['provider_id']],
  [48, ['service_uuid', 'shared_targets']],
  [61, ['cluster_name']],
  [63, ['volume_type_id']],
  [64, ['encryption_key_id']],
  [65, ['consumes_quota']],
];
const addedAt = (minor: number): readonly string[] =>
  ADDED.flatMap(([since, fields]) => (since <= minor ? fields : []));
const keys = (value: object): string[] => Object.keys(value).sort();

describe('a volume is shown', () => {
  for (const minor of [0, ...ADDED.flatMap(([since]) => [since - 1, since]), 71]) {
    it(`at 3.${minor} with exactly its fields`, async (context) => {
      const world = await freshWorld(context);
      const volume = await world.volume({ encryptionKeyId: uuid(), imageMetadata: { image_name: 'cirros' } });
      const asked = { version: `3.${minor}` };
      const detail = [...ANSWER, ...EXTENDED, 'volume_image_metadata', ...addedAt(minor)].sort();
      assert.deepEqual(keys((await world.get(`/volumes/${volume.id}`, asked)).body.volume), detail);
      assert.deepEqual(keys((await world.get('/volumes/detail', asked)).body.volumes[0]), detail);
      assert.deepEqual(keys((await world.get('/volumes', asked)).body.volumes[0]), ['id', 'links', 'name']);
      const body = { volume: { name: 'new' } };
      const updated = await world.ask('PUT', `/volumes/${volume.id}`, { ...asked, body });
      assert.deepEqual(keys(updated.body.volume), [...ANSWER, ...addedAt(minor)].sort());
      const made = await world.ask('POST', '/volumes', { ...asked, body: { volume: { size: 1 } } });
      const unencrypted = [...ANSWER, ...addedAt(minor)].filter((field) => field !== 'encryption_key_id').sort();
      assert.deepEqual(keys(made.body.volume), unencrypted);
    });
  }

  it('with values of the kinds that clients expect', async (context) => {
    const world = await freshWorld(context);
    const made = await world.volume({
      name: 'data',
      sizeGiB: 3,
      bootable: true,
      host: 'node@file#file',
      metadata: { a: 'b' },
      adminMetadata: { readonly: 'True', temporary: 'True' },
      availabilityZone: 'nova',
    });
    const { volume } = (await world.get(`/volumes/${made.id}`, { version: 'latest' })).body;
    assert.deepEqual(volume, {
      id: made.id,
      status: 'available',
      size: 3,
      availability_zone: 'nova',
      created_at: made.createdAt,
      updated_at: null,
      name: 'data',
      description: null,
      volume_type: '__DEFAULT__',
      snapshot_id: null,
      source_volid: null,
      metadata: { a: 'b', readonly: 'True' },
      links: [
        { rel: 'self', href: `${BASE}/v3/${PROJECT}/volumes/${made.id}` },
        { rel: 'bookmark', href: `${BASE}/${PROJECT}/volumes/${made.id}` },
      ],
      user_id: USER,
      bootable: 'true',
      encrypted: false,
      replication_status: null,
      consistencygroup_id: null,
      multiattach: false,
      attachments: [],
      migration_status: null,
      group_id: null,
      provider_id: null,
      service_uuid: null,
      shared_targets: false,
      cluster_name: null,
      volume_type_id: made.volumeTypeId,
      consumes_quota: true,
      'os-vol-tenant-attr:tenant_id': PROJECT,
      'os-vol-host-attr:host': 'node@file#file',
      'os-vol-mig-status-attr:migstat': null,
      'os-vol-mig-status-attr:name_id': null,
    });
    assert.match(volume.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
  });

  it('to everybody with what administrators keep of it as readonly and attached_mode', async (context) => {
    const world = await identityWorld(context);
    const token = await world.signIn('bob');
    const metadata = { a: 'b', attached_mode: 'of the user' };
    const { id } = await world.volume({ metadata, adminMetadata: { attached_mode: 'rw', format: 'raw' } });
    const shown = async (): Promise<object[]> => [
      (await world.as(token, 'GET', `/volumes/${id}`)).body.volume.metadata,
      (await world.as(token, 'GET', '/volumes/detail')).body.volumes[0].metadata,
      (await world.as(token, 'PUT', `/volumes/${id}`, { volume: { name: 'x' } })).body.volume.metadata,
    ];
    for (const each of await shown()) assert.deepEqual(each, { a: 'b', attached_mode: 'rw' });
    const readonly = { 'os-update_readonly_flag': { readonly: true } };
    assert.equal((await world.as(token, 'POST', `/volumes/${id}/action`, readonly)).status, 202);
    for (const each of await shown()) assert.deepEqual(each, { a: 'b', attached_mode: 'rw', readonly: 'True' });
    assert.deepEqual((await world.as(token, 'GET', `/volumes/${id}/metadata`)).body, { metadata });
    assert.equal((await world.as(token, 'DELETE', `/volumes/${id}/metadata/readonly`)).status, 404);
    assert.deepEqual((await world.as(token, 'GET', '/volumes/summary')).body['volume-summary'].metadata, {
      a: ['b'],
      attached_mode: ['of the user'],
    });
    for (const [text, count] of [
      ["{'readonly': 'True'}", 1],
      ["{'readonly': 'False'}", 0],
      ["{'attached_mode': 'rw', 'a': 'b'}", 1],
      ["{'attached_mode': 'of the user'}", 1],
      ["{'format': 'raw'}", 0],
    ] as const) {
      const found = await world.as(token, 'GET', `/volumes?${new URLSearchParams({ metadata: text })}`);
      assert.equal(found.body.volumes.length, count, text);
    }
  });

  it('under a plainer status while it is taken over', async (context) => {
    const world = await freshWorld(context);
    for (const [status, shown] of [
      ['managing', 'creating'],
      ['error_managing', 'error'],
      ['error_managing_deleting', 'deleting'],
    ] as const) {
      const { id } = await world.volume({ status });
      assert.equal((await world.get(`/volumes/${id}`)).body.volume.status, shown);
    }
  });

  it('to an administrator of another project, and is not found under a name that is none', async (context) => {
    const world = await freshWorld(context);
    const { id } = await world.volume({ projectId: 'abc' });
    assert.equal((await world.get(`/volumes/${id}`)).body.volume.id, id);
    for (const name of [uuid(), 'None', 'x', id.toUpperCase(), `${id} `]) {
      assert.equal((await world.ask('GET', `/volumes/${encodeURIComponent(name)}`)).status, 404, name);
    }
  });
});

describe('the sum of the volumes', () => {
  it('is there from 3.12 on, and tells of metadata from 3.36 on', async (context) => {
    const world = await freshWorld(context);
    await world.volume({ sizeGiB: 2, metadata: { k: 'a' } });
    await world.volume({ sizeGiB: 3, metadata: { k: 'b' } });
    await world.volume({ sizeGiB: 5, projectId: 'abc' });
    assert.equal((await world.ask('GET', '/volumes/summary', { version: '3.11' })).status, 404);
    const summary = async (version: string, query = '') =>
      (await world.get(`/volumes/summary${query}`, { version })).body['volume-summary'];
    assert.deepEqual(await summary('3.12'), { total_count: 2, total_size: 5 });
    assert.deepEqual(await summary('3.35', '?all_tenants=1'), { total_count: 3, total_size: 10 });
    assert.deepEqual(await summary('3.36'), { total_count: 2, total_size: 5, metadata: { k: ['a', 'b'] } });
    assert.deepEqual(await summary('3.36', '?nonsense=1'), { total_count: 0, total_size: 0, metadata: {} });
  });
});

describe('a create', () => {
  async function create(world: World, volume: object, version = '3.0', more: object = {}) {
    return world.ask('POST', '/volumes', { version, body: { volume, ...more } });
  }

  it('takes all that old clients send as null', async (context) => {
    const world = await freshWorld(context);
    const nothing = {
      name: null,
      description: null,
      availability_zone: null,
      volume_type: null,
      source_volid: null,
      snapshot_id: null,
      backup_id: null,
      imageRef: null,
      metadata: null,
      consistencygroup_id: null,
      group_id: null,
      multiattach: false,
    };
    for (const version of ['3.0', '3.71']) {
      const answer = await create(world, { ...nothing, size: 1 }, version, { 'OS-SCH-HNT:scheduler_hints': null });
      assert.equal(answer.status, 202, answer.text);
      assert.equal(answer.body.volume.status, 'creating');
    }
  });

  it('from 3.46 on from the snapshot that the image of a server names, before from the image', async (context) => {
    const world = await freshWorld(context);
    const source = await world.volume({ host: 'node@file#file', availabilityZone: 'nova' });
    const { id: snapshotId } = await world.snapshot(source);
    const id = uuid();
    const device = { source_type: 'snapshot', destination_type: 'volume', boot_index: 0, device_name: '/dev/vda' };
    const image = {
      id,
      status: 'active',
      visibility: 'public',
      size: 0,
      block_device_mapping: JSON.stringify([{ ...device, snapshot_id: snapshotId }]),
    };
    const directory = join(world.config.data_directory, 'images');
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, `${id}.json`), JSON.stringify(image));
    await writeFile(join(directory, `${id}.image`), '');
    for (const [version, wanted] of [
      ['3.45', null],
      ['3.46', snapshotId],
    ] as const) {
      const answer = await world.ask('POST', '/volumes', { version, body: { volume: { size: 1, imageRef: id } } });
      assert.equal(answer.status, 202, answer.text);
      assert.equal(answer.body.volume.snapshot_id, wanted, version);
    }
  });

  it('takes names under both their names, without the blanks around them', async (context) => {
    const world = await freshWorld(context);
    const old = await create(world, { size: 1, display_name: ' old ', display_description: ' way ' });
    assert.deepEqual([old.body.volume.name, old.body.volume.description], ['old', 'way']);
    const both = await create(world, { size: 1, name: 'new', display_name: 'old' });
    assert.equal(both.body.volume.name, 'new');
  });

  const cases: readonly [what: string, volume: object, status: number, version?: string][] = [
    ['a size as text', { size: '2' }, 202],
    ['no size and no source', {}, 400],
    ['a size of 0', { size: 0 }, 400],
    ['a negative size', { size: -1 }, 400],
    ['a size that is no number', { size: 'big' }, 400],
    ['a size that is no integer', { size: 1.5 }, 400],
    ['a size beyond all disks', { size: 2_147_483_648 }, 400],
    ['a name of 255 letters', { size: 1, name: 'n'.repeat(255) }, 202],
    ['a name of 256 letters', { size: 1, name: 'n'.repeat(256) }, 400],
    ['a description of 256 letters', { size: 1, description: 'd'.repeat(256) }, 400],
    ['metadata', { size: 1, metadata: { 'a-b_c:d. /1': 'x'.repeat(255) } }, 202],
    ['metadata with a strange key', { size: 1, metadata: { ä: 'x' } }, 400],
    ['metadata with an empty key', { size: 1, metadata: { '': 'x' } }, 400],
    ['metadata with a long value', { size: 1, metadata: { a: 'x'.repeat(256) } }, 400],
    ['metadata with a number', { size: 1, metadata: { a: 1 } }, 400],
    ['a type that exists', { size: 1, volume_type: '__DEFAULT__' }, 202],
    ['a type that does not', { size: 1, volume_type: 'none' }, 404],
    ['multiattach', { size: 1, multiattach: true }, 400],
    ['multiattach in words', { size: 1, multiattach: 'yes' }, 400],
    ['a snapshot that does not exist', { size: 1, snapshot_id: uuid() }, 404],
    ['a volume that does not exist', { size: 1, source_volid: uuid() }, 404],
    ['a snapshot that is no id', { size: 1, snapshot_id: 'x' }, 400],
    ['an image that does not exist', { size: 1, imageRef: uuid() }, 400],
    ['an image that has no such name', { size: 1, imageRef: 'cirros' }, 400],
    ['an unknown zone', { size: 1, availability_zone: 'elsewhere' }, 400],
    ['a group before there were any', { size: 1, group_id: 'x' }, 202, '3.12'],
    ['a group', { size: 1, group_id: uuid() }, 404, '3.13'],
    ['a backup before there were any', { size: 1, backup_id: 'x' }, 202, '3.46'],
    ['a backup', { size: 1, backup_id: uuid() }, 404, '3.47'],
    ['an unknown key below 3.53', { size: 1, colour: 'red' }, 202, '3.52'],
    ['an unknown key from 3.53 on', { size: 1, colour: 'red' }, 400, '3.53'],
  ];
  for (const [what, volume, status, version] of cases) {
    it(`with ${what} is answered ${status}`, async (context) => {
      const world = await freshWorld(context);
      const answer = await create(world, volume, version);
      assert.equal(answer.status, status, answer.text);
    });
  }

  it('over the quota is told by the name users search for', async (context) => {
    const world = await freshWorld(context, { set: ['quota.quota_volumes=1', 'quota.quota_gigabytes=5'] });
    const tooBig = await create(world, { size: 6 });
    assert.equal(tooBig.status, 413);
    assert.match(tooBig.body.overLimit.message, /^VolumeSizeExceedsAvailableQuota: .*exceeded/);
    assert.equal((await create(world, { size: 1 })).status, 202);
    const tooMany = await create(world, { size: 1 });
    assert.match(tooMany.body.overLimit.message, /^VolumeLimitExceeded: .*exceeded/);
    assert.equal(tooMany.headers['retry-after'], '0');
  });

  it('ends in a volume that can be used, grown, copied and deleted', async (context) => {
    const world = await freshWorld(context, { running: true });
    const show = (id: string) => world.ask('GET', `/volumes/${id}`);
    const available = (id: string, size: number) =>
      until(
        () => show(id),
        ({ body }) => body.volume.status === 'available' && body.volume.size === size,
      );
    const { id } = (await create(world, { size: 1, name: 'first' })).body.volume;
    await available(id, 1);
    assert.equal(
      (await world.ask('POST', `/volumes/${id}/action`, { body: { 'os-extend': { new_size: 2 } } })).status,
      202,
    );
    await available(id, 2);
    const copy = (await create(world, { source_volid: id, name: 'copy' })).body.volume;
    assert.deepEqual([copy.size, copy.source_volid], [2, id]);
    await available(copy.id, 2);
    const taken = await world.ask('POST', '/snapshots', { body: { snapshot: { volume_id: id, name: 's' } } });
    const snapshotId = taken.body.snapshot.id;
    await until(
      () => world.ask('GET', `/snapshots/${snapshotId}`),
      ({ body }) => body.snapshot.status === 'available',
    );
    const restored = (await create(world, { snapshot_id: snapshotId, size: 3 })).body.volume;
    await available(restored.id, 3);
    assert.equal((await world.ask('DELETE', `/volumes/${id}`)).status, 400);
    assert.equal((await world.ask('DELETE', `/volumes/${id}?cascade=true`)).status, 202);
    await until(
      () => show(id),
      ({ status }) => status === 404,
    );
    assert.equal((await world.ask('GET', `/snapshots/${snapshotId}`)).status, 404);
    assert.equal((await show(copy.id)).body.volume.status, 'available');
    assert.equal((await show(restored.id)).body.volume.status, 'available');
  });
});

describe('an update', () => {
  it('changes what is said and leaves the rest', async (context) => {
    const world = await freshWorld(context);
    const { id } = await world.volume({ name: 'old', description: 'text', metadata: { a: '1', b: '2' } });
    const put = async (volume: object, version = '3.0') =>
      (await world.ask('PUT', `/volumes/${id}`, { version, body: { volume } })).body.volume;
    const renamed = await put({ name: ' new ' });
    assert.deepEqual([renamed.name, renamed.description, renamed.metadata], ['new', 'text', { a: '1', b: '2' }]);
    assert.notEqual(renamed.updated_at, null);
    assert.equal((await put({ display_description: 'other' })).description, 'other');
    assert.equal((await put({ description: null })).description, null);
    assert.deepEqual((await put({ metadata: { c: '3' } })).metadata, { c: '3' });
    assert.deepEqual((await world.get(`/volumes/${id}`)).body.volume.metadata, { c: '3' });
  });

  const cases: readonly [what: string, body: unknown, status: number, version?: string][] = [
    ['nothing at all', {}, 400],
    ['no body', undefined, 400],
    ['an empty volume below 3.53', { volume: {} }, 200, '3.52'],
    ['an empty volume from 3.53 on', { volume: {} }, 400, '3.53'],
    ['an unknown key below 3.53', { volume: { size: 2 } }, 200, '3.52'],
    ['an unknown key from 3.53 on', { volume: { name: 'x', size: 2 } }, 400, '3.53'],
    ['a long name', { volume: { name: 'n'.repeat(256) } }, 400],
    ['metadata of the wrong kind', { volume: { metadata: ['a'] } }, 400],
  ];
  for (const [what, body, status, version = '3.0'] of cases) {
    it(`of ${what} is answered ${status}`, async (context) => {
      const world = await freshWorld(context);
      const { id } = await world.volume();
      const answer = await world.ask('PUT', `/volumes/${id}`, { version, ...(body !== undefined && { body }) });
      assert.equal(answer.status, status, answer.text);
    });
  }

  it('of a volume in maintenance, or of none, is refused', async (context) => {
    const world = await freshWorld(context);
    const { id } = await world.volume({ status: 'maintenance' });
    const body = { volume: { name: 'x' } };
    assert.equal((await world.ask('PUT', `/volumes/${id}`, { body })).status, 400);
    assert.equal((await world.ask('PUT', `/volumes/${uuid()}`, { body })).status, 404);
    assert.equal((await world.ask('PUT', '/volumes/', { body })).status, 404);
  });
});

describe('a delete', () => {
  it('by force is heard from 3.23 on', async (context) => {
    const world = await freshWorld(context);
    const { id } = await world.volume({ status: 'maintenance', host: 'node@file#file' });
    assert.equal((await world.ask('DELETE', `/volumes/${id}?force=true`, { version: '3.22' })).status, 400);
    assert.equal((await world.ask('DELETE', `/volumes/${id}?force=true`, { version: '3.23' })).status, 202);
  });

  it('of nothing, or said in strange words, is refused', async (context) => {
    const world = await freshWorld(context);
    const { id } = await world.volume();
    assert.equal((await world.ask('DELETE', `/volumes/${uuid()}`)).status, 404);
    assert.equal((await world.ask('DELETE', '/volumes/')).status, 404);
    assert.equal((await world.ask('DELETE', `/volumes/${id}?cascade=perhaps`)).status, 400);
  });

  it('may come with a content type and no body', async (context) => {
    const world = await freshWorld(context);
    const { id } = await world.volume({ status: 'error' });
    const answer = await world.ask('DELETE', `/volumes/${id}`, { headers: { 'content-type': 'application/json' } });
    assert.deepEqual([answer.status, answer.text], [202, '']);
  });
});
