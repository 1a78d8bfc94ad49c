import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { beat } from './heartbeats.ts';
import { freshWorld } from './world.ts';

describe('the availability zones', () => {
  it('are those of the backends, available while one in them is enabled', async (context) => {
    const world = await freshWorld(context);
    assert.deepEqual((await world.get('/os-availability-zone')).body, { availabilityZoneInfo: [] });
    await beat(world, { host: 'a@file', zone: 'nova' });
    await beat(world, { host: 'b@file', zone: 'nova' });
    await beat(world, { host: 'c@file', zone: 'cellar' });
    await beat(world, { host: 'c', zone: 'attic', binary: 'cinder-scheduler' });
    for (const host of ['b@file', 'c@file'])
      await world.ask('PUT', '/os-services/disable', { body: { host, binary: 'cinder-volume' } });
    assert.deepEqual((await world.get('/os-availability-zone')).body, {
      availabilityZoneInfo: [
        { zoneName: 'cellar', zoneState: { available: false } },
        { zoneName: 'nova', zoneState: { available: true } },
      ],
    });
  });
});
