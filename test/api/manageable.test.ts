/** What lies on a backend: listed, taken over, given back. */
import assert from 'node:assert/strict';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { freshWorld, until, type World } from './world.ts';

const GIB = 1024 ** 3;

/** A foreign file in the backend's directory. */
async function put(world: World, name: string, bytes: number): Promise<void> {
  const path = join(world.config.data_directory, 'volumes', name);
  await writeFile(path, '');
  await truncate(path, bytes);
}

describe('what lies on a backend', () => {
  it('is listed from 3.8 on, or under the old path at any version', async (context) => {
    const world = await freshWorld(context, { running: true });
    await put(world, 'small.img', GIB);
    await put(world, 'large.img', 3 * GIB);
    assert.equal((await world.ask('GET', '/manageable_volumes?host=node@file', { version: '3.7' })).status, 404);
    const { body } = await world.get('/manageable_volumes?host=node@file&sort=size:asc', { version: '3.8' });
    assert.deepEqual(body, {
      'manageable-volumes': [
        { reference: { 'source-name': 'small.img' }, size: 1, safe_to_manage: true },
        { reference: { 'source-name': 'large.img' }, size: 3, safe_to_manage: true },
      ],
    });
    assert.deepEqual((await world.get('/os-volume-manage?host=node@file&sort=size:asc')).body, body);
    const detail = await world.get('/manageable_volumes/detail?host=node@file%23file&sort=size&limit=1', {
      version: '3.8',
    });
    assert.deepEqual(detail.body['manageable-volumes'], [
      {
        reference: { 'source-name': 'large.img' },
        size: 3,
        safe_to_manage: true,
        reason_not_safe: null,
        cinder_id: null,
        extra_info: null,
      },
    ]);
    const marker = encodeURIComponent("{'source-name': 'small.img'}");
    const rest = await world.get(`/manageable_volumes?host=node@file&sort=size:asc&marker=${marker}`, {
      version: '3.8',
    });
    assert.equal(rest.body['manageable-volumes'].length, 1);
    const snapshots = await world.get('/manageable_snapshots?host=node@file&limit=1', { version: '3.8' });
    assert.deepEqual(snapshots.body['manageable-snapshots'], [
      { reference: { 'source-name': 'small.img' }, size: 1, safe_to_manage: true, source_reference: {} },
    ]);
  });

  it('is asked for by a host that there is', async (context) => {
    const world = await freshWorld(context, { running: true });
    for (const [query, version, status] of [
      ['', '3.8', 400],
      ['?host=nowhere@file', '3.8', 404],
      ['?cluster=c', '3.16', 400],
      ['?cluster=c', '3.17', 404],
      ['?host=node@file&cluster=c', '3.17', 400],
      ['?host=node@file&sort=name', '3.8', 400],
      ['?host=node@file&marker=x', '3.8', 400],
    ] as const) {
      assert.equal((await world.ask('GET', `/manageable_volumes${query}`, { version })).status, status, query);
    }
  });

  it('becomes a volume, and is given back under its name', async (context) => {
    const world = await freshWorld(context, { running: true });
    await put(world, 'mine.img', 2 * GIB);
    const volume = {
      host: 'node@file',
      ref: { 'source-name': 'mine.img' },
      name: 'taken',
      metadata: { a: 'b' },
      bootable: 'true',
    };
    const taken = await world.ask('POST', '/manageable_volumes', { version: '3.8', body: { volume } });
    assert.equal(taken.status, 202, taken.text);
    const { id, status } = taken.body.volume;
    assert.equal(status, 'creating');
    const show = () => world.ask('GET', `/volumes/${id}`);
    const managed = await until(show, ({ body }) => body.volume.status === 'available');
    const { size, bootable, name, metadata } = managed.body.volume;
    assert.deepEqual([size, bootable, name, metadata], [2, 'true', 'taken', { a: 'b' }]);
    const { body } = await world.get('/os-volume-manage/detail?host=node@file');
    assert.equal(body['manageable-volumes'][0].cinder_id, id);
    assert.equal(body['manageable-volumes'][0].safe_to_manage, false);
    assert.equal((await world.ask('POST', `/volumes/${id}/action`, { body: { 'os-unmanage': {} } })).status, 202);
    await until(show, (answer) => answer.status === 404);
    const after = await world.get('/os-volume-manage?host=node@file');
    assert.deepEqual(after.body['manageable-volumes'][0].reference, { 'source-name': 'mine.img' });
  });

  it('is refused when it is not named as it must be', async (context) => {
    const world = await freshWorld(context, { running: true });
    const ref = { 'source-name': 'x' };
    for (const [volume, status, version] of [
      [{ ref }, 400, '3.8'],
      [{ host: 'node@file' }, 400, '3.8'],
      [{ host: 'node@file', ref: {} }, 400, '3.8'],
      [{ host: 'node@file', ref: { 'source-name': 1 } }, 400, '3.8'],
      [{ host: 'nowhere@file', ref }, 404, '3.8'],
      [{ cluster: 'c', ref }, 400, '3.15'],
      [{ cluster: 'c', ref }, 404, '3.16'],
      [{ host: 'node@file', ref, colour: 'red' }, 400, '3.53'],
      [{ host: 'node@file', ref, volume_type: 'none' }, 404, '3.8'],
    ] as const) {
      const answer = await world.ask('POST', '/manageable_volumes', { version, body: { volume } });
      assert.equal(answer.status, status, JSON.stringify(volume));
    }
  });
});
