import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { freshWorld } from './world.ts';

describe('clusters', () => {
  it('are none, and none is found', async (context) => {
    const world = await freshWorld(context);
    const version = '3.7';
    for (const path of [
      '/clusters',
      '/clusters/detail',
      '/clusters?name=c&binary=cinder-volume&is_up=True&num_hosts=1',
    ])
      assert.deepEqual((await world.get(path, { version })).body, { clusters: [] }, path);
    assert.equal((await world.ask('GET', '/clusters/c', { version })).status, 404);
    for (const verb of ['enable', 'disable']) {
      const put = (body: object) => world.ask('PUT', `/clusters/${verb}`, { version, body });
      assert.equal((await put({ name: 'c', binary: 'cinder-volume' })).status, 404);
      assert.equal((await put({})).status, 400);
      assert.equal((await put({ name: '' })).status, 400);
    }
    const reason = { name: 'c', disabled_reason: 'x'.repeat(256) };
    assert.equal((await world.ask('PUT', '/clusters/disable', { version, body: reason })).status, 400);
  });

  it('are filtered by what they have, since 3.26 by how they replicate', async (context) => {
    const world = await freshWorld(context);
    const status = async (query: string, version: string) =>
      (await world.ask('GET', `/clusters?${query}`, { version })).status;
    assert.equal(await status('color=red', '3.7'), 400);
    assert.equal(await status('is_up=maybe', '3.7'), 400);
    assert.equal(await status('num_hosts=x', '3.7'), 400);
    for (const query of ['frozen=True', 'replication_status=enabled', 'active_backend_id=b']) {
      assert.equal(await status(query, '3.25'), 400);
      assert.equal(await status(query, '3.26'), 200);
    }
  });

  it('are not there before 3.7', async (context) => {
    const world = await freshWorld(context);
    for (const path of ['/clusters', '/clusters/detail', '/clusters/c'])
      assert.equal((await world.ask('GET', path, { version: '3.6' })).status, 404);
    for (const verb of ['enable', 'disable'])
      assert.equal((await world.ask('PUT', `/clusters/${verb}`, { version: '3.6', body: { name: 'c' } })).status, 404);
  });
});
