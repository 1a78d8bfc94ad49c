import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { quotaUsage } from '../../src/db/quotas.ts';
import { addVolumeTypeAccess } from '../../src/db/volume-types.ts';
import { VolumeTypeNotFound } from '../../src/model/errors.ts';
import { getAsMember } from './member.ts';
import { type Answer, freshWorld, PROJECT, type World } from './world.ts';

const OTHER_PROJECT = 'ffffffffffffffffffffffffffffffff';
const names = ({ body }: Answer): string[] => body.volume_types.map(({ name }: { name: string }) => name);

async function make(world: World, name: string, more: object = {}): Promise<string> {
  const answer = await world.ask('POST', '/types', { body: { volume_type: { name, ...more } } });
  assert.equal(answer.status, 200, answer.text);
  return answer.body.volume_type.id;
}

const makePrivate = (world: World, name: string): Promise<string> =>
  make(world, name, { 'os-volume-type-access:is_public': false });

describe('a volume type', () => {
  it('is made with exactly the keys that clients expect', async (context) => {
    const world = await freshWorld(context);
    const { status, body } = await world.ask('POST', '/types', {
      body: {
        volume_type: {
          name: ' gold ',
          description: ' fast ',
          'os-volume-type-access:is_public': 'False',
          extra_specs: { multiattach: '<is> True', old: null },
        },
      },
    });
    assert.equal(status, 200);
    const { id, ...rest } = body.volume_type;
    assert.match(id, /^[0-9a-f-]{36}$/);
    assert.deepEqual(rest, {
      name: 'gold',
      description: 'fast',
      is_public: false,
      'os-volume-type-access:is_public': false,
      extra_specs: { multiattach: '<is> True', old: null },
    });
  });

  it('is shown with exactly the keys that clients expect', async (context) => {
    const world = await freshWorld(context);
    const id = await make(world, 'gold', { extra_specs: { k: 'v' } });
    const { body } = await world.get(`/types/${id}`);
    assert.deepEqual(body, {
      volume_type: {
        id,
        name: 'gold',
        description: null,
        is_public: true,
        'os-volume-type-access:is_public': true,
        extra_specs: { k: 'v' },
        qos_specs_id: null,
      },
    });
    assert.deepEqual((await world.get('/types')).body.volume_types[0], body.volume_type);
  });

  it('is updated, and keeps what is not said', async (context) => {
    const world = await freshWorld(context);
    const id = await make(world, 'gold', { description: 'fast' });
    const update = (volume_type: object) => world.ask('PUT', `/types/${id}`, { body: { volume_type } });
    assert.deepEqual((await update({ name: 'silver', description: null })).body, {
      volume_type: { id, name: 'silver', description: 'fast', is_public: true, extra_specs: {} },
    });
    assert.equal((await update({ is_public: 'off' })).body.volume_type.is_public, false);
    assert.equal((await update({ description: '' })).body.volume_type.description, '');
    assert.equal((await update({ name: 'silver' })).status, 200);
  });

  it('is not updated by a body that says nothing or nonsense', async (context) => {
    const world = await freshWorld(context);
    const id = await make(world, 'gold');
    const bodies = [{}, { name: null }, { name: '' }, { name: ' ' }, { is_public: 'maybe' }, { nonsense: 1 }, null];
    for (const volume_type of bodies) {
      const answer = await world.ask('PUT', `/types/${id}`, { body: { volume_type } });
      assert.equal(answer.status, 400, JSON.stringify(volume_type));
    }
    const nobody = await world.ask('PUT', `/types/${PROJECT}`, { body: { volume_type: { name: 'n' } } });
    assert.equal(nobody.status, 404);
  });

  it('is not made without a name, and not with one that is taken', async (context) => {
    const world = await freshWorld(context);
    const id = await make(world, 'gold');
    await make(world, 'silver');
    for (const name of ['', ' ', undefined, null, 'x'.repeat(256), 7]) {
      const answer = await world.ask('POST', '/types', { body: { volume_type: { name } } });
      assert.equal(answer.status, 400, JSON.stringify(name));
    }
    const twice = await world.ask('POST', '/types', { body: { volume_type: { name: 'gold' } } });
    assert.equal(twice.status, 409);
    assert.equal(twice.body.conflictingRequest.code, 409);
    const renamed = await world.ask('PUT', `/types/${id}`, { body: { volume_type: { name: 'silver' } } });
    assert.equal(renamed.status, 409);
    assert.equal((await world.get(`/types/${id}`)).body.volume_type.name, 'gold');
  });

  it('is gone after its deletion, with the limits that were set for it', async (context) => {
    const world = await freshWorld(context);
    const id = await make(world, 'gold');
    await world.ask('PUT', `/os-quota-sets/${PROJECT}`, { body: { quota_set: { volumes_gold: 3 } } });
    const answer = await world.ask('DELETE', `/types/${id}`);
    assert.equal(answer.status, 202);
    assert.equal(answer.text, '');
    assert.equal((await world.ask('GET', `/types/${id}`)).status, 404);
    assert.equal((await world.ask('DELETE', `/types/${id}`)).status, 404);
    await make(world, 'gold');
    assert.equal((await world.get(`/os-quota-sets/${PROJECT}`)).body.quota_set.volumes_gold, -1);
  });

  it('is not deleted while a volume is of it', async (context) => {
    const world = await freshWorld(context);
    const id = await make(world, 'gold');
    await world.volume({ volumeTypeId: id });
    const answer = await world.ask('DELETE', `/types/${id}`);
    assert.equal(answer.status, 400);
    assert.equal(answer.body.badRequest.code, 400);
    await world.get(`/types/${id}`);
  });

  it('that is the default is neither deleted nor, when it is the one that always exists, renamed', async (context) => {
    const world = await freshWorld(context, { set: ['default_volume_type=gold'] });
    const gold = await make(world, 'gold');
    assert.equal((await world.ask('DELETE', `/types/${gold}`)).status, 400);
    assert.equal((await world.ask('PUT', `/types/${gold}`, { body: { volume_type: { name: 'iron' } } })).status, 200);
    assert.equal((await world.ask('DELETE', `/types/${gold}`)).status, 202);
    const last = (await world.get('/types/default')).body.volume_type;
    assert.equal(last.name, '__DEFAULT__');
    assert.equal((await world.ask('DELETE', `/types/${last.id}`)).status, 400);
    assert.equal((await world.ask('PUT', `/types/${last.id}`, { body: { volume_type: { name: 'x' } } })).status, 400);
    const told = { volume_type: { name: '__DEFAULT__', description: 'ours' } };
    assert.equal((await world.ask('PUT', `/types/${last.id}`, { body: told })).status, 200);
  });

  it('is found as "default" by the name in the configuration', async (context) => {
    const world = await freshWorld(context, { set: ['default_volume_type=gold'] });
    assert.equal((await world.get('/types/default')).body.volume_type.name, '__DEFAULT__');
    const id = await make(world, 'gold');
    assert.equal((await world.get('/types/default')).body.volume_type.id, id);
  });

  it('that is renamed takes its limits and its usage along', async (context) => {
    const world = await freshWorld(context, { set: ['quota.quota_volumes=5'] });
    const { db } = world.service;
    const id = await make(world, 'gold');
    const created = await world.ask('POST', '/volumes', { body: { volume: { size: 2, volume_type: 'gold' } } });
    assert.equal(created.status, 202, created.text);
    await world.ask('PUT', `/os-quota-sets/${PROJECT}`, { body: { quota_set: { volumes_gold: 3 } } });
    await world.ask('PUT', '/os-quota-class-sets/default', { body: { quota_class_set: { gigabytes_gold: 30 } } });
    await world.ask('PUT', `/types/${id}`, { body: { volume_type: { name: 'silver' } } });
    const { quota_set } = (await world.get(`/os-quota-sets/${PROJECT}?usage=true`)).body;
    assert.deepEqual(quota_set.volumes_silver, { limit: 3, in_use: 1, reserved: 0 });
    assert.deepEqual(quota_set.gigabytes_silver, { limit: 30, in_use: 2, reserved: 0 });
    assert.equal(Object.hasOwn(quota_set, 'volumes_gold'), false);
    assert.equal(Object.hasOwn(await quotaUsage(db.read, PROJECT), 'volumes_gold'), false);
  });

  it('tells of its life', async (context) => {
    const world = await freshWorld(context);
    const id = await make(world, 'gold');
    await world.ask('PUT', `/types/${id}`, { body: { volume_type: { name: 'silver' } } });
    await world.ask('DELETE', `/types/${id}`);
    const rows = await world.service.db.read.selectFrom('outbox').selectAll().orderBy('seq').execute();
    assert.deepEqual(
      rows.map(({ event_type, resource, payload }) => [event_type, resource, JSON.parse(payload).volume_types.name]),
      [
        ['volume_type.create', `volume_type:${id}`, 'gold'],
        ['volume_type.update', `volume_type:${id}`, 'silver'],
        ['volume_type.delete', `volume_type:${id}`, 'silver'],
      ],
    );
  });
});

describe('the list of volume types', () => {
  it('shows the public ones, and to an administrator what it asks for', async (context) => {
    const world = await freshWorld(context);
    await make(world, 'gold');
    const ours = await makePrivate(world, 'ours');
    await makePrivate(world, 'theirs');
    await world.service.db.write((tx) => addVolumeTypeAccess(tx, ours, PROJECT));
    assert.deepEqual(names(await world.get('/types')), ['ours', 'gold', '__DEFAULT__']);
    assert.deepEqual(names(await world.get('/types?is_public=true')), ['ours', 'gold', '__DEFAULT__']);
    assert.deepEqual(names(await world.get('/types?is_public=0')), ['theirs', 'ours']);
    assert.deepEqual(names(await world.get('/types?is_public=None')), ['theirs', 'ours', 'gold', '__DEFAULT__']);
    assert.equal((await world.ask('GET', '/types?is_public=maybe')).status, 400);
  });

  it('shows others than administrators only what they may use, and of that no secrets', async (context) => {
    const world = await freshWorld(context);
    const extra_specs = { multiattach: '<is> True', volume_backend_name: 'secret' };
    const ours = await make(world, 'ours', { 'os-volume-type-access:is_public': false, extra_specs });
    await world.service.db.write((tx) => addVolumeTypeAccess(tx, ours, PROJECT));
    const listed = async (project: string) =>
      (await getAsMember(world, '/types', { query: 'is_public=None', project })).volume_types;
    assert.deepEqual(
      (await listed(PROJECT)).find(({ id }: { id: string }) => id === ours),
      {
        id: ours,
        name: 'ours',
        description: null,
        is_public: false,
        'os-volume-type-access:is_public': false,
        extra_specs: { multiattach: '<is> True' },
      },
    );
    assert.equal((await listed(PROJECT)).length, 2);
    assert.equal((await listed(OTHER_PROJECT)).length, 1);
    await getAsMember(world, '/types/:id', { params: { id: ours } });
    const asStranger = getAsMember(world, '/types/:id', { params: { id: ours }, project: OTHER_PROJECT });
    await assert.rejects(asStranger, VolumeTypeNotFound);
  });

  it('is cut into pages', async (context) => {
    const world = await freshWorld(context);
    const gold = await make(world, 'gold');
    await make(world, 'silver');
    const first = await world.get('/types?limit=2&sort=created_at:desc');
    assert.deepEqual(names(first), ['silver', 'gold']);
    assert.deepEqual(first.body.volume_type_links, [
      {
        rel: 'next',
        href: `http://pumice.test:8776/v3/${PROJECT}/types?limit=2&sort=created_at%3Adesc&marker=${gold}`,
      },
    ]);
    const second = await world.get(`/types?limit=2&marker=${gold}`);
    assert.deepEqual(names(second), ['__DEFAULT__']);
    assert.deepEqual(Object.keys(second.body), ['volume_types']);
    assert.deepEqual(names(await world.get('/types?limit=0')), []);
    assert.deepEqual(names(await world.get('/types?sort=name:asc')), ['__DEFAULT__', 'gold', 'silver']);
    assert.equal((await world.ask('GET', '/types?marker=nobody')).status, 404);
    assert.equal((await world.ask('GET', '/types?limit=-1')).status, 400);
  });

  it('is filtered by extra specs from 3.52 on', async (context) => {
    const world = await freshWorld(context);
    await make(world, 'gold', { extra_specs: { speed: 'high' } });
    const path = `/types?extra_specs=${encodeURIComponent("{'speed': 'high'}")}`;
    assert.deepEqual(names(await world.get(path, { version: '3.51' })), ['gold', '__DEFAULT__']);
    assert.deepEqual(names(await world.get(path, { version: '3.52' })), ['gold']);
    assert.deepEqual(names(await world.get('/types?name=gold')), ['gold']);
    assert.deepEqual(names(await world.get('/types?nonsense=gold')), []);
  });
});
