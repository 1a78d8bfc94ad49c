/** `attachments`, and what a volume shows of them. */
import assert from 'node:assert/strict';
import { readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { describe, it } from 'node:test';
import { insertAttachment } from '../../src/db/attachments.ts';
import { insertVolumeType } from '../../src/db/volume-types.ts';
import { updateVolume } from '../../src/db/volumes.ts';
import { uuid } from '../../src/lib/clock.ts';
import type { NewAttachment } from '../../src/model/attachment.ts';
import { getAsMember } from './member.ts';
import { type Answer, type Asked, freshWorld, PROJECT, until, type World } from './world.ts';

const LATEST = '3.71';
const HERE = { host: hostname(), initiator: 'iqn.2004-10.test:here' };

/** A world whose flows run, with a volume on its backend. */
async function running(context: Parameters<typeof freshWorld>[0], volume: object = {}) {
  const world = await freshWorld(context, { running: true });
  const made = await world.ask('POST', '/volumes', { body: { volume: { size: 1, ...volume } } });
  assert.equal(made.status, 202, made.text);
  const { id } = made.body.volume;
  const show = async () => (await world.get(`/volumes/${id}`, { version: LATEST })).body.volume;
  await until(
    () => world.get(`/volumes/${id}`),
    ({ body }) => body.volume.status === 'available',
  );
  return { world, id, show, ...attaching(world) };
}

function attaching(world: World) {
  const ask = (method: string, path: string, asked: Asked = {}): Promise<Answer> =>
    world.ask(method, path, { version: LATEST, ...asked });
  return {
    create: (attachment: object, asked: Asked = {}) => ask('POST', '/attachments', { body: { attachment }, ...asked }),
    update: (id: string, attachment: object) => ask('PUT', `/attachments/${id}`, { body: { attachment } }),
    complete: (id: string, version = LATEST) =>
      ask('POST', `/attachments/${id}/action`, { version, body: { 'os-complete': null } }),
    remove: (id: string, headers = {}) => ask('DELETE', `/attachments/${id}`, { headers }),
    get: (id: string) => ask('GET', `/attachments/${id}`),
  };
}

const SERVICE = { 'x-service-token': 'nova' };

describe('an attachment', () => {
  it('goes from reserved to attaching to attached, and leaves the volume as it found it', async (context) => {
    const { id, show, create, update, complete, remove, get } = await running(context);
    const server = uuid();
    const made = await create({ volume_uuid: id, instance_uuid: server });
    assert.equal(made.status, 200, made.text);
    const { attachment } = made.body;
    assert.deepEqual(attachment, {
      id: attachment.id,
      status: 'reserved',
      instance: server,
      volume_id: id,
      attached_at: '',
      detached_at: '',
      attach_mode: 'rw',
      connection_info: {},
    });
    assert.equal((await show()).status, 'reserved');

    const updated = await update(attachment.id, { connector: HERE });
    assert.equal(updated.status, 200, updated.text);
    const { connection_info: reached } = updated.body.attachment;
    assert.equal(updated.body.attachment.status, 'attaching');
    assert.partialDeepStrictEqual(reached, {
      driver_volume_type: 'local',
      attachment_id: attachment.id,
      access_mode: 'rw',
      encrypted: false,
      volume_id: id,
    });
    assert.equal(await readlink(reached.device_path), `volume-${id}`);
    assert.deepEqual([(await show()).status, (await show()).attachments], ['attaching', []]);

    assert.equal((await complete(attachment.id)).status, 204);
    const volume = await show();
    assert.equal(volume.status, 'in-use');
    assert.deepEqual(volume.metadata, { attached_mode: 'rw' });
    assert.deepEqual(volume.attachments, [
      {
        id,
        attachment_id: attachment.id,
        volume_id: id,
        server_id: server,
        host_name: HERE.host,
        device: null,
        attached_at: (await get(attachment.id)).body.attachment.attached_at,
      },
    ]);

    assert.equal((await remove(attachment.id)).status, 409);
    assert.equal((await show()).status, 'in-use');
    const removed = await remove(attachment.id, SERVICE);
    assert.deepEqual([removed.status, removed.body], [200, { attachments: [] }]);
    const after = await show();
    assert.deepEqual([after.status, after.attachments, after.metadata], ['available', [], {}]);
    await assert.rejects(readlink(reached.device_path), { code: 'ENOENT' });
    assert.equal((await get(attachment.id)).status, 404);
  });

  it('is made and connected in one request', async (context) => {
    const { id, create, show, remove } = await running(context);
    const made = await create({ volume_uuid: id, connector: HERE, mode: 'ro' });
    assert.equal(made.status, 200, made.text);
    assert.equal(made.body.attachment.connection_info.access_mode, 'ro');
    assert.equal((await show()).status, 'attaching');
    assert.equal((await remove(made.body.attachment.id)).status, 200);
    assert.equal((await show()).status, 'available');
  });

  it('to a machine that cannot be connected is refused, and leaves nothing', async (context) => {
    const { world, id, create, show } = await running(context);
    const made = await create({ volume_uuid: id, connector: { host: 'elsewhere' } });
    assert.equal(made.status, 400);
    assert.match(made.text, /elsewhere/);
    assert.equal((await show()).status, 'available');
    assert.deepEqual((await world.get('/attachments', { version: LATEST })).body, { attachments: [] });
  });

  it('keeps the volume from being deleted', async (context) => {
    const { world, id, create } = await running(context);
    await create({ volume_uuid: id, connector: HERE });
    assert.equal((await world.ask('DELETE', `/volumes/${id}`)).status, 400);
    assert.equal((await world.ask('POST', `/volumes/${id}/action`, { body: { 'os-force_delete': {} } })).status, 400);
  });

  it('to a host without a server is ended by anyone', async (context) => {
    const { id, create, complete, remove } = await running(context);
    const { attachment } = (await create({ volume_uuid: id, connector: HERE })).body;
    assert.equal((await complete(attachment.id)).status, 204);
    assert.equal((await complete(attachment.id)).status, 204);
    assert.equal((await remove(attachment.id)).status, 200);
  });
});

describe('a request for an attachment', () => {
  const at = async (context: Parameters<typeof freshWorld>[0], given = {}) => {
    const world = await freshWorld(context);
    const volume = await world.volume({ host: 'node@file#file', ...given });
    return { world, volume, ...attaching(world) };
  };

  it('wants a volume that is there and free', async (context) => {
    const { volume, create } = await at(context);
    assert.equal((await create({ volume_uuid: uuid() })).status, 404);
    assert.equal((await create({ volume_uuid: volume.id })).status, 200);
    assert.equal((await create({ volume_uuid: volume.id })).status, 400);
    assert.equal((await create({ volume_uuid: volume.id, instance_uuid: uuid() })).status, 400);
    assert.equal((await create({})).status, 400);
    assert.equal((await create({ volume_uuid: 'x' })).status, 400);
  });

  it('is not known before 3.27, its completion not before 3.44, and its mode not before 3.54', async (context) => {
    const { world, volume, create, complete } = await at(context);
    assert.equal((await create({ volume_uuid: volume.id }, { version: '3.26' })).status, 404);
    assert.equal((await world.ask('GET', '/attachments', { version: '3.26' })).status, 404);
    assert.equal((await create({ volume_uuid: volume.id, mode: 'ro' }, { version: '3.53' })).status, 400);
    const made = await create({ volume_uuid: volume.id, mode: 'ro' }, { version: '3.54' });
    assert.equal(made.body.attachment.attach_mode, 'ro');
    assert.equal((await complete(made.body.attachment.id, '3.43')).status, 404);
    assert.equal((await complete(made.body.attachment.id, '3.44')).status, 204);
  });

  it('of the server that has the volume gives it a second one, to migrate with', async (context) => {
    const { volume, create } = await at(context);
    const server = uuid();
    assert.equal((await create({ volume_uuid: volume.id, instance_uuid: server })).status, 200);
    assert.equal((await create({ volume_uuid: volume.id, instance_uuid: server })).status, 200);
  });

  it('gives a volume that many may attach to another server', async (context) => {
    const { volume, create, complete, remove, world } = await at(context, { multiattach: true });
    const made = [];
    for (const _ of [1, 2]) {
      const { attachment } = (await create({ volume_uuid: volume.id, instance_uuid: uuid() })).body;
      assert.equal((await complete(attachment.id)).status, 204);
      made.push(attachment.id);
    }
    const removed = await remove(made[0], SERVICE);
    assert.deepEqual(
      removed.body.attachments.map(({ id }: { id: string }) => id),
      [made[1]],
    );
    assert.equal((await world.get(`/volumes/${volume.id}`)).body.volume.status, 'in-use');
    assert.equal((await remove(made[1], SERVICE)).status, 200);
    assert.equal((await world.get(`/volumes/${volume.id}`)).body.volume.status, 'available');
  });

  it('to write to a volume that is read-only is refused; to read it is not', async (context) => {
    const { volume, create } = await at(context, { adminMetadata: { readonly: 'True' } });
    assert.equal((await create({ volume_uuid: volume.id, mode: 'rw' })).status, 400);
    assert.equal((await create({ volume_uuid: volume.id })).body.attachment.attach_mode, 'ro');
  });

  it('that nobody answers in time goes on, and says so', async (context) => {
    const world = await freshWorld(context, { set: ['api.rpc_response_timeout=0'] });
    const volume = await world.volume({ host: 'node@file#file' });
    const answer = await attaching(world).create({ volume_uuid: volume.id, connector: HERE });
    assert.equal(answer.status, 504);
    const listed = (await world.get('/attachments', { version: LATEST })).body.attachments;
    assert.deepEqual(
      listed.map(({ volume_id }: { volume_id: string }) => volume_id),
      [volume.id],
    );
  });
});

describe('the list of attachments', () => {
  const given = async (world: World, volumeId: string, more: Partial<NewAttachment> = {}) =>
    world.service.db.write((tx) =>
      insertAttachment(tx, {
        id: uuid(),
        projectId: PROJECT,
        volumeId,
        attachMode: 'rw',
        attachStatus: 'reserved',
        ...more,
      }),
    );
  const ids = ({ body }: Answer): string[] => body.attachments.map(({ id }: { id: string }) => id);

  it('is of the project, filtered, sorted and in pages', async (context) => {
    const world = await freshWorld(context);
    const volume = await world.volume({ host: 'node@file#file' });
    const first = await given(world, volume.id, { instanceId: uuid() });
    const second = await given(world, volume.id, { attachStatus: 'attached' });
    const foreign = await given(world, volume.id, { projectId: 'other' });
    const list = async (query: string) => ids(await world.get(`/attachments${query}`, { version: LATEST }));
    assert.deepEqual(await list(''), [second.id, first.id]);
    assert.deepEqual(await list('?all_tenants=1'), [foreign.id, second.id, first.id]);
    assert.deepEqual(await list('?sort=created_at:asc&limit=1'), [first.id]);
    assert.deepEqual(await list(`?sort=created_at:asc&marker=${first.id}`), [second.id]);
    assert.deepEqual(await list('?status=attached'), [second.id]);
    assert.deepEqual(await list(`?instance_id=${first.instanceId}`), [first.id]);
    assert.deepEqual(await list(`?volume_id=${uuid()}`), []);
    assert.deepEqual(await list('?nonsense=x'), []);
  });

  it('tells a project nothing of another’s', async (context) => {
    const world = await freshWorld(context);
    const volume = await world.volume({ host: 'node@file#file' });
    const { id } = await given(world, volume.id);
    const asked = { params: { id }, project: 'other' };
    await assert.rejects(getAsMember(world, '/attachments/:id', asked), { name: 'AttachmentNotFound' });
    assert.deepEqual(await getAsMember(world, '/attachments', { project: 'other' }), { attachments: [] });
    assert.equal((await getAsMember(world, '/attachments/:id', { params: { id } })).attachment.id, id);
  });

  it('tells, in detail, what opens the volume', async (context) => {
    const world = await freshWorld(context);
    const volume = await world.volume({ host: 'node@file#file' });
    const connectionInfo = { driver_volume_type: 'iscsi', data: { auth_method: 'CHAP', auth_username: 'u' } };
    const { id, secret } = await given(world, volume.id, { connector: HERE, connectionInfo });
    const [shown] = (await world.get('/attachments/detail', { version: LATEST })).body.attachments;
    assert.deepEqual(shown.connection_info, {
      driver_volume_type: 'iscsi',
      attachment_id: id,
      auth_method: 'CHAP',
      auth_username: 'u',
      auth_password: secret,
    });
  });
});

describe('a list of volumes', () => {
  it('shows the attachments of each, also when only they have changed', async (context) => {
    const world = await freshWorld(context);
    const type = await world.service.db.write((tx) => insertVolumeType(tx, { id: uuid(), name: 't' }));
    const volume = await world.volume({ host: 'node@file#file', volumeTypeId: type.id, multiattach: true });
    const { create, complete } = attaching(world);
    const devices = async (): Promise<number> =>
      (await world.get('/volumes/detail')).body.volumes[0].attachments.length;
    assert.equal(await devices(), 0);
    for (const expected of [1, 2]) {
      const { attachment } = (await create({ volume_uuid: volume.id })).body;
      await complete(attachment.id);
      assert.equal(await devices(), expected);
    }
    await world.service.db.write((tx) => updateVolume(tx, volume.id, { attachStatus: 'detached' }));
    assert.equal(await devices(), 0);
  });
});
