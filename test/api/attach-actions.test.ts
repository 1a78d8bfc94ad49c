/** Attaching step by step, with actions of volumes. */
import assert from 'node:assert/strict';
import { readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { describe, it } from 'node:test';
import { attachmentsOf } from '../../src/db/attachments.ts';
import { uuid } from '../../src/lib/clock.ts';
import type { NewVolume } from '../../src/model/volume.ts';
import { freshWorld, until, type World } from './world.ts';

const HERE = { host: hostname(), initiator: 'iqn.2004-10.test:here' };
const TO_HOST = { host_name: 'h', mountpoint: '/dev/vdb' };
const SERVICE = { 'x-service-token': 'nova' };

function acting(world: World, id: string) {
  return {
    id,
    act: async (name: string, value: unknown = null, headers = {}) =>
      world.ask('POST', `/volumes/${id}/action`, { body: { [name]: value }, headers }),
    status: async () => (await world.get(`/volumes/${id}`)).body.volume.status,
    rows: () => attachmentsOf(world.service.db.read, id),
    show: async () => (await world.get(`/volumes/${id}`)).body.volume,
  };
}

async function atRest(context: Parameters<typeof freshWorld>[0], given: Partial<NewVolume> = {}) {
  const world = await freshWorld(context);
  const { id } = await world.volume({ host: 'node@file#file', ...given });
  return acting(world, id);
}

async function running(context: Parameters<typeof freshWorld>[0]) {
  const world = await freshWorld(context, { running: true });
  const { id } = (await world.ask('POST', '/volumes', { body: { volume: { size: 1 } } })).body.volume;
  await until(
    () => world.get(`/volumes/${id}`),
    ({ body }) => body.volume.status === 'available',
  );
  return { world, ...acting(world, id) };
}

describe('os-reserve and os-unreserve', () => {
  it('take the volume for who is about to attach it, and give it back', async (context) => {
    const { act, status } = await atRest(context);
    assert.equal((await act('os-reserve')).status, 202);
    assert.equal(await status(), 'attaching');
    assert.equal((await act('os-reserve')).status, 400);
    assert.equal((await act('os-unreserve')).status, 202);
    assert.equal(await status(), 'available');
    assert.equal((await act('os-unreserve')).status, 400);
  });

  it('take a volume in use only when many may attach it, and give it back in use', async (context) => {
    const { act } = await atRest(context);
    await act('os-attach', TO_HOST);
    assert.equal((await act('os-reserve')).status, 400);
    const many = await atRest(context, { multiattach: true });
    await many.act('os-attach', TO_HOST);
    assert.equal((await many.act('os-reserve')).status, 202);
    assert.equal(await many.status(), 'attaching');
    assert.equal((await many.act('os-unreserve')).status, 202);
    assert.equal(await many.status(), 'in-use');
  });

  it('do not free a volume that somebody else is attaching', async (context) => {
    const { world, id, act, status } = await running(context);
    const attachment = { volume_uuid: id, connector: HERE };
    const made = await world.ask('POST', '/attachments', { version: '3.27', body: { attachment } });
    assert.equal(made.status, 200, made.text);
    assert.equal((await act('os-unreserve')).status, 202);
    assert.equal(await status(), 'attaching');
    assert.equal((await world.ask('POST', '/attachments', { version: '3.27', body: { attachment } })).status, 400);
    assert.equal((await act('os-attach', TO_HOST)).status, 400);
  });
});

describe('os-begin_detaching and os-roll_detaching', () => {
  it('say that a volume is about to be detached, or stays attached after all', async (context) => {
    const { act, status } = await atRest(context);
    await act('os-attach', TO_HOST);
    assert.equal((await act('os-roll_detaching')).status, 400);
    assert.equal((await act('os-begin_detaching')).status, 202);
    assert.equal(await status(), 'detaching');
    assert.equal((await act('os-begin_detaching')).status, 400);
    assert.equal((await act('os-roll_detaching')).status, 202);
    assert.equal(await status(), 'in-use');
  });
});

describe('os-attach and os-detach', () => {
  it('attach a volume to a server, or to a host, and only by a service take it from a server', async (context) => {
    const { act, status, show } = await atRest(context);
    const server = uuid();
    assert.equal((await act('os-attach', { instance_uuid: server, mountpoint: '/dev/vdb', mode: 'rw' })).status, 202);
    const { attachments, metadata } = await show();
    assert.partialDeepStrictEqual(attachments, [{ server_id: server, device: '/dev/vdb', host_name: null }]);
    assert.deepEqual(metadata, { attached_mode: 'rw' });
    assert.equal((await act('os-attach', { host_name: 'h', mountpoint: '/dev/vdb' })).status, 400);
    assert.equal((await act('os-detach', {})).status, 409);
    assert.equal((await act('os-force_detach', {})).status, 409);
    assert.equal((await act('os-detach', {}, SERVICE)).status, 202);
    assert.equal(await status(), 'available');
    assert.equal((await act('os-detach', {}, SERVICE)).status, 400);
    assert.equal((await act('os-attach', { host_name: 'h', mountpoint: '/dev/vdb' })).status, 202);
    assert.equal(await status(), 'in-use');
    assert.equal((await act('os-detach')).status, 202);
  });

  it('leave a volume in error that was detached by force available, as Tempest wants it', async (context) => {
    const { act, status } = await atRest(context);
    await act('os-attach', TO_HOST);
    await act('os-reset_status', { status: 'error' });
    assert.equal((await act('os-detach')).status, 400);
    assert.equal((await act('os-force_detach', {})).status, 202);
    assert.equal(await status(), 'available');
  });

  it('want to know to what', async (context) => {
    const { act } = await atRest(context);
    for (const request of [
      { mountpoint: '/dev/vdb' },
      { mountpoint: '/dev/vdb', instance_uuid: uuid(), host_name: 'h' },
      { host_name: 'h' },
      { host_name: 'h', mountpoint: '' },
      { host_name: 'h', mountpoint: 'm', mode: 'wo' },
      { instance_uuid: 'x', mountpoint: 'm' },
    ])
      assert.equal((await act('os-attach', request)).status, 400, JSON.stringify(request));
  });

  it('do not write to a volume that is read-only', async (context) => {
    const { act } = await atRest(context, { adminMetadata: { readonly: 'True' } });
    assert.equal((await act('os-attach', { host_name: 'h', mountpoint: 'm', mode: 'rw' })).status, 400);
    assert.equal((await act('os-attach', { host_name: 'h', mountpoint: 'm', mode: 'ro' })).status, 202);
  });

  it('want to know which attachment, where there are several', async (context) => {
    const { act, rows, status } = await atRest(context, { multiattach: true });
    for (const host_name of ['one', 'two'])
      assert.equal((await act('os-attach', { host_name, mountpoint: 'm' })).status, 202);
    assert.equal((await act('os-detach', {})).status, 400);
    assert.equal((await act('os-detach', { attachment_id: uuid() })).status, 404);
    const [first, second] = await rows();
    assert.equal((await act('os-detach', { attachment_id: first?.id })).status, 202);
    assert.equal(await status(), 'in-use');
    assert.deepEqual(
      (await rows()).map(({ id }) => id),
      [second?.id],
    );
  });

  it('tell what was attached and detached', async (context) => {
    const world = await freshWorld(context);
    const { act } = acting(world, (await world.volume({ host: 'node@file#file' })).id);
    await act('os-attach', { host_name: 'h', mountpoint: '/dev/vdb' });
    await act('os-detach', {});
    const events = await world.service.db.read.selectFrom('outbox').selectAll().orderBy('seq').execute();
    assert.deepEqual(
      events.map(({ event_type, payload }) => [event_type, JSON.parse(payload).volume_attachment.length]),
      [
        ['volume.attach.start', 0],
        ['volume.attach.end', 1],
        ['volume.detach.start', 1],
        ['volume.detach.end', 0],
      ],
    );
  });
});

describe('os-initialize_connection and os-terminate_connection', () => {
  it('connect a volume as Ironic does, and the attachment is what was connected', async (context) => {
    const { id, act, status, rows } = await running(context);
    await act('os-reserve');
    const connected = await act('os-initialize_connection', { connector: HERE });
    assert.equal(connected.status, 200, connected.text);
    const { connection_info: reached } = connected.body;
    assert.equal(reached.driver_volume_type, 'local');
    assert.equal(await readlink(reached.data.device_path), `volume-${id}`);
    assert.deepEqual((await act('os-initialize_connection', { connector: HERE })).body, connected.body);
    assert.equal(await status(), 'attaching');
    assert.equal((await act('os-attach', { host_name: HERE.host, mountpoint: 'ironic_mountpoint' })).status, 202);
    assert.equal((await rows()).length, 1);

    assert.equal((await act('os-begin_detaching')).status, 202);
    assert.equal((await act('os-terminate_connection', { connector: HERE })).status, 202);
    await assert.rejects(readlink(reached.data.device_path), { code: 'ENOENT' });
    assert.equal(await status(), 'detaching');
    assert.equal((await act('os-terminate_connection', { connector: HERE })).status, 202);
    assert.equal((await act('os-detach', {})).status, 202);
    assert.equal(await status(), 'available');
    assert.deepEqual(await rows(), []);
  });

  it('leave nothing of a connection that was never attached', async (context) => {
    const { world, id, act, status, rows } = await running(context);
    assert.equal((await act('os-initialize_connection', { connector: HERE })).status, 200);
    assert.equal(await status(), 'available');
    assert.deepEqual((await world.get('/attachments', { version: '3.71' })).body.attachments, []);
    const [row] = await rows();
    assert.equal((await world.ask('GET', `/attachments/${row?.id}`, { version: '3.71' })).status, 404);
    assert.equal((await world.ask('DELETE', `/volumes/${id}`)).status, 400);
    assert.equal((await act('os-terminate_connection', { connector: null })).status, 202);
    assert.deepEqual(await rows(), []);
    assert.equal((await world.ask('DELETE', `/volumes/${id}`)).status, 202);
  });

  it('refuse a connector of another machine, and none', async (context) => {
    const { act, status, rows } = await running(context);
    assert.equal((await act('os-initialize_connection', { connector: { host: 'elsewhere' } })).status, 400);
    assert.equal((await act('os-initialize_connection', { connector: {} })).status, 400);
    assert.equal((await act('os-initialize_connection', {})).status, 400);
    assert.deepEqual([await status(), await rows()], ['available', []]);
  });

  it('keep the volume from whoever asks for an attachment of it', async (context) => {
    const { world, id, act, status } = await running(context);
    assert.equal((await act('os-initialize_connection', { connector: HERE })).status, 200);
    const create = () =>
      world.ask('POST', '/attachments', { version: '3.27', body: { attachment: { volume_uuid: id } } });
    const refused = await create();
    assert.deepEqual([refused.status, await status()], [400, 'available']);
    assert.match(refused.text, /os-initialize_connection/);
    assert.equal((await act('os-terminate_connection', { connector: HERE })).status, 202);
    assert.equal((await create()).status, 200);
  });

  it('are cut by force, with everything that was ever connected', async (context) => {
    const { act, status, rows } = await running(context);
    const { body } = await act('os-initialize_connection', { connector: HERE });
    await act('os-attach', { host_name: HERE.host, mountpoint: 'm' });
    await act('os-initialize_connection', { connector: { ...HERE, initiator: 'iqn.2004-10.test:more' } });
    assert.equal((await rows()).length, 2);
    assert.equal((await act('os-force_detach', {})).status, 202);
    await assert.rejects(readlink(body.connection_info.data.device_path), { code: 'ENOENT' });
    assert.deepEqual([await status(), await rows()], ['available', []]);
  });
});
