/** `POST volumes/{id}/action`: the actions that give a volume another content. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DirectoryImages } from '../../src/clients/image-directory.ts';
import { uuid } from '../../src/lib/clock.ts';
import { freshWorld, until, type World } from './world.ts';

const act = (world: World, id: string, name: string, value: unknown, version: string) =>
  world.ask('POST', `/volumes/${id}/action`, { version, body: { [name]: value } });

describe('revert', () => {
  it('is there from 3.40 on, and answers 202 without a body', async (context) => {
    const world = await freshWorld(context);
    const volume = await world.volume({ host: 'node@file#file' });
    const { id: snapshot_id } = await world.snapshot(volume);
    assert.equal((await act(world, volume.id, 'revert', { snapshot_id }, '3.39')).status, 404);
    const answer = await act(world, volume.id, 'revert', { snapshot_id }, '3.40');
    assert.deepEqual([answer.status, answer.text], [202, '']);
    assert.equal((await world.get(`/volumes/${volume.id}`)).body.volume.status, 'reverting');
    assert.equal((await world.get(`/snapshots/${snapshot_id}`)).body.snapshot.status, 'restoring');
    assert.equal((await act(world, volume.id, 'revert', { snapshot_id }, '3.40')).status, 409);
  });

  it('wants the newest snapshot, by its id', async (context) => {
    const world = await freshWorld(context);
    const volume = await world.volume({ host: 'node@file#file' });
    const { id: older } = await world.snapshot(volume);
    await world.snapshot(volume);
    for (const value of [{}, null, { snapshot_id: null }, { snapshot_id: 'newest' }, { snapshot_id: 3 }])
      assert.equal((await act(world, volume.id, 'revert', value, '3.71')).status, 400, JSON.stringify(value));
    const more = { snapshot_id: older, force: true };
    assert.equal((await act(world, volume.id, 'revert', more, '3.71')).status, 400);
    for (const snapshot_id of [older, uuid()]) {
      const answer = await act(world, volume.id, 'revert', { snapshot_id }, '3.71');
      assert.deepEqual([answer.status, Object.keys(answer.body)], [400, ['badRequest']]);
    }
    assert.equal((await act(world, uuid(), 'revert', { snapshot_id: older }, '3.71')).status, 404);
    assert.equal((await world.get(`/volumes/${volume.id}`)).body.volume.status, 'available');
  });

  it('takes a volume back, and both are available again', async (context) => {
    const world = await freshWorld(context, { running: true });
    const version = '3.71';
    const { id } = (await world.ask('POST', '/volumes', { version, body: { volume: { size: 1 } } })).body.volume;
    const isAvailable = (kind: 'volume' | 'snapshot', of: string) =>
      until(
        () => world.get(`/${kind}s/${of}`, { version }),
        ({ body }) => body[kind].status === 'available',
      );
    await isAvailable('volume', id);
    const asked = await world.ask('POST', '/snapshots', { version, body: { snapshot: { volume_id: id } } });
    const snapshot_id = asked.body.snapshot.id;
    await isAvailable('snapshot', snapshot_id);
    assert.equal((await act(world, id, 'revert', { snapshot_id }, version)).status, 202);
    await isAvailable('volume', id);
    await isAvailable('snapshot', snapshot_id);
    assert.equal((await act(world, id, 'revert', { snapshot_id }, version)).status, 202);
  });
});

describe('os-reimage', () => {
  const image = async (world: World, more: object = {}) => {
    const { images } = world.config;
    assert.equal(images.store, 'directory');
    const store = new DirectoryImages({ directory: images.directory });
    const wanted = { name: 'disk', diskFormat: 'raw', ...more } as const;
    return (await store.add(wanted, import.meta.filename, AbortSignal.timeout(60_000))).id;
  };

  it('is there from 3.68 on, and answers 202 without a body', async (context) => {
    const world = await freshWorld(context);
    const image_id = await image(world);
    const { id } = await world.volume({ host: 'node@file#file' });
    assert.equal((await act(world, id, 'os-reimage', { image_id }, '3.67')).status, 404);
    const answer = await act(world, id, 'os-reimage', { image_id }, '3.68');
    assert.deepEqual([answer.status, answer.text], [202, '']);
    assert.equal((await world.get(`/volumes/${id}`)).body.volume.status, 'downloading');
    assert.equal((await act(world, id, 'os-reimage', { image_id }, '3.68')).status, 400);
  });

  it('wants an image by its id, and a boolean in any words', async (context) => {
    const world = await freshWorld(context);
    const image_id = await image(world);
    const { id } = await world.volume({ host: 'node@file#file' });
    const wrong = [{}, null, { image_id: null }, { image_id: 'cirros' }, { image_id, more: 1 }];
    const words = ['perhaps', 1, null, ''].map((reimage_reserved) => ({ image_id, reimage_reserved }));
    for (const value of [...wrong, ...words])
      assert.equal((await act(world, id, 'os-reimage', value, '3.71')).status, 400, JSON.stringify(value));
    const unknown = await act(world, id, 'os-reimage', { image_id: uuid() }, '3.71');
    assert.deepEqual([unknown.status, Object.keys(unknown.body)], [404, ['itemNotFound']]);
    const large = await act(world, id, 'os-reimage', { image_id: await image(world, { minDiskGiB: 2 }) }, '3.71');
    assert.equal(large.status, 400);
    assert.equal((await act(world, uuid(), 'os-reimage', { image_id }, '3.71')).status, 404);
    assert.equal((await world.get(`/volumes/${id}`)).body.volume.status, 'available');
    for (const said of ['off', 'True', 'y']) {
      const { id } = await world.volume({ host: 'node@file#file' });
      assert.equal((await act(world, id, 'os-reimage', { image_id, reimage_reserved: said }, '3.71')).status, 202);
    }
  });

  it('of a reserved volume must be asked for', async (context) => {
    const world = await freshWorld(context);
    const image_id = await image(world);
    const { id } = await world.volume({ host: 'node@file#file', status: 'reserved' });
    for (const more of [{}, { reimage_reserved: 'no' }])
      assert.equal((await act(world, id, 'os-reimage', { image_id, ...more }, '3.68')).status, 400);
    assert.equal((await act(world, id, 'os-reimage', { image_id, reimage_reserved: true }, '3.68')).status, 202);
  });

  it('gives a volume what an image holds, and what is remembered of it', async (context) => {
    const world = await freshWorld(context, { running: true });
    const version = '3.71';
    const image_id = await image(world, { properties: { os_distro: 'pumice' } });
    const { id } = (await world.ask('POST', '/volumes', { version, body: { volume: { size: 1 } } })).body.volume;
    const isAvailable = () =>
      until(
        () => world.get(`/volumes/${id}`, { version }),
        ({ body }) => body.volume.status === 'available',
      );
    await isAvailable();
    assert.equal((await act(world, id, 'os-reimage', { image_id }, version)).status, 202);
    await isAvailable();
    const { volume } = (await world.get(`/volumes/${id}`, { version })).body;
    assert.equal(volume.bootable, 'true');
    assert.partialDeepStrictEqual(volume.volume_image_metadata, { image_id, os_distro: 'pumice', disk_format: 'raw' });
  });
});
