/** `ignore_case`: what scripts lean on that were written for a Cinder on MySQL. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { insertGroupType } from '../../src/db/group-types.ts';
import { uuid } from '../../src/lib/clock.ts';
import { freshWorld, onBoth, type World } from './world.ts';

const version = 'latest';

const names = async (world: World, path: string): Promise<string[]> => {
  const { body } = await world.get(path, { version });
  return (Object.values(body).find(Array.isArray) ?? []).map(({ name }: { name: string }) => name).sort();
};

const makeType = async (world: World, name: string): Promise<string> =>
  (await world.ask('POST', '/types', { body: { volume_type: { name } } })).body.volume_type.id;

const make = (world: World, volume: object) =>
  world.ask('POST', '/volumes', { version, body: { volume: { size: 1, ...volume } } });

onBoth('names of types, and filters, whatever the case of their letters', async (context, database) => {
  const world = await freshWorld(context, { database, set: ['ignore_case=true', 'default_volume_type=FAST'] });
  const fast = await makeType(world, 'fast');
  const made = await make(world, { volume_type: 'Fast', name: 'Imp-Blank' });
  assert.equal(made.body.volume.volume_type_id, fast);
  assert.equal((await make(world, {})).body.volume.volume_type_id, fast, 'the default of the site');
  await world.volume({ name: 'Other', availabilityZone: 'Zone-A' });
  for (const query of ['name=IMP-BLANK', 'name~=blank', 'display_name=imp-blank'])
    assert.deepEqual(await names(world, `/volumes/detail?${query}`), ['Imp-Blank'], query);
  assert.deepEqual(await names(world, '/volumes/detail?status=AVAILABLE'), ['Other']);
  assert.deepEqual(await names(world, '/volumes/detail?availability_zone=zone-a'), ['Other']);
  assert.deepEqual(
    await names(world, `/volumes/detail?status=${encodeURIComponent("['AVAILABLE','Creating']")}&name=OTHER`),
    ['Other'],
  );
  assert.deepEqual(await names(world, '/group_types?name=DEFAULT_CGSNAPSHOT_TYPE'), ['default_cgsnapshot_type']);

  await world.service.db.write((tx) =>
    insertGroupType(tx, { id: uuid(), name: 'Together', description: null, isPublic: true, groupSpecs: {} }),
  );
  const group = { group_type: 'TOGETHER', volume_types: ['FAST'] };
  assert.equal((await world.ask('POST', '/groups', { version, body: { group } })).status, 202);
});

it('a type that is called exactly so is meant before one that is alike', async (context) => {
  const world = await freshWorld(context, { set: ['ignore_case=true'] });
  await makeType(world, 'GOLD');
  const gold = await makeType(world, 'gold');
  assert.equal((await make(world, { volume_type: 'gold' })).body.volume.volume_type_id, gold);
});

it('without the option names are exact', async (context) => {
  const world = await freshWorld(context);
  await makeType(world, 'fast');
  assert.equal((await make(world, { volume_type: 'Fast' })).status, 404);
  await world.volume({ name: 'Imp' });
  for (const query of ['name=IMP', 'name~=IM', 'status=AVAILABLE'])
    assert.deepEqual(await names(world, `/volumes/detail?${query}`), [], query);
});
