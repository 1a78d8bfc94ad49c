import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { beat } from './heartbeats.ts';
import { freshWorld, type World } from './world.ts';

async function twoHosts(world: World): Promise<void> {
  await beat(world, { host: 'node@file' });
  await beat(world, { host: 'node@other', zone: 'cellar', failure: 'no disk' });
  await beat(world, { host: 'node2@file', silentFor: 61 });
  await beat(world, { host: 'node', binary: 'cinder-scheduler' });
}

const hosts = async (world: World, query: string): Promise<string[]> =>
  (await world.get(`/os-services${query}`)).body.services.map(({ host }: { host: string }) => host);

describe('the list of services', () => {
  it('has exactly the keys that clients expect, which are fewer for a scheduler', async (context) => {
    const world = await freshWorld(context);
    await twoHosts(world);
    const { services } = (await world.get('/os-services')).body;
    const [scheduler, , volume] = services;
    assert.match(volume.updated_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
    assert.deepEqual(scheduler, {
      binary: 'cinder-scheduler',
      host: 'node',
      zone: 'nova',
      status: 'enabled',
      state: 'up',
      updated_at: scheduler.updated_at,
      disabled_reason: null,
    });
    assert.deepEqual(volume, {
      binary: 'cinder-volume',
      host: 'node@file',
      zone: 'nova',
      status: 'enabled',
      state: 'up',
      updated_at: volume.updated_at,
      disabled_reason: null,
      replication_status: 'disabled',
      active_backend_id: null,
      frozen: false,
    });
  });

  it('says since 3.7 which cluster and since 3.49 how the backend is', async (context) => {
    const world = await freshWorld(context);
    await twoHosts(world);
    const at = async (version: string) =>
      (await world.get('/os-services?host=node@other', { version })).body.services[0];
    assert.equal(Object.hasOwn(await at('3.6'), 'cluster'), false);
    assert.equal((await at('3.7')).cluster, null);
    assert.equal(Object.hasOwn(await at('3.48'), 'backend_state'), false);
    assert.equal((await at('3.49')).backend_state, 'down');
    const all = (await world.get('/os-services', { version: '3.49' })).body.services;
    assert.equal(all[2].backend_state, 'up');
    assert.equal(Object.hasOwn(all[0], 'backend_state'), false);
  });

  it('calls a service down that has been silent for too long', async (context) => {
    const world = await freshWorld(context);
    await twoHosts(world);
    assert.equal((await world.get('/os-services?host=node2@file')).body.services[0].state, 'down');
  });

  it('is cut down to a host, with all its backends, or to a binary', async (context) => {
    const world = await freshWorld(context);
    await twoHosts(world);
    assert.deepEqual(await hosts(world, ''), ['node', 'node2@file', 'node@file', 'node@other']);
    assert.deepEqual(await hosts(world, '?host=node'), ['node', 'node@file', 'node@other']);
    assert.deepEqual(await hosts(world, '?host=node@file'), ['node@file']);
    assert.deepEqual(await hosts(world, '?binary=cinder-scheduler'), ['node']);
    assert.deepEqual(await hosts(world, '?host=node&binary=cinder-volume'), ['node@file', 'node@other']);
    assert.deepEqual(await hosts(world, '?host=nobody'), []);
  });
});

describe('a service', () => {
  it('is disabled, with or without a reason, and enabled', async (context) => {
    const world = await freshWorld(context);
    await twoHosts(world);
    const put = async (verb: string, more: object = {}) => {
      const answer = await world.ask('PUT', `/os-services/${verb}`, {
        body: { host: 'node@file', binary: 'cinder-volume', ...more },
      });
      assert.equal(answer.status, 200, answer.text);
      return answer.body;
    };
    const shown = async () => (await world.get('/os-services?host=node@file')).body.services[0];
    const named = { host: 'node@file', service: 'cinder-volume', binary: 'cinder-volume' };

    assert.deepEqual(await put('disable'), { ...named, disabled: true, status: 'disabled' });
    assert.partialDeepStrictEqual(await shown(), { status: 'disabled', disabled_reason: null });

    const reasoned = await put('disable-log-reason', { disabled_reason: ' moving house ' });
    assert.deepEqual(reasoned, { ...named, disabled: true, status: 'disabled', disabled_reason: 'moving house' });
    assert.partialDeepStrictEqual(await shown(), { status: 'disabled', disabled_reason: 'moving house', state: 'up' });

    assert.deepEqual(await put('enable'), { ...named, disabled: false, status: 'enabled', disabled_reason: null });
    assert.partialDeepStrictEqual(await shown(), { status: 'enabled', disabled_reason: null });
  });

  it('stays disabled when it reports itself again', async (context) => {
    const world = await freshWorld(context);
    await twoHosts(world);
    await world.ask('PUT', '/os-services/disable', { body: { host: 'node@file', binary: 'cinder-volume' } });
    await beat(world, { host: 'node@file' });
    assert.equal((await world.get('/os-services?host=node@file')).body.services[0].status, 'disabled');
  });

  it('must be named and be there', async (context) => {
    const world = await freshWorld(context);
    await twoHosts(world);
    const put = async (verb: string, body: object) => (await world.ask('PUT', `/os-services/${verb}`, { body })).status;
    const named = { host: 'node@file', binary: 'cinder-volume' };
    for (const verb of ['enable', 'disable']) {
      assert.equal(await put(verb, { host: 'nobody', binary: 'cinder-volume' }), 404);
      assert.equal(await put(verb, { host: 'node', binary: 'cinder-volume' }), 404);
      assert.equal(await put(verb, { host: 'node@file' }), 400);
      assert.equal(await put(verb, { binary: 'cinder-volume' }), 400);
      assert.equal(await put(verb, { host: '', binary: 'cinder-volume' }), 400);
      assert.equal(await put(verb, { host: 'node@file', service: 'cinder-volume' }), 200);
    }
    for (const reason of [{}, { disabled_reason: '' }, { disabled_reason: ' ' }, { disabled_reason: 'x'.repeat(256) }])
      assert.equal(await put('disable-log-reason', { ...named, ...reason }), 400);
    assert.equal(await put('disable-log-reason', { ...named, host: 'nobody', disabled_reason: 'x' }), 404);
    assert.equal(await put('set-fire', named), 404);
  });
});
