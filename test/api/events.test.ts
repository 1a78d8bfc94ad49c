/** Walks the table of `docs/events.md`: makes each request, and compares what is told with what the table says, in order. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { DirectoryImages } from '../../src/clients/image-directory.ts';
import { deleteBackupRow } from '../../src/db/backups.ts';
import { findGroupTypeByName, updateGroupType } from '../../src/db/group-types.ts';
import { insertMessage } from '../../src/db/messages.ts';
import { updateSnapshot } from '../../src/db/snapshots.ts';
import { fromNow, uuid } from '../../src/lib/clock.ts';
import { CONSISTENCY_GROUP_TYPE } from '../../src/model/group-type.ts';
import { callOf, everyRoute } from './every-route.ts';
import { type Answer, freshWorld, PROJECT, until, type World } from './world.ts';

const GIB = 1024 ** 3;
const version = '3.71';
const HERE = { host: hostname(), initiator: 'iqn.2004-10.test:here' };
const LUKS = { provider: 'luks', control_location: 'front-end' };

/** Resolves with the request that is told of, when what it needs is there. */
type Scene = (world: World) => Promise<() => Promise<Answer>>;

const send = (world: World, method: string, path: string, body?: unknown, project?: string): Promise<Answer> =>
  world.ask(method, path, { version, ...(body !== undefined && { body }), ...(project && { project }) });

/** What was made, by its id. */
async function made(world: World, path: string, body: object): Promise<string> {
  const answer = await send(world, 'POST', path, body);
  assert.ok(answer.status < 300, answer.text);
  return (Object.values(answer.body)[0] as { readonly id: string }).id;
}

async function available(
  world: World,
  kind: 'volume' | 'snapshot' | 'group_snapshot' | 'cgsnapshot' | 'backup',
  id: string,
): Promise<string> {
  await until(
    () => world.get(`/${kind}s/${id}`, { version }),
    ({ body }) => body[kind].status === 'available',
  );
  return id;
}

const volume = async (world: World) =>
  available(world, 'volume', await made(world, '/volumes', { volume: { size: 1 } }));

async function snapshot(world: World): Promise<string> {
  const volume_id = await volume(world);
  return available(world, 'snapshot', await made(world, '/snapshots', { snapshot: { volume_id } }));
}

async function attachment(world: World, connector: object | null = HERE): Promise<{ id: string; volumeId: string }> {
  const volumeId = await volume(world);
  const id = await made(world, '/attachments', { attachment: { volume_uuid: volumeId, connector } });
  return { id, volumeId };
}

const act = async (world: World, id: string, action: string, value: unknown = {}): Promise<Answer> => {
  const answer = await send(world, 'POST', `/volumes/${id}/action`, { [action]: value });
  assert.ok(answer.status < 300, `${action}: ${answer.text}`);
  return answer;
};

async function foreignFile(world: World): Promise<{ 'source-name': string }> {
  const name = `theirs-${uuid()}.img`;
  const path = join(world.config.data_directory, 'volumes', name);
  await writeFile(path, '');
  await truncate(path, GIB);
  return { 'source-name': name };
}

async function image(world: World): Promise<string> {
  const { images } = world.config;
  assert.equal(images.store, 'directory');
  const store = new DirectoryImages({ directory: images.directory });
  const { id } = await store.add(
    { name: 'disk', diskFormat: 'raw' },
    import.meta.filename,
    AbortSignal.timeout(60_000),
  );
  return id;
}

const type = (world: World, more: object = {}) => made(world, '/types', { volume_type: { name: 'a', ...more } });
const qos = (world: World) => made(world, '/qos-specs', { qos_specs: { name: 'q', key: 'value' } });
const groupType = (world: World) =>
  made(world, '/group_types', { group_type: { name: 'g', group_specs: { key: 'value' } } });

async function group(world: World): Promise<string> {
  const volume_types = ['__DEFAULT__'];
  return made(world, '/groups', { group: { group_type: await groupType(world), volume_types } });
}

const member = async (world: World, group_id: string): Promise<string> => {
  const body = { volume: { size: 1, volume_type: '__DEFAULT__', group_id } };
  return available(world, 'volume', await made(world, '/volumes', body));
};

/** Whatever the backends of this machine can do. */
async function consistencyGroup(world: World): Promise<string> {
  const { db } = world.service;
  const { id } = (await findGroupTypeByName(db.read, CONSISTENCY_GROUP_TYPE)) ?? { id: '' };
  await db.write((tx) => updateGroupType(tx, id, { groupSpecs: {} }));
  return made(world, '/consistencygroups', { consistencygroup: { volume_types: '__DEFAULT__' } });
}

async function cgsnapshot(world: World): Promise<string> {
  const consistencygroup_id = await consistencyGroup(world);
  await member(world, consistencygroup_id);
  return available(world, 'cgsnapshot', await made(world, '/cgsnapshots', { cgsnapshot: { consistencygroup_id } }));
}

async function groupSnapshot(world: World): Promise<string> {
  const group_id = await group(world);
  await member(world, group_id);
  return available(world, 'group_snapshot', await made(world, '/group_snapshots', { group_snapshot: { group_id } }));
}

async function backup(world: World): Promise<string> {
  const volume_id = await volume(world);
  return available(world, 'backup', await made(world, '/backups', { backup: { volume_id } }));
}

const onGroup = (action: string, value: unknown = {}) =>
  on(group, 'POST', (id) => `/groups/${id}/action`, { [action]: value });

async function associated(world: World): Promise<{ id: string; typeId: string }> {
  const [id, typeId] = [await qos(world), await type(world)];
  await send(world, 'GET', `/qos-specs/${id}/associate?vol_type_id=${typeId}`);
  return { id, typeId };
}

/** Of a request to the path of a row, which is made for the scene. */
const on =
  (make: (world: World) => Promise<string>, method: string, path: (id: string) => string, body?: unknown): Scene =>
  async (world) => {
    const id = await make(world);
    return () => send(world, method, path(id), body);
  };
const onAction =
  (action: string, value: unknown = {}, ...before: readonly (readonly [string, unknown])[]): Scene =>
  async (world) => {
    const id = await volume(world);
    for (const [name, given] of before) await act(world, id, name, given);
    return () => send(world, 'POST', `/volumes/${id}/action`, { [action]: value });
  };
const retyped =
  (extra_specs: object = {}): Scene =>
  async (world) => {
    const [id, new_type] = [await volume(world), await type(world, { extra_specs })];
    const request = { new_type, migration_policy: 'on-demand' };
    return () => send(world, 'POST', `/volumes/${id}/action`, { 'os-retype': request });
  };
const migrated =
  (extra_specs: object = {}): Scene =>
  async (world) => {
    const volume_type = await type(world, { extra_specs });
    const created = { volume: { size: 1, volume_type } };
    const id = await available(world, 'volume', await made(world, '/volumes', created));
    const { 'os-vol-host-attr:host': from } = (await world.get(`/volumes/${id}`)).body.volume;
    const host = from === 'node@file#file' ? 'node@other#other' : 'node@file#file';
    return () => send(world, 'POST', `/volumes/${id}/action`, { 'os-migrate_volume': { host } });
  };
const onSnapshotAction = (action: string, value: unknown = {}) =>
  on(snapshot, 'POST', (id) => `/snapshots/${id}/action`, { [action]: value });
const plain =
  (method: string, path: string, body?: unknown): Scene =>
  async (world) =>
  () =>
    send(world, method, path, body);
const withKey =
  (make: (world: World) => Promise<string>, kind: string, body = { metadata: { key: 'value' } }) =>
  async (world: World): Promise<string> => {
    const id = await make(world);
    await send(world, 'POST', `/${kind}/${id}/metadata`, body);
    return id;
  };

const METADATA = { metadata: { key: 'value' } };
const TO_HOST = { host_name: 'h', mountpoint: '/dev/vdb' };
const SERVICE = { host: 'node@file', binary: 'cinder-volume' };

const metadataOf = (kind: 'volumes' | 'snapshots', make: (world: World) => Promise<string>): Record<string, Scene> => ({
  [`POST /${kind}/:id/metadata`]: on(make, 'POST', (id) => `/${kind}/${id}/metadata`, METADATA),
  [`PUT /${kind}/:id/metadata`]: on(make, 'PUT', (id) => `/${kind}/${id}/metadata`, METADATA),
  [`PUT /${kind}/:id/metadata/:key`]: on(make, 'PUT', (id) => `/${kind}/${id}/metadata/key`, { meta: { key: 'x' } }),
  [`DELETE /${kind}/:id/metadata/:key`]: on(withKey(make, kind), 'DELETE', (id) => `/${kind}/${id}/metadata/key`),
});

const manageable = (paths: readonly [string, string], kind: 'volume' | 'snapshot'): Record<string, Scene> =>
  Object.fromEntries(
    paths.map((path): [string, Scene] => [
      `POST ${path}`,
      async (world) => {
        const ref = await foreignFile(world);
        const where = kind === 'volume' ? { host: 'node@file' } : { volume_id: await volume(world) };
        return () => send(world, 'POST', path, { [kind]: { ...where, ref } });
      },
    ]),
  );

const transfers = (path: string): Record<string, Scene> => {
  const offered = async (world: World) => {
    const answer = await send(world, 'POST', path, { transfer: { volume_id: await volume(world) } });
    return answer.body.transfer as { readonly id: string; readonly auth_key: string };
  };
  return {
    [`POST ${path}`]: async (world) => {
      const volume_id = await volume(world);
      return () => send(world, 'POST', path, { transfer: { volume_id } });
    },
    [`DELETE ${path}/:id`]: on(
      async (world) => (await offered(world)).id,
      'DELETE',
      (id) => `${path}/${id}`,
    ),
    [`POST ${path}/:id/accept`]: async (world) => {
      const { id, auth_key } = await offered(world);
      return () => send(world, 'POST', `${path}/${id}/accept`, { accept: { auth_key } }, uuid().replaceAll('-', ''));
    },
  };
};

/** An image whose backend may keep it, whatever its file system can do. */
async function cacheable(world: World): Promise<string> {
  for (const { driver } of world.service.backends)
    if (driver) Object.defineProperty(driver, 'capabilities', { value: { ...driver.capabilities, fastClone: true } });
  return image(world);
}

async function changeImage({ config: { images } }: World, id: string): Promise<void> {
  assert.equal(images.store, 'directory');
  const path = join(images.directory, `${id}.json`);
  const said: object = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...said, updated_at: '2026-01-31T12:00:00Z' }));
}

const create = (world: World, imageRef: string) => send(world, 'POST', '/volumes', { volume: { size: 1, imageRef } });

/** By what the table says was asked. */
const SCENES: Readonly<Record<string, Scene>> = {
  'POST /volumes': plain('POST', '/volumes', { volume: { size: 1 } }),
  'POST /volumes, and no backend takes it': plain('POST', '/volumes', { volume: { size: 1_000_000 } }),
  'POST /volumes, of an image that the cache has not': async (world) => {
    const id = await cacheable(world);
    return () => create(world, id);
  },
  'POST /volumes, of an image that the cache has': async (world) => {
    const id = await cacheable(world);
    await create(world, id);
    return () => create(world, id);
  },
  'POST /volumes, of an image that has changed since': async (world) => {
    const id = await cacheable(world);
    await create(world, id);
    await still(world);
    await changeImage(world, id);
    return () => create(world, id);
  },
  'PUT /volumes/:id': on(volume, 'PUT', (id) => `/volumes/${id}`, { volume: { name: 'other' } }),
  'DELETE /volumes/:id': on(volume, 'DELETE', (id) => `/volumes/${id}`),
  'DELETE /volumes/:id, with a snapshot (cascade)': async (world) => {
    const id = await snapshot(world);
    const { volume_id } = (await world.get(`/snapshots/${id}`)).body.snapshot;
    return () => send(world, 'DELETE', `/volumes/${volume_id}?cascade=true`);
  },
  'DELETE /volumes/:id, of one that came to no backend': on(
    async (world) => (await world.volume({ status: 'error' })).id,
    'DELETE',
    (id) => `/volumes/${id}`,
  ),
  ...metadataOf('volumes', volume),
  'POST /volumes/:id/action os-extend': onAction('os-extend', { new_size: 2 }),
  'POST /volumes/:id/action os-extend, and its pool has no room': onAction('os-extend', { new_size: 1_000_000 }),
  'POST /volumes/:id/action os-extend_volume_completion': onAction('os-extend_volume_completion', { error: false }),
  'POST /volumes/:id/action os-retype': retyped(),
  'POST /volumes/:id/action os-retype, to a type of another backend': retyped({ volume_backend_name: 'other' }),
  'POST /volumes/:id/action os-retype, and no backend is good for it': retyped({ volume_backend_name: 'none' }),
  'POST /volumes/:id/action os-migrate_volume': migrated(),
  'POST /volumes/:id/action os-migrate_volume, and no backend is good for it': migrated({
    volume_backend_name: 'file',
  }),
  'POST /volumes/:id/action os-migrate_volume_completion': async (world) => {
    const [id, new_volume] = [await volume(world), await volume(world)];
    return () => send(world, 'POST', `/volumes/${id}/action`, { 'os-migrate_volume_completion': { new_volume } });
  },
  'POST /volumes/:id/action os-set_bootable': onAction('os-set_bootable', { bootable: true }),
  'POST /volumes/:id/action os-update_readonly_flag': onAction('os-update_readonly_flag', { readonly: true }),
  'POST /volumes/:id/action os-reset_status': onAction('os-reset_status', { status: 'error' }),
  'POST /volumes/:id/action os-reset_status, to detached': async (world) => {
    const { volumeId } = await attachment(world);
    const reset = { 'os-reset_status': { status: 'available', attach_status: 'detached' } };
    return () => send(world, 'POST', `/volumes/${volumeId}/action`, reset);
  },
  'POST /volumes/:id/action os-force_delete': onAction('os-force_delete'),
  'POST /volumes/:id/action os-set_image_metadata': onAction('os-set_image_metadata', METADATA),
  'POST /volumes/:id/action os-show_image_metadata': onAction('os-show_image_metadata'),
  'POST /volumes/:id/action os-unset_image_metadata': onAction('os-unset_image_metadata', { key: 'key' }, [
    'os-set_image_metadata',
    METADATA,
  ]),
  'POST /volumes/:id/action os-unmanage': onAction('os-unmanage'),
  'POST /volumes/:id/action revert': async (world) => {
    const snapshot_id = await snapshot(world);
    const { volume_id } = (await world.get(`/snapshots/${snapshot_id}`)).body.snapshot;
    return () => send(world, 'POST', `/volumes/${volume_id}/action`, { revert: { snapshot_id } });
  },
  'POST /volumes/:id/action os-reimage': async (world) => {
    const [volumeId, image_id] = [await volume(world), await image(world)];
    return () => send(world, 'POST', `/volumes/${volumeId}/action`, { 'os-reimage': { image_id } });
  },
  'POST /volumes/:id/action os-volume_upload_image': onAction('os-volume_upload_image', {
    image_name: 'picture',
    disk_format: 'qcow2',
  }),
  'POST /volumes/:id/action os-reserve': onAction('os-reserve'),
  'POST /volumes/:id/action os-unreserve': onAction('os-unreserve', {}, ['os-reserve', {}]),
  'POST /volumes/:id/action os-begin_detaching': onAction('os-begin_detaching', {}, ['os-attach', TO_HOST]),
  'POST /volumes/:id/action os-roll_detaching': onAction(
    'os-roll_detaching',
    {},
    ['os-attach', TO_HOST],
    ['os-begin_detaching', {}],
  ),
  'POST /volumes/:id/action os-attach': onAction('os-attach', TO_HOST),
  'POST /volumes/:id/action os-detach': onAction('os-detach', {}, ['os-attach', TO_HOST]),
  'POST /volumes/:id/action os-force_detach': onAction('os-force_detach', {}, ['os-attach', TO_HOST]),
  'POST /volumes/:id/action os-initialize_connection': onAction('os-initialize_connection', { connector: HERE }),
  'POST /volumes/:id/action os-terminate_connection': onAction('os-terminate_connection', { connector: HERE }, [
    'os-initialize_connection',
    { connector: HERE },
  ]),
  'POST /snapshots': async (world) => {
    const volume_id = await volume(world);
    return () => send(world, 'POST', '/snapshots', { snapshot: { volume_id } });
  },
  'PUT /snapshots/:id': on(snapshot, 'PUT', (id) => `/snapshots/${id}`, { snapshot: { name: 'other' } }),
  'DELETE /snapshots/:id': on(snapshot, 'DELETE', (id) => `/snapshots/${id}`),
  ...metadataOf('snapshots', snapshot),
  'POST /snapshots/:id/action os-reset_status': onSnapshotAction('os-reset_status', { status: 'error' }),
  'POST /snapshots/:id/action os-force_delete': onSnapshotAction('os-force_delete'),
  'POST /snapshots/:id/action os-update_snapshot_status': async (world) => {
    const id = await snapshot(world);
    await world.service.db.write((tx) => updateSnapshot(tx, id, { status: 'creating' }));
    return () =>
      send(world, 'POST', `/snapshots/${id}/action`, { 'os-update_snapshot_status': { status: 'available' } });
  },
  'POST /snapshots/:id/action os-unmanage': onSnapshotAction('os-unmanage'),
  'POST /attachments': async (world) => {
    const volume_uuid = await volume(world);
    return () => send(world, 'POST', '/attachments', { attachment: { volume_uuid } });
  },
  'POST /attachments, with a connector': async (world) => {
    const volume_uuid = await volume(world);
    return () => send(world, 'POST', '/attachments', { attachment: { volume_uuid, connector: HERE } });
  },
  'PUT /attachments/:id': on(
    async (world) => (await attachment(world, null)).id,
    'PUT',
    (id) => `/attachments/${id}`,
    {
      attachment: { connector: HERE },
    },
  ),
  'DELETE /attachments/:id': on(
    async (world) => (await attachment(world)).id,
    'DELETE',
    (id) => `/attachments/${id}`,
  ),
  'DELETE /attachments/:id, of a reservation': on(
    async (world) => (await attachment(world, null)).id,
    'DELETE',
    (id) => `/attachments/${id}`,
  ),
  'POST /attachments/:id/action os-complete': on(
    async (world) => (await attachment(world)).id,
    'POST',
    (id) => `/attachments/${id}/action`,
    { 'os-complete': {} },
  ),
  ...manageable(['/os-volume-manage', '/manageable_volumes'], 'volume'),
  ...manageable(['/os-snapshot-manage', '/manageable_snapshots'], 'snapshot'),
  ...transfers('/os-volume-transfer'),
  ...transfers('/volume-transfers'),
  'POST /types': plain('POST', '/types', { volume_type: { name: 'a' } }),
  'PUT /types/:id': on(type, 'PUT', (id) => `/types/${id}`, { volume_type: { description: 'other' } }),
  'DELETE /types/:id': on(type, 'DELETE', (id) => `/types/${id}`),
  'POST /types/:id/extra_specs': on(type, 'POST', (id) => `/types/${id}/extra_specs`, { extra_specs: { a: 'b' } }),
  'PUT /types/:id/extra_specs/:key': on(
    (world) => type(world, { extra_specs: { a: 'b' } }),
    'PUT',
    (id) => `/types/${id}/extra_specs/a`,
    { a: 'c' },
  ),
  'DELETE /types/:id/extra_specs/:key': on(
    (world) => type(world, { extra_specs: { a: 'b' } }),
    'DELETE',
    (id) => `/types/${id}/extra_specs/a`,
  ),
  'POST /types/:id/action addProjectAccess': on(
    (world) => type(world, { 'os-volume-type-access:is_public': false }),
    'POST',
    (id) => `/types/${id}/action`,
    { addProjectAccess: { project: PROJECT } },
  ),
  'POST /types/:id/action removeProjectAccess': on(
    async (world) => {
      const id = await type(world, { 'os-volume-type-access:is_public': false });
      await send(world, 'POST', `/types/${id}/action`, { addProjectAccess: { project: PROJECT } });
      return id;
    },
    'POST',
    (id) => `/types/${id}/action`,
    { removeProjectAccess: { project: PROJECT } },
  ),
  'POST /types/:id/encryption': on(type, 'POST', (id) => `/types/${id}/encryption`, { encryption: LUKS }),
  ...Object.fromEntries(
    (['PUT', 'DELETE'] as const).map((method): [string, Scene] => [
      `${method} /types/:id/encryption/:key`,
      async (world) => {
        const id = await type(world);
        const { encryption } = (await send(world, 'POST', `/types/${id}/encryption`, { encryption: LUKS })).body;
        const body = method === 'PUT' ? { encryption: { cipher: 'aes-xts-plain64' } } : undefined;
        return () => send(world, method, `/types/${id}/encryption/${encryption.encryption_id}`, body);
      },
    ]),
  ),
  'PUT /default-types/:id': on(type, 'PUT', () => `/default-types/${PROJECT}`, { default_type: { volume_type: 'a' } }),
  'DELETE /default-types/:id': on(
    async (world) => {
      await type(world);
      await send(world, 'PUT', `/default-types/${PROJECT}`, { default_type: { volume_type: 'a' } });
      return PROJECT;
    },
    'DELETE',
    (id) => `/default-types/${id}`,
  ),
  'POST /qos-specs': plain('POST', '/qos-specs', { qos_specs: { name: 'q' } }),
  'PUT /qos-specs/:id': on(qos, 'PUT', (id) => `/qos-specs/${id}`, { qos_specs: { other: 'value' } }),
  'DELETE /qos-specs/:id': on(qos, 'DELETE', (id) => `/qos-specs/${id}`),
  'DELETE /qos-specs/:id, by force of those that a type has': on(
    async (world) => (await associated(world)).id,
    'DELETE',
    (id) => `/qos-specs/${id}?force=true`,
  ),
  'PUT /qos-specs/:id/delete_keys': on(qos, 'PUT', (id) => `/qos-specs/${id}/delete_keys`, { keys: ['key'] }),
  'GET /qos-specs/:id/associate': async (world) => {
    const [id, typeId] = [await qos(world), await type(world)];
    return () => send(world, 'GET', `/qos-specs/${id}/associate?vol_type_id=${typeId}`);
  },
  'GET /qos-specs/:id/disassociate': async (world) => {
    const { id, typeId } = await associated(world);
    return () => send(world, 'GET', `/qos-specs/${id}/disassociate?vol_type_id=${typeId}`);
  },
  'GET /qos-specs/:id/disassociate_all': on(
    async (world) => (await associated(world)).id,
    'GET',
    (id) => `/qos-specs/${id}/disassociate_all`,
  ),
  'POST /group_types': plain('POST', '/group_types', { group_type: { name: 'g' } }),
  'PUT /group_types/:id': on(groupType, 'PUT', (id) => `/group_types/${id}`, { group_type: { name: 'other' } }),
  'DELETE /group_types/:id': on(groupType, 'DELETE', (id) => `/group_types/${id}`),
  'POST /group_types/:id/group_specs': on(groupType, 'POST', (id) => `/group_types/${id}/group_specs`, {
    group_specs: { other: 'value' },
  }),
  'PUT /group_types/:id/group_specs/:key': on(groupType, 'PUT', (id) => `/group_types/${id}/group_specs/key`, {
    key: 'other',
  }),
  'DELETE /group_types/:id/group_specs/:key': on(groupType, 'DELETE', (id) => `/group_types/${id}/group_specs/key`),
  'POST /groups': async (world) => {
    const group_type = await groupType(world);
    return () => send(world, 'POST', '/groups', { group: { group_type, volume_types: ['__DEFAULT__'] } });
  },
  'POST /groups, and no backend takes it': async (world) => {
    const group_type = await groupType(world);
    await type(world, { extra_specs: { volume_backend_name: 'elsewhere' } });
    return () => send(world, 'POST', '/groups', { group: { group_type, volume_types: ['a'] } });
  },
  'PUT /groups/:id, one volume comes and another goes': async (world) => {
    const id = await group(world);
    const [remove_volumes, add_volumes] = [await member(world, id), await volume(world)];
    return () => send(world, 'PUT', `/groups/${id}`, { group: { add_volumes, remove_volumes } });
  },
  'PUT /groups/:id, a name': on(group, 'PUT', (id) => `/groups/${id}`, { group: { name: 'other' } }),
  'POST /groups/:id/action delete': onGroup('delete'),
  'POST /groups/:id/action delete, with its volumes': async (world) => {
    const id = await group(world);
    await member(world, id);
    return () => send(world, 'POST', `/groups/${id}/action`, { delete: { 'delete-volumes': true } });
  },
  'POST /groups/:id/action reset_status': onGroup('reset_status', { status: 'error' }),
  'POST /groups/:id/action enable_replication': onGroup('enable_replication'),
  'POST /groups/:id/action disable_replication': onGroup('disable_replication'),
  'POST /groups/:id/action failover_replication': onGroup('failover_replication'),
  'POST /groups/:id/action list_replication_targets': onGroup('list_replication_targets'),
  'POST /consistencygroups': async (world) => {
    await consistencyGroup(world);
    return () => send(world, 'POST', '/consistencygroups', { consistencygroup: { volume_types: '__DEFAULT__' } });
  },
  'PUT /consistencygroups/:id/update': async (world) => {
    const [id, add_volumes] = [await consistencyGroup(world), await volume(world)];
    return () => send(world, 'PUT', `/consistencygroups/${id}/update`, { consistencygroup: { add_volumes } });
  },
  'POST /consistencygroups/:id/delete': on(consistencyGroup, 'POST', (id) => `/consistencygroups/${id}/delete`, {
    consistencygroup: { force: false },
  }),
  'POST /consistencygroups/create_from_src': async (world) => {
    const body = { 'consistencygroup-from-src': { cgsnapshot_id: await cgsnapshot(world) } };
    return () => send(world, 'POST', '/consistencygroups/create_from_src', body);
  },
  'POST /cgsnapshots': async (world) => {
    const consistencygroup_id = await consistencyGroup(world);
    await member(world, consistencygroup_id);
    return () => send(world, 'POST', '/cgsnapshots', { cgsnapshot: { consistencygroup_id } });
  },
  'DELETE /cgsnapshots/:id': on(cgsnapshot, 'DELETE', (id) => `/cgsnapshots/${id}`),
  'POST /groups/action create-from-src': async (world) => {
    const body = { 'create-from-src': { group_snapshot_id: await groupSnapshot(world) } };
    return () => send(world, 'POST', '/groups/action', body);
  },
  'POST /group_snapshots': async (world) => {
    const group_id = await group(world);
    await member(world, group_id);
    await member(world, group_id);
    return () => send(world, 'POST', '/group_snapshots', { group_snapshot: { group_id } });
  },
  'DELETE /group_snapshots/:id': on(groupSnapshot, 'DELETE', (id) => `/group_snapshots/${id}`),
  'POST /group_snapshots/:id/action reset_status': on(groupSnapshot, 'POST', (id) => `/group_snapshots/${id}/action`, {
    reset_status: { status: 'error' },
  }),
  'POST /volumes, of a backup': async (world) => {
    const backup_id = await backup(world);
    return () => send(world, 'POST', '/volumes', { volume: { backup_id } });
  },
  'POST /backups': async (world) => {
    const volume_id = await volume(world);
    return () => send(world, 'POST', '/backups', { backup: { volume_id } });
  },
  'POST /backups, and its store is not there': async (world) => {
    const volume_id = await volume(world);
    await rm(join(world.config.data_directory, 'backups'), { recursive: true });
    return () => send(world, 'POST', '/backups', { backup: { volume_id } });
  },
  'DELETE /backups/:id': on(backup, 'DELETE', (id) => `/backups/${id}`),
  'POST /backups/:id/restore': async (world) => {
    const [id, volume_id] = [await backup(world), await volume(world)];
    return () => send(world, 'POST', `/backups/${id}/restore`, { restore: { volume_id } });
  },
  'POST /backups/:id/restore, into a new volume': on(backup, 'POST', (id) => `/backups/${id}/restore`, {
    restore: { name: 'again' },
  }),
  'POST /backups/import_record': async (world) => {
    const id = await backup(world);
    const { body } = await world.get(`/backups/${id}/export_record`, { version });
    await world.service.db.write((tx) => deleteBackupRow(tx, id));
    return () => send(world, 'POST', '/backups/import_record', body);
  },
  'POST /backups/:id/action os-force_delete': on(backup, 'POST', (id) => `/backups/${id}/action`, {
    'os-force_delete': {},
  }),
  'PUT /backups/:id': on(backup, 'PUT', (id) => `/backups/${id}`, { backup: { name: 'other' } }),
  'POST /backups/:id/action os-reset_status': on(backup, 'POST', (id) => `/backups/${id}/action`, {
    'os-reset_status': { status: 'error' },
  }),
  'PUT /os-quota-sets/:id': plain('PUT', `/os-quota-sets/${PROJECT}`, { quota_set: { volumes: 5 } }),
  'DELETE /os-quota-sets/:id': plain('DELETE', `/os-quota-sets/${PROJECT}`),
  'PUT /os-quota-class-sets/:id': plain('PUT', '/os-quota-class-sets/default', { quota_class_set: { volumes: 5 } }),
  'DELETE /messages/:id': on(
    (world) =>
      world.service.db.write((tx) =>
        insertMessage(tx, {
          projectId: PROJECT,
          requestId: 'req-1',
          resourceType: 'VOLUME',
          resourceId: uuid(),
          eventId: 'VOLUME_VOLUME_001_003',
          level: 'ERROR',
          text: 'No storage backend can take it.',
          expiresAt: fromNow(3_600_000),
        }),
      ),
    'DELETE',
    (id) => `/messages/${id}`,
  ),
  'PUT /os-services/enable': plain('PUT', '/os-services/enable', SERVICE),
  'PUT /os-services/disable': plain('PUT', '/os-services/disable', SERVICE),
  'PUT /os-services/disable-log-reason': plain('PUT', '/os-services/disable-log-reason', {
    ...SERVICE,
    disabled_reason: 'why',
  }),
  'PUT /os-services/freeze': plain('PUT', '/os-services/freeze', { host: SERVICE.host }),
  'PUT /os-services/thaw': async (world) => {
    await send(world, 'PUT', '/os-services/freeze', { host: SERVICE.host });
    return () => send(world, 'PUT', '/os-services/thaw', { host: SERVICE.host });
  },
  'PUT /os-services/failover_host': plain('PUT', '/os-services/failover_host', { host: SERVICE.host }),
  'PUT /os-services/failover': plain('PUT', '/os-services/failover', { host: SERVICE.host }),
  'PUT /os-services/set-log': plain('PUT', '/os-services/set-log', { level: 'DEBUG' }),
  'PUT /os-services/get-log': plain('PUT', '/os-services/get-log', {}),
  'PUT /os-hosts/:host': plain('PUT', '/os-hosts/node@file', { status: 'disable' }),
  'PUT /clusters/enable': plain('PUT', '/clusters/enable', { name: 'c' }),
  'PUT /clusters/disable': plain('PUT', '/clusters/disable', { name: 'c' }),
  'POST /workers/cleanup': plain('POST', '/workers/cleanup', {}),
  'POST /pumice/v1/flows/:id/action resume': ordered('resume'),
  'POST /pumice/v1/flows/:id/action revert': ordered('revert'),
  'POST /pumice/v1/flows/:id/action cancel': ordered('cancel'),
  'POST /pumice/v1/flows/:id/action abandon': ordered('abandon'),
  'POST /pumice/v1/doctor': plain('POST', '//pumice/v1/doctor'),
  'POST /pumice/v1/session': byPage('POST', { session: { project: PROJECT } }),
  'DELETE /pumice/v1/session': byPage('DELETE'),
};

function byPage(method: string, body?: object): Scene {
  const headers = { origin: 'http://pumice.test:8776', 'content-type': 'application/json' };
  return async (world) => () => world.ask(method, '//pumice/v1/session', { headers, ...(body && { body }) });
}

/** An order to a flow that has ended: there is none that would not change what the flow tells. */
function ordered(wish: string): Scene {
  return async (world) => {
    await volume(world);
    await still(world);
    const { id } = await world.service.db.read.selectFrom('flow').select('id').executeTakeFirstOrThrow();
    return () => send(world, 'POST', `//pumice/v1/flows/${id}/action`, { [wish]: {} });
  };
}

/** What there is to refuse here, whoever asks: nothing of it is ever done. */
const REFUSED: ReadonlySet<string> = new Set([
  'PUT /os-services/failover_host',
  'PUT /os-services/failover',
  'PUT /clusters/enable',
  'PUT /clusters/disable',
  'POST /volumes/:id/action os-extend_volume_completion',
  ...['resume', 'revert', 'cancel', 'abandon'].map((wish) => `POST /pumice/v1/flows/:id/action ${wish}`),
  ...['enable_replication', 'disable_replication', 'failover_replication', 'list_replication_targets'].map(
    (action) => `POST /groups/:id/action ${action}`,
  ),
]);

/** For what moves from one to the other. */
const backend = (directory: string, name: string, ...options: readonly string[]): readonly string[] =>
  ['driver=file', `path=${join(directory, name)}`, 'create=true', ...options].map(
    (option) => `backends.${name}.${option}`,
  );
const twoBackends = (directory: string) => ['file', 'other'].flatMap((name) => backend(directory, name));
const withCache = (directory: string) => backend(directory, 'file', 'image_volume_cache_enabled=true');

/** What the table says: asked → told. */
const TABLE = new Map(
  [...readFileSync('docs/events.md', 'utf8').matchAll(/^\| (`(?:GET|POST|PUT|DELETE) .*) \| (.*) \|$/gm)].map(
    ([, asked = '', told = '']): [string, readonly string[]] => [
      asked.replaceAll('`', ''),
      [...told.matchAll(/`([^`]+)`/g)].map(([, event = '']) => event),
    ],
  ),
);

const last = async ({ service }: World): Promise<number> =>
  (await service.db.read.selectFrom('outbox').select('seq').orderBy('seq', 'desc').executeTakeFirst())?.seq ?? 0;

async function toldSince({ service }: World, seq: number): Promise<readonly string[]> {
  const rows = await service.db.read
    .selectFrom('outbox')
    .select('event_type')
    .where('seq', '>', seq)
    .orderBy('seq')
    .execute();
  return rows.map(({ event_type }) => event_type);
}

/** Until no flow is at work. */
async function still(world: World): Promise<void> {
  const { read } = world.service.db;
  const deadline = performance.now() + 60_000;
  while ((await read.selectFrom('flow').select('id').where('ended_at', 'is', null).executeTakeFirst()) !== undefined) {
    assert.ok(performance.now() < deadline, 'A flow never ended.');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('what is told of', () => {
  for (const [asked, told] of TABLE) {
    it(`${asked} is ${told.join(', ') || 'nothing'}`, async (context: TestContext) => {
      const scene = SCENES[asked];
      assert.ok(scene, 'No scene makes this request.');
      const directory = await mkdtemp(join(tmpdir(), `pumice-events-${process.pid}-`));
      const set = [
        'quota.quota_gigabytes=-1',
        ...(/of an image/.test(asked) ? withCache(directory) : []),
        ...(/another backend|os-migrate_volume/.test(asked) ? twoBackends(directory) : []),
        'backup_stores.main.backup_driver=posix',
        'backup_stores.main.backup_posix_path=$data_directory/backups',
      ];
      const world = await freshWorld(context, { running: true, set });
      context.after(() => rm(directory, { recursive: true }));
      await mkdir(join(world.config.data_directory, 'backups'));
      const request = await scene(world);
      await still(world);
      const before = await last(world);
      const answer = await request();
      assert.equal(answer.status < 300, !REFUSED.has(asked), `${answer.status}: ${answer.text}`);
      await still(world);
      assert.deepEqual(await toldSince(world, before), told);
    });
  }

  it('each route that changes anything stands in the table', () => {
    const changing = everyRoute
      .filter(({ method, path }) => method !== 'GET' || /^\/qos-specs\/:id\/(dis)?associate/.test(path))
      .map(callOf);
    const rows = [...TABLE.keys()].map((asked) => asked.replace(/, .*$/, ''));
    assert.deepEqual([...new Set(rows)].sort(), [...new Set(changing)].sort());
    assert.deepEqual([...TABLE.keys()].sort(), Object.keys(SCENES).sort());
  });
});
