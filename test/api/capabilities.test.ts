import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { beat, pool } from './heartbeats.ts';
import { freshWorld } from './world.ts';

const REPORT = { vendor_name: 'V', volume_backend_name: 'file', driver_version: '1', storage_protocol: 'file' };

describe('the capabilities of a backend', () => {
  it('have exactly the keys that clients expect', async (context) => {
    const world = await freshWorld(context);
    await beat(world, {
      host: 'node@file',
      pools: [pool('one', { ...REPORT, multiattach: false }), pool('two', REPORT)],
    });
    const { body } = await world.get('/capabilities/node@file');
    const { properties, ...rest } = body;
    assert.deepEqual(rest, {
      namespace: 'OS::Storage::Capabilities::node@file',
      ...REPORT,
      pool_name: null,
      display_name: null,
      description: null,
      visibility: 'public',
      replication_targets: [],
    });
    assert.deepEqual(Object.keys(properties).sort(), [
      'multiattach',
      'thick_provisioning_support',
      'thin_provisioning_support',
    ]);
    assert.deepEqual(Object.keys(properties.multiattach).sort(), ['default', 'description', 'title', 'type']);
    assert.equal(properties.multiattach.default, false);
    const two = (await world.get('/capabilities/node@file%23two')).body;
    assert.equal(two.pool_name, 'two');
    assert.equal(two.properties.multiattach.default, true);
  });

  it('are not found of a host or a pool that is not there, and not known before the first report', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'node@file', pools: [pool('one')] });
    await beat(world, { host: 'node@new' });
    await beat(world, { host: 'node', binary: 'cinder-scheduler' });
    for (const host of ['nobody', 'node', 'node@file%23three'])
      assert.equal((await world.ask('GET', `/capabilities/${host}`)).status, 404, host);
    assert.equal((await world.ask('GET', '/capabilities/node@new')).status, 503);
  });
});
