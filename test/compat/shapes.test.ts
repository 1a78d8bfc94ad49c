/**
 * What gophercloud (v2), and Terraform on top of it, sends and takes, without Go: each request as its functions build it from
 * their options, where what is not given is left out, and of each answer what its decoder needs. A Go decoder fails on a
 * value of another kind, takes null for nothing, and passes over what it does not know.
 */
import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { describe, it, type TestContext } from 'node:test';
import { uuid } from '../../src/lib/clock.ts';
import { type Answer, freshWorld, PROJECT, until, type World } from '../api/world.ts';

const OTHER_PROJECT = 'ffffffffffffffffffffffffffffffff';
const CONNECTOR = {
  host: hostname(),
  initiator: 'iqn.2004-10.test:gophercloud',
  ip: '127.0.0.1',
  multipath: false,
  os_type: 'linux2',
  platform: 'x86_64',
};

// Decoders: the fields of a struct with their kinds; an exclamation mark where callers cannot do without

type Kind = 'string' | 'int' | 'number' | 'bool' | 'time' | 'texts' | 'any' | 'string!' | 'int!' | 'time!';
interface Struct {
  readonly [field: string]: Kind | Struct | readonly [Struct];
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?$/;

const FITS: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  int: Number.isSafeInteger,
  number: (value) => typeof value === 'number',
  bool: (value) => typeof value === 'boolean',
  time: (value) => typeof value === 'string' && (value === '' || TIME.test(value)),
  texts: (value) =>
    typeof value === 'object' && Object.values(value as object).every((each) => typeof each === 'string'),
  any: () => true,
};

function decodes(value: unknown, struct: Struct, at: string): void {
  assert.ok(typeof value === 'object' && value !== null && !Array.isArray(value), `${at} is an object`);
  for (const [field, kind] of Object.entries(struct)) {
    const given = (value as Readonly<Record<string, unknown>>)[field];
    const where = `${at}.${field}`;
    const wanted = typeof kind === 'string' && kind.endsWith('!');
    if (given === undefined || given === null) assert.ok(!wanted, `${where} is there`);
    else if (typeof kind === 'string')
      assert.ok(FITS[kind.replace('!', '')]?.(given), `${where} is a ${kind}, not ${JSON.stringify(given)}`);
    else if (Array.isArray(kind)) {
      assert.ok(Array.isArray(given), `${where} is a list`);
      for (const [index, each] of given.entries()) decodes(each, kind[0] as Struct, `${where}[${index}]`);
    } else decodes(given, kind as Struct, where);
  }
}

const Volume: Struct = {
  id: 'string!',
  status: 'string!',
  size: 'int!',
  availability_zone: 'string',
  created_at: 'time!',
  updated_at: 'time',
  attachments: [
    {
      attached_at: 'time',
      attachment_id: 'string',
      device: 'string',
      host_name: 'string',
      id: 'string',
      server_id: 'string',
      volume_id: 'string',
    },
  ],
  name: 'string',
  description: 'string',
  volume_type: 'string',
  snapshot_id: 'string',
  source_volid: 'string',
  backup_id: 'string',
  metadata: 'texts',
  user_id: 'string!',
  bootable: 'string!',
  encrypted: 'bool',
  replication_status: 'string',
  consistencygroup_id: 'string',
  multiattach: 'bool',
  volume_image_metadata: 'texts',
  'os-vol-host-attr:host': 'string',
  'os-vol-tenant-attr:tenant_id': 'string',
};

const Snapshot: Struct = {
  id: 'string!',
  created_at: 'time!',
  updated_at: 'time',
  name: 'string',
  description: 'string',
  volume_id: 'string!',
  status: 'string!',
  size: 'int!',
  metadata: 'texts',
  'os-extended-snapshot-attributes:progress': 'string',
  'os-extended-snapshot-attributes:project_id': 'string',
  group_snapshot_id: 'string',
  user_id: 'string',
  consumes_quota: 'bool',
};

const VolumeType: Struct = {
  id: 'string!',
  name: 'string!',
  description: 'string',
  extra_specs: 'texts',
  is_public: 'bool',
  qos_specs_id: 'string',
  'os-volume-type-access:is_public': 'bool',
};

const Attachment: Struct = {
  id: 'string!',
  volume_id: 'string!',
  instance: 'string',
  attached_at: 'time',
  detached_at: 'time',
  status: 'string!',
  attach_mode: 'string',
  connection_info: {},
};

const Transfer: Struct = {
  id: 'string!',
  auth_key: 'string',
  name: 'string',
  volume_id: 'string!',
  created_at: 'time',
  links: [{ href: 'string!', rel: 'string!' }],
};

const QUOTAS = [
  'volumes',
  'snapshots',
  'gigabytes',
  'per_volume_gigabytes',
  'backups',
  'backup_gigabytes',
  'groups',
] as const;
const QuotaSet: Struct = { id: 'string', ...Object.fromEntries(QUOTAS.map((name) => [name, 'int!'])) };
const Usage: Struct = { in_use: 'int!', reserved: 'int!', limit: 'int!', allocated: 'int' };
const QuotaUsageSet: Struct = { id: 'string', ...Object.fromEntries(QUOTAS.map((name) => [name, Usage])) };

type Client = Awaited<ReturnType<typeof connect>>;

async function connect(context: TestContext) {
  const world = await freshWorld(context, { running: true });
  /** Answered with one of the codes that the function says are well, else its caller is given an error. */
  const call = async (
    codes: readonly number[],
    method: string,
    path: string,
    body?: object,
    more: Parameters<World['ask']>[2] = {},
  ): Promise<Answer> => {
    const answer = await world.ask(method, path, {
      headers: { accept: 'application/json' },
      ...(body !== undefined && { body }),
      ...more,
    });
    assert.ok(codes.includes(answer.status), `${method} ${path}: ${answer.status} ${answer.text}`);
    return answer;
  };
  const get = async (path: string, version?: string) =>
    (await call([200], 'GET', path, undefined, version === undefined ? {} : { version })).body;
  const act = (codes: readonly number[], volume: string, action: object, version?: string) =>
    call(codes, 'POST', `/volumes/${volume}/action`, action, version === undefined ? {} : { version });
  const becomes = (path: string, key: string, status: string) =>
    until(
      () => world.ask('GET', path),
      (answer) => answer.body?.[key]?.status === status,
    );
  const gone = (path: string) =>
    until(
      () => world.ask('GET', path),
      ({ status }) => status === 404,
    );
  const newVolume = async (options: object): Promise<string> => {
    const { body } = await call([202], 'POST', '/volumes', { volume: options });
    decodes(body.volume, Volume, 'volume');
    await becomes(`/volumes/${body.volume.id}`, 'volume', 'available');
    return body.volume.id;
  };
  return { world, call, get, act, becomes, gone, newVolume };
}

/** Every page of a list, by its links, as a pager asks for them. */
async function pages({ get }: Client, path: string, key: string, struct: Struct): Promise<readonly { id: string }[]> {
  const all: { id: string }[] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const body: Readonly<Record<string, { href: string; rel: string; id: string }[]>> = await get(next);
    for (const each of body[key] ?? []) {
      decodes(each, struct, key);
      all.push(each);
    }
    next = body[`${key}_links`]?.find(({ rel }) => rel === 'next')?.href.replace(/^.*\/v3\/[^/]*/, '');
  }
  return all;
}

describe('gophercloud', () => {
  it('makes, lists, changes, extends and removes volumes', async (context) => {
    const client = await connect(context);
    const { call, get, act, becomes, gone, newVolume } = client;
    const id = await newVolume({
      size: 1,
      availability_zone: 'nova',
      description: 'made by a test',
      metadata: { key: 'value' },
      name: 'first',
    });
    const clone = await newVolume({ size: 1, source_volid: id, multiattach: false });
    decodes((await get(`/volumes/${id}`)).volume, Volume, 'volume');
    assert.equal((await pages(client, '/volumes/detail?all_tenants=true&limit=1', 'volumes', Volume)).length, 2);
    const filtered = `/volumes/detail?metadata=${encodeURIComponent("{'key':'value'}")}&name=first&status=available`;
    assert.deepEqual(
      (await pages(client, filtered, 'volumes', Volume)).map((each) => each.id),
      [id],
    );

    const changed = { volume: { name: 'second', description: '', metadata: { key: 'other' } } };
    decodes((await call([200], 'PUT', `/volumes/${id}`, changed)).body.volume, Volume, 'volume');
    await act([202], id, { 'os-extend': { new_size: 2 } }, '3.42');
    await becomes(`/volumes/${id}`, 'volume', 'available');
    assert.equal((await get(`/volumes/${id}`)).volume.size, 2);
    await act([200], id, { 'os-set_bootable': { bootable: true } });
    await act([200], id, { 'os-set_image_metadata': { metadata: { label: 'test' } } });
    await act([202], id, { 'os-reset_status': { status: 'error', attach_status: 'detached' } });
    await act([202], id, { 'os-force_delete': '' });
    await call([202, 204], 'DELETE', `/volumes/${clone}?cascade=true`);
    await Promise.all([gone(`/volumes/${id}`), gone(`/volumes/${clone}`)]);
  });

  it('takes snapshots, and makes volumes of them', async (context) => {
    const client = await connect(context);
    const { call, get, becomes, gone, newVolume } = client;
    const volume = await newVolume({ size: 1 });
    const made = await call([202], 'POST', '/snapshots', {
      snapshot: { volume_id: volume, force: true, name: 'snap', description: 'of a test', metadata: { key: 'value' } },
    });
    decodes(made.body.snapshot, Snapshot, 'snapshot');
    const path = `/snapshots/${made.body.snapshot.id}`;
    await becomes(path, 'snapshot', 'available');
    decodes((await get(path)).snapshot, Snapshot, 'snapshot');
    for (const list of [`/snapshots?volume_id=${volume}&limit=1`, '/snapshots/detail?all_tenants=true'])
      assert.equal((await pages(client, list, 'snapshots', Snapshot)).length, 1);
    const changed = await call([200], 'PUT', path, { snapshot: { name: 'other', description: 'other' } });
    decodes(changed.body.snapshot, Snapshot, 'snapshot');
    const metadata = await call([200], 'PUT', `${path}/metadata`, { metadata: { key: 'v1' } });
    assert.deepEqual(metadata.body.metadata, { key: 'v1' });
    const second = await newVolume({ size: 1, snapshot_id: made.body.snapshot.id });
    await call([202], 'POST', `${path}/action`, { 'os-reset_status': { status: 'error' } });
    await call([202], 'POST', `${path}/action`, { 'os-force_delete': {} });
    await gone(path);
    for (const each of [volume, second]) await call([202, 204], 'DELETE', `/volumes/${each}`);
  });

  it('attaches volumes by actions', async (context) => {
    const { get, act, newVolume } = await connect(context);
    const id = await newVolume({ size: 1 });
    await act([200, 201, 202], id, { 'os-reserve': {} });
    await act([200, 201, 202], id, { 'os-unreserve': {} });
    await act([200, 201, 202], id, { 'os-reserve': {} });
    const connected = await act([200, 201, 202], id, { 'os-initialize_connection': { connector: CONNECTOR } });
    decodes(connected.body.connection_info, { driver_volume_type: 'string!', data: {} }, 'connection_info');
    await act([202], id, { 'os-attach': { mountpoint: '/mnt', mode: 'rw', host_name: CONNECTOR.host } });
    const { volume } = await get(`/volumes/${id}`);
    decodes(volume, Volume, 'volume');
    assert.equal(volume.status, 'in-use');
    await act([202], id, { 'os-begin_detaching': {} });
    await act([202], id, { 'os-terminate_connection': { connector: CONNECTOR } });
    await act([202], id, { 'os-detach': { attachment_id: volume.attachments[0].attachment_id } });
    assert.equal((await get(`/volumes/${id}`)).volume.status, 'available');
  });

  it('attaches volumes by attachments', async (context) => {
    const client = await connect(context);
    const { call, get, newVolume } = client;
    const volume_uuid = await newVolume({ size: 1 });
    const version = '3.54';
    const request = { attachment: { volume_uuid, instance_uuid: uuid(), connector: CONNECTOR, mode: 'rw' } };
    const made = await call([200, 202], 'POST', '/attachments', request, { version });
    decodes(made.body.attachment, Attachment, 'attachment');
    const path = `/attachments/${made.body.attachment.id}`;
    const changed = await call([200], 'PUT', path, { attachment: { connector: CONNECTOR } }, { version });
    decodes(changed.body.attachment, Attachment, 'attachment');
    await call([204], 'POST', `${path}/action`, { 'os-complete': null }, { version });
    decodes((await get(path, version)).attachment, Attachment, 'attachment');
    const { attachments } = await get(`/attachments/detail?volume_id=${volume_uuid}`, version);
    assert.equal(attachments.length, 1);
    decodes(attachments[0], Attachment, 'attachment');
    await call([200], 'DELETE', path, undefined, { version, headers: { 'x-service-token': 'nova' } });
  });

  it('gives volumes to another project', async (context) => {
    const client = await connect(context);
    const { call, get, newVolume } = client;
    const volume_id = await newVolume({ size: 1 });
    const offer = async () =>
      (await call([202], 'POST', '/os-volume-transfer', { transfer: { volume_id } })).body.transfer;
    const first = await offer();
    decodes(first, { ...Transfer, auth_key: 'string!' }, 'transfer');
    decodes((await get(`/os-volume-transfer/${first.id}`)).transfer, Transfer, 'transfer');
    assert.equal((await pages(client, '/os-volume-transfer/detail?all_tenants=true', 'transfers', Transfer)).length, 1);
    await call([202, 204], 'DELETE', `/os-volume-transfer/${first.id}`);
    const second = await offer();
    const body = { accept: { auth_key: second.auth_key } };
    const more = { project: OTHER_PROJECT };
    const accepted = await call([202], 'POST', `/os-volume-transfer/${second.id}/accept`, body, more);
    decodes(accepted.body.transfer, Transfer, 'transfer');
  });

  it('keeps volume types with their specs, access, encryption and quality of service', async (context) => {
    const client = await connect(context);
    const { call, get } = client;
    const made = await call([200], 'POST', '/types', {
      volume_type: {
        name: 'fast',
        description: 'of a test',
        'os-volume-type-access:is_public': false,
        extra_specs: { capabilities: 'gpu' },
      },
    });
    decodes(made.body.volume_type, VolumeType, 'volume_type');
    const path = `/types/${made.body.volume_type.id}`;
    decodes((await get(path)).volume_type, VolumeType, 'volume_type');
    const changed = await call([200], 'PUT', path, { volume_type: { name: 'faster', is_public: false } });
    decodes(changed.body.volume_type, VolumeType, 'volume_type');
    assert.equal((await pages(client, '/types?is_public=None', 'volume_types', VolumeType)).length, 2);
    const specs = await call([200], 'POST', `${path}/extra_specs`, { extra_specs: { 'hw:cpu': '3' } });
    decodes(specs.body, { extra_specs: 'texts' }, 'body');
    assert.deepEqual((await call([200], 'PUT', `${path}/extra_specs/hw:cpu`, { 'hw:cpu': '4' })).body, {
      'hw:cpu': '4',
    });
    assert.deepEqual(await get(`${path}/extra_specs/hw:cpu`), { 'hw:cpu': '4' });
    assert.deepEqual((await get(`${path}/extra_specs`)).extra_specs, { capabilities: 'gpu', 'hw:cpu': '4' });
    await call([202], 'DELETE', `${path}/extra_specs/hw:cpu`);
    await call([202], 'POST', `${path}/action`, { addProjectAccess: { project: OTHER_PROJECT } });
    const { volume_type_access: access } = await get(`${path}/os-volume-type-access`);
    decodes(access[0], { volume_type_id: 'string!', project_id: 'string!' }, 'access');
    await call([202], 'POST', `${path}/action`, { removeProjectAccess: { project: OTHER_PROJECT } });
    const encryption = await call([200], 'POST', `${path}/encryption`, {
      encryption: { key_size: 256, provider: 'luks', control_location: 'front-end', cipher: 'aes-xts-plain64' },
    });
    const Encryption: Struct = { encryption_id: 'string!', key_size: 'int', provider: 'string', cipher: 'string' };
    decodes(encryption.body.encryption, { ...Encryption, volume_type_id: 'string' }, 'encryption');
    decodes(await get(`${path}/encryption`), Encryption, 'encryption');
    const qos = await call([200], 'POST', '/qos-specs', {
      qos_specs: { name: 'slow', consumer: 'front-end', read_iops_sec: '20000' },
    });
    const Qos: Struct = { id: 'string!', name: 'string!', consumer: 'string!', specs: 'texts' };
    decodes(qos.body.qos_specs, Qos, 'qos_specs');
    const { id: type } = made.body.volume_type;
    await call([202], 'GET', `/qos-specs/${qos.body.qos_specs.id}/associate?vol_type_id=${type}`);
    const { qos_associations: associations } = await get(`/qos-specs/${qos.body.qos_specs.id}/associations`);
    decodes(associations[0], { name: 'string!', id: 'string!', association_type: 'string!' }, 'association');
    await call([202], 'GET', `/qos-specs/${qos.body.qos_specs.id}/disassociate_all`);
    await call([202, 204], 'DELETE', `/qos-specs/${qos.body.qos_specs.id}`);
    await call([202, 204], 'DELETE', path);
  });

  it('asks for quotas and changes them', async (context) => {
    const { call, get } = await connect(context);
    const path = `/os-quota-sets/${PROJECT}`;
    decodes((await get(path)).quota_set, QuotaSet, 'quota_set');
    decodes((await get(`${path}/defaults`)).quota_set, QuotaSet, 'quota_set');
    decodes((await get(`${path}?usage=true`)).quota_set, QuotaUsageSet, 'quota_set');
    const request = { volumes: 20, gigabytes: -1, per_volume_gigabytes: 50, volumes___DEFAULT__: 7 };
    const changed = await call([200], 'PUT', path, { quota_set: request });
    decodes(changed.body.quota_set, QuotaSet, 'quota_set');
    assert.equal(changed.body.quota_set.volumes, 20);
    await call([200], 'DELETE', path);
    assert.equal((await get(path)).quota_set.volumes, 10);
  });

  it('asks what there is', async (context) => {
    const { get } = await connect(context);
    const zones = (await get('/os-availability-zone')).availabilityZoneInfo;
    decodes(zones[0], { zoneName: 'string!', zoneState: { available: 'bool' } }, 'zone');
    const { limits } = await get('/limits');
    decodes(
      limits.absolute,
      { maxTotalVolumes: 'int!', totalVolumesUsed: 'int!', maxTotalBackupGigabytes: 'int!' },
      'limits',
    );
    const Service: Struct = {
      binary: 'string!',
      host: 'string!',
      status: 'string!',
      state: 'string!',
      zone: 'string',
      updated_at: 'time!',
      disabled_reason: 'string',
      active_backend_id: 'string',
      cluster: 'string',
      frozen: 'bool',
      replication_status: 'string',
    };
    for (const service of (await get('/os-services')).services) decodes(service, Service, 'service');
    const { pools } = await get('/scheduler-stats/get_pools?detail=true');
    const capabilities: Struct = {
      driver_version: 'string',
      free_capacity_gb: 'number',
      total_capacity_gb: 'number',
      storage_protocol: 'string',
      vendor_name: 'string',
      volume_backend_name: 'string',
      reserved_percentage: 'int',
      multiattach: 'bool',
    };
    decodes(pools[0], { name: 'string!', capabilities }, 'pool');
  });
});
