import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { insertVolumeType } from '../../src/db/volume-types.ts';
import { uuid } from '../../src/lib/clock.ts';
import { MetadataKeyNotFound } from '../../src/model/errors.ts';
import type { NewVolumeType } from '../../src/model/volume-type.ts';
import { getAsMember } from './member.ts';
import { freshWorld, type World } from './world.ts';

async function typeWith({ service }: World, extraSpecs: NewVolumeType['extraSpecs'] & object): Promise<string> {
  const { id } = await service.db.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'gold', extraSpecs }));
  return id;
}

describe('the extra specs of a volume type', () => {
  it('are added to, replaced and taken away one by one', async (context) => {
    const world = await freshWorld(context);
    const path = `/types/${await typeWith(world, { a: '1' })}/extra_specs`;
    const added = await world.ask('POST', path, { body: { extra_specs: { b: '2', 'x:y-z': '3' } } });
    assert.equal(added.status, 200);
    assert.deepEqual(added.body, { extra_specs: { b: '2', 'x:y-z': '3' } });
    assert.deepEqual((await world.ask('PUT', `${path}/b`, { body: { b: '4' } })).body, { b: '4' });
    assert.deepEqual((await world.ask('PUT', `${path}/c`, { body: { c: '5' } })).body, { c: '5' });
    assert.deepEqual((await world.get(`${path}/b`)).body, { b: '4' });
    assert.equal((await world.ask('DELETE', `${path}/a`)).status, 202);
    assert.deepEqual((await world.get(path)).body, { extra_specs: { b: '4', 'x:y-z': '3', c: '5' } });
  });

  it('are refused when a key or value is not one', async (context) => {
    const world = await freshWorld(context);
    const path = `/types/${await typeWith(world, {})}/extra_specs`;
    const refused = [
      { extra_specs: { 'k=v': 'x' } },
      { extra_specs: { '': 'x' } },
      { extra_specs: { 'a b': 'x' } },
      { extra_specs: { 'a/b': 'x' } },
      { extra_specs: { k: 1 } },
      { extra_specs: { k: 'x'.repeat(256) } },
      { extra_specs: '' },
      { extra_specs: [] },
      {},
    ];
    for (const body of refused)
      assert.equal((await world.ask('POST', path, { body })).status, 400, JSON.stringify(body));
    for (const body of [{ other: 'x' }, { k: 'x', l: 'y' }, {}, { k: 1 }])
      assert.equal((await world.ask('PUT', `${path}/k`, { body })).status, 400, JSON.stringify(body));
    assert.deepEqual((await world.get(path)).body, { extra_specs: {} });
  });

  it('that are not there, or of a type that is not there, are not found', async (context) => {
    const world = await freshWorld(context);
    const path = `/types/${await typeWith(world, {})}/extra_specs`;
    assert.equal((await world.ask('GET', `${path}/k`)).status, 404);
    assert.equal((await world.ask('GET', `${path}/constructor`)).status, 404);
    assert.equal((await world.ask('DELETE', `${path}/k`)).status, 404);
    const nowhere = `/types/${uuid()}/extra_specs`;
    assert.equal((await world.ask('GET', nowhere)).status, 404);
    assert.equal((await world.ask('POST', nowhere, { body: { extra_specs: { k: 'v' } } })).status, 404);
  });

  it('stay as they are while a volume is of the type', async (context) => {
    const world = await freshWorld(context);
    const id = await typeWith(world, { k: 'v' });
    const path = `/types/${id}/extra_specs`;
    await world.volume({ volumeTypeId: id });
    assert.equal((await world.ask('POST', path, { body: { extra_specs: { k: 'w' } } })).status, 400);
    assert.equal((await world.ask('PUT', `${path}/k`, { body: { k: 'w' } })).status, 400);
    assert.equal((await world.ask('DELETE', `${path}/k`)).status, 400);
    assert.deepEqual((await world.get(path)).body, { extra_specs: { k: 'v' } });
  });

  it('do not make a type both cacheable and multiattach', async (context) => {
    const world = await freshWorld(context);
    const path = `/types/${await typeWith(world, { multiattach: '<is> True' })}/extra_specs`;
    assert.equal((await world.ask('PUT', `${path}/cacheable`, { body: { cacheable: '<is> True' } })).status, 400);
    const volume_type = { name: 'both', extra_specs: { multiattach: '<is> True', cacheable: '<is> True' } };
    assert.equal((await world.ask('POST', '/types', { body: { volume_type } })).status, 400);
  });

  it('that tell what the site is built of are hidden from others than administrators', async (context) => {
    const world = await freshWorld(context);
    const shown = { multiattach: '<is> True', 'RESKEY:availability_zones': 'nova', replication_enabled: '<is> True' };
    const id = await typeWith(world, { ...shown, volume_backend_name: 'secret' });
    const { extra_specs } = await getAsMember(world, '/types/:id/extra_specs', { params: { id } });
    assert.deepEqual(extra_specs, shown);
    const one = (key: string) => getAsMember(world, '/types/:id/extra_specs/:key', { params: { id, key } });
    assert.deepEqual(await one('multiattach'), { multiattach: '<is> True' });
    await assert.rejects(one('volume_backend_name'), MetadataKeyNotFound);
  });

  it('and who may use the type are told of', async (context) => {
    const world = await freshWorld(context);
    const made = { name: 'gold', 'os-volume-type-access:is_public': false, extra_specs: { a: '1' } };
    const { id } = (await world.ask('POST', '/types', { body: { volume_type: made } })).body.volume_type;
    const path = `/types/${id}`;
    await world.ask('POST', `${path}/extra_specs`, { body: { extra_specs: { b: '2' } } });
    await world.ask('PUT', `${path}/extra_specs/b`, { body: { b: '3' } });
    await world.ask('DELETE', `${path}/extra_specs/b`);
    for (const action of ['addProjectAccess', 'removeProjectAccess'])
      await world.ask('POST', `${path}/action`, { body: { [action]: { project: 'p' } } });
    const rows = await world.service.db.read.selectFrom('outbox').selectAll().orderBy('seq').execute();
    const access = { volume_type_id: id, project_id: 'p' };
    assert.deepEqual(
      rows.slice(1).map(({ event_type, payload }) => [event_type, JSON.parse(payload)]),
      [
        ['volume_type_extra_specs.create', { type_id: id, specs: { b: '2' } }],
        ['volume_type_extra_specs.update', { type_id: id, specs: { b: '3' } }],
        ['volume_type_extra_specs.delete', { type_id: id, id: 'b' }],
        ['volume_type_project.access.add', access],
        ['volume_type_project.access.remove', access],
      ],
    );
  });
});
