import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addPoolUsage } from '../../src/db/pool-usage.ts';
import { insertVolumeType } from '../../src/db/volume-types.ts';
import { uuid } from '../../src/lib/clock.ts';
import { beat, pool } from './heartbeats.ts';
import { freshWorld, type World } from './world.ts';

const PATH = '/scheduler-stats/get_pools';

async function names(world: World, query: string, version: string): Promise<string[]> {
  const { pools } = (await world.get(`${PATH}${query}`, { version })).body;
  return pools.map(({ name }: { name: string }) => name);
}

async function threePools(world: World): Promise<void> {
  await beat(world, { host: 'a@file', pools: [pool('x', { volume_backend_name: 'fast' })] });
  await beat(world, { host: 'b@file', pools: [pool('y', { volume_backend_name: 'slow' }), pool('z')] });
}

describe('the pools', () => {
  it('are named, and described when asked to', async (context) => {
    const world = await freshWorld(context);
    await threePools(world);
    await world.service.db.write((tx) =>
      addPoolUsage(tx, { pool: 'a@file#x', allocatedGiB: 5, provisionedGiB: 7, volumes: 2 }),
    );
    const brief = [{ name: 'a@file#x' }, { name: 'b@file#y' }, { name: 'b@file#z' }];
    assert.deepEqual((await world.get(PATH)).body, { pools: brief });
    assert.deepEqual((await world.get(`${PATH}?detail=False`)).body, { pools: brief });
    const [first] = (await world.get(`${PATH}?detail=True`)).body.pools;
    const { timestamp, ...capabilities } = first.capabilities;
    assert.match(timestamp, /^\d{4}-\d\d-\d\dT/);
    assert.deepEqual(Object.keys(first), ['name', 'capabilities']);
    assert.deepEqual(capabilities, {
      ...pool('x', { volume_backend_name: 'fast' }),
      allocated_capacity_gb: 5,
      provisioned_capacity_gb: 7,
      total_volumes: 2,
    });
  });

  it('tell since 3.49 how their backend is', async (context) => {
    const world = await freshWorld(context);
    await threePools(world);
    const at = async (version: string) => (await world.get(`${PATH}?detail=1`, { version })).body.pools[0].capabilities;
    assert.equal(Object.hasOwn(await at('3.48'), 'backend_state'), false);
    assert.equal((await at('3.49')).backend_state, 'up');
  });

  it('of services that are down, disabled or failed are not shown', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'a@file', pools: [pool('x')], silentFor: 61 });
    await beat(world, { host: 'b@file', pools: [pool('x')], failure: 'no disk' });
    await beat(world, { host: 'c@file', pools: [pool('x')] });
    await beat(world, { host: 'd@file', pools: [pool('x')] });
    await world.ask('PUT', '/os-services/disable', { body: { host: 'c@file', binary: 'cinder-volume' } });
    assert.deepEqual(await names(world, '', '3.0'), ['d@file#x']);
  });

  it('are filtered by name and capability from 3.28 on', async (context) => {
    const world = await freshWorld(context);
    await threePools(world);
    assert.equal((await names(world, '?name=b@file%23y', '3.27')).length, 3);
    assert.deepEqual(await names(world, '?name=b@file%23y', '3.28'), ['b@file#y']);
    assert.deepEqual(await names(world, '?volume_backend_name=fast', '3.28'), ['a@file#x']);
    assert.deepEqual(await names(world, '?total_capacity_gb=100&detail=1', '3.28'), [
      'a@file#x',
      'b@file#y',
      'b@file#z',
    ]);
    assert.deepEqual(await names(world, '?nonsense=1', '3.28'), []);
  });

  it('are filtered by what a volume type asks for from 3.35 on', async (context) => {
    const world = await freshWorld(context);
    await threePools(world);
    const extraSpecs = { volume_backend_name: 'slow' };
    const { id } = await world.service.db.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'iron', extraSpecs }));
    assert.equal((await names(world, '?volume_type=iron', '3.34')).length, 3);
    assert.deepEqual(await names(world, '?volume_type=iron', '3.35'), ['b@file#y']);
    assert.deepEqual(await names(world, `?volume_type=${id}`, '3.35'), ['b@file#y']);
    assert.equal((await world.ask('GET', `${PATH}?volume_type=gold`, { version: '3.35' })).status, 404);
  });
});
