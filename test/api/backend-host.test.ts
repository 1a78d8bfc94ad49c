import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { freshWorld, until } from './world.ts';

it('a backend has the name that it says in place of the node, wherever hosts are told of or asked for', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'pumice-host-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  const [host, pool] = ['rbd:volumes, east@file', 'rbd:volumes, east@file#file'];
  const section = ['driver=file', `path=${path}`, 'create=true', 'backend_host=rbd:volumes, east'];
  const world = await freshWorld(t, { running: true, set: section.map((each) => `backends.file.${each}`) });
  const made = await world.ask('POST', '/volumes', { body: { volume: { size: 1 } } });
  const { id } = made.body.volume;
  const { body } = await until(
    () => world.get(`/volumes/${id}`),
    (answer) => answer.body.volume.status === 'available',
  );
  assert.equal(body.volume['os-vol-host-attr:host'], pool);

  const asked = encodeURIComponent(host);
  const services = (await world.get(`/os-services?host=${asked}`)).body.services;
  assert.deepEqual(
    services.map((each: { binary: string; host: string }) => [each.binary, each.host]),
    [['cinder-volume', host]],
  );
  const pools = (await world.get('/scheduler-stats/get_pools')).body.pools;
  assert.deepEqual(
    pools.map((each: { name: string }) => each.name),
    [pool],
  );
  assert.equal(
    (await world.get(`/volumes/detail?host=${encodeURIComponent(pool)}&all_tenants=1`)).body.volumes.length,
    1,
  );
  const off = await world.ask('PUT', '/os-services/disable', { body: { host, binary: 'cinder-volume' } });
  assert.deepEqual([off.status, off.body.status], [200, 'disabled']);
  const manageable = await world.ask('GET', `/manageable_volumes/detail?host=${encodeURIComponent(pool)}`, {
    version: '3.8',
  });
  assert.equal(manageable.body['manageable-volumes'][0].cinder_id, id);
});
