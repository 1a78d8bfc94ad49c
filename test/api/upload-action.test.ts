/** `POST volumes/{id}/action os-volume_upload_image`. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DirectoryImages } from '../../src/clients/image-directory.ts';
import { uuid } from '../../src/lib/clock.ts';
import { freshWorld, until, type World } from './world.ts';

const ACTION = 'os-volume_upload_image';
const AT_REST = { set: ['api.rpc_response_timeout=0'] };
const upload = (world: World, id: string, value: unknown, version = '3.71') =>
  world.ask('POST', `/volumes/${id}/action`, { version, body: { [ACTION]: value } });

describe('os-volume_upload_image', () => {
  it('answers 202 with the image and the volume, its type as an object', async (context) => {
    const world = await freshWorld(context, AT_REST);
    const volume = await world.volume({ host: 'node@file#file', description: 'mine' });
    const { status, body } = await upload(world, volume.id, { image_name: 'picture', force: 'True' }, '3.0');
    assert.equal(status, 202);
    const { image_id, updated_at, volume_type, ...rest } = body[ACTION];
    assert.match(image_id, /^[0-9a-f-]{36}$/);
    assert.equal(updated_at, null);
    assert.partialDeepStrictEqual(volume_type, { id: volume.volumeTypeId, name: '__DEFAULT__', is_public: true });
    assert.deepEqual(rest, {
      id: volume.id,
      status: 'uploading',
      display_description: 'mine',
      size: 1,
      image_name: 'picture',
      disk_format: 'raw',
      container_format: 'bare',
    });
    assert.equal((await world.get(`/volumes/${volume.id}`)).body.volume.status, 'uploading');
  });

  it('takes visibility and protection from 3.1 on', async (context) => {
    const world = await freshWorld(context, AT_REST);
    for (const more of [{ visibility: 'shared' }, { protected: true }]) {
      const { id } = await world.volume({ host: 'node@file#file' });
      const value = { image_name: 'picture', ...more };
      assert.equal((await upload(world, id, value, '3.0')).status, 400);
      const { status, body } = await upload(world, id, value, '3.1');
      assert.equal(status, 202);
      const { visibility, protected: isProtected } = body[ACTION];
      assert.deepEqual([visibility, isProtected], [more.visibility ?? 'private', more.protected ?? false]);
    }
  });

  it('wants a name, a format that volumes are written in, and a boolean in any words', async (context) => {
    const world = await freshWorld(context, AT_REST);
    const { id } = await world.volume({ host: 'node@file#file' });
    const image_name = 'picture';
    for (const value of [
      {},
      null,
      { image_name: '' },
      { image_name: null },
      { image_name: 'x'.repeat(256) },
      { image_name, more: 1 },
      ...['iso', 'vhd', 'vhdx', 'ploop', null, 'RAW'].map((disk_format) => ({ image_name, disk_format })),
      ...['secret', null].map((visibility) => ({ image_name, visibility })),
      ...['perhaps', 1, null, ''].flatMap((said) => [
        { image_name, force: said },
        { image_name, protected: said },
      ]),
      { image_name, container_format: 'compressed' },
    ])
      assert.equal((await upload(world, id, value)).status, 400, JSON.stringify(value));
    assert.equal((await upload(world, uuid(), { image_name })).status, 404);
    assert.equal((await world.get(`/volumes/${id}`)).body.volume.status, 'available');
    const used = await world.volume({ host: 'node@file#file', status: 'in-use' });
    assert.equal((await upload(world, used.id, { image_name, force: true })).status, 400);
  });

  it('makes an image that a volume can be made of, and has what was said of the first', async (context) => {
    const world = await freshWorld(context, { running: true });
    const version = '3.71';
    const isAvailable = (id: string) =>
      until(
        () => world.get(`/volumes/${id}`, { version }),
        ({ body }) => body.volume.status === 'available',
      );
    const create = async (more: object) => {
      const { body } = await world.ask('POST', '/volumes', { version, body: { volume: { size: 1, ...more } } });
      await isAvailable(body.volume.id);
      return body.volume.id as string;
    };
    const id = await create({});
    const metadata = { os_distro: 'pumice', min_disk: '7' };
    const set = { 'os-set_image_metadata': { metadata } };
    assert.equal((await world.ask('POST', `/volumes/${id}/action`, { version, body: set })).status, 200);
    const { body } = await upload(world, id, { image_name: 'picture', disk_format: 'qcow2' });
    await isAvailable(id);
    const { image_id } = body[ACTION];
    const { images } = world.config;
    assert.equal(images.store, 'directory');
    const store = new DirectoryImages({ directory: images.directory });
    const image = await store.show(image_id, 'service', AbortSignal.timeout(60_000));
    assert.partialDeepStrictEqual(image, {
      name: 'picture',
      diskFormat: 'qcow2',
      visibility: 'private',
      minDiskGiB: 0,
    });
    assert.deepEqual(image.properties, { os_distro: 'pumice' });
    const again = await create({ imageRef: image_id });
    const shown = (await world.get(`/volumes/${again}`, { version })).body.volume;
    assert.partialDeepStrictEqual(shown.volume_image_metadata, { image_id, os_distro: 'pumice' });
  });
});
