import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { insertVolumeType } from '../../src/db/volume-types.ts';
import { uuid } from '../../src/lib/clock.ts';
import { Forbidden } from '../../src/model/errors.ts';
import { getAsMember } from './member.ts';
import { type Answer, freshWorld, PROJECT, type World } from './world.ts';

const OTHER_PROJECT = 'ffffffffffffffffffffffffffffffff';
const DEFAULTS = {
  volumes: 10,
  snapshots: 10,
  gigabytes: 1000,
  backups: 10,
  backup_gigabytes: 1000,
  groups: 10,
  per_volume_gigabytes: -1,
  volumes___DEFAULT__: -1,
  gigabytes___DEFAULT__: -1,
  snapshots___DEFAULT__: -1,
};

const set = (world: World, quota_set: object, more = ''): Promise<Answer> =>
  world.ask('PUT', `/os-quota-sets/${PROJECT}${more}`, { body: { quota_set } });

const quotas = async (world: World, more = ''): Promise<Answer['body']> =>
  (await world.get(`/os-quota-sets/${PROJECT}${more}`)).body.quota_set;

describe('the quotas of a project', () => {
  it('are those of the configuration until somebody sets others', async (context) => {
    const world = await freshWorld(context);
    assert.deepEqual(await quotas(world), { id: PROJECT, ...DEFAULTS });
    assert.deepEqual(await quotas(world, '/defaults'), { id: PROJECT, ...DEFAULTS });
  });

  it('name every volume type', async (context) => {
    const world = await freshWorld(context);
    await world.service.db.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'gold' }));
    const expected = { ...DEFAULTS, volumes_gold: -1, gigabytes_gold: -1, snapshots_gold: -1 };
    assert.deepEqual(await quotas(world), { id: PROJECT, ...expected });
  });

  it('are set, answered without an id, and reset', async (context) => {
    const world = await freshWorld(context);
    const answer = await set(world, { id: PROJECT, tenant_id: PROJECT, volumes: 7, gigabytes: '70', snapshots: -1 });
    const changed = { ...DEFAULTS, volumes: 7, gigabytes: 70, snapshots: -1 };
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.body, { quota_set: changed });
    assert.deepEqual(await quotas(world), { id: PROJECT, ...changed });
    assert.equal((await world.get(`/os-quota-sets/${OTHER_PROJECT}`)).body.quota_set.volumes, 10);
    const reset = await world.ask('DELETE', `/os-quota-sets/${PROJECT}`);
    assert.equal(reset.status, 200);
    assert.equal(reset.text, '');
    assert.deepEqual(await quotas(world), { id: PROJECT, ...DEFAULTS });
  });

  it('are those of the class before those of the configuration, and its own before those of the class', async (context) => {
    const world = await freshWorld(context);
    await world.ask('PUT', '/os-quota-class-sets/default', {
      body: { quota_class_set: { volumes: 20, snapshots: 21 } },
    });
    await set(world, { volumes: 30 });
    assert.partialDeepStrictEqual(await quotas(world), { volumes: 30, snapshots: 21, groups: 10 });
    assert.partialDeepStrictEqual(await quotas(world, '/defaults'), { volumes: 20, snapshots: 21, groups: 10 });
  });

  it('say what is used when asked to', async (context) => {
    const world = await freshWorld(context);
    const created = await world.ask('POST', '/volumes', { body: { volume: { size: 3 } } });
    assert.equal(created.status, 202, created.text);
    const usage = await quotas(world, '?usage=True');
    assert.equal(usage.id, PROJECT);
    assert.deepEqual(usage.volumes, { limit: 10, in_use: 1, reserved: 0 });
    assert.deepEqual(usage.gigabytes___DEFAULT__, { limit: -1, in_use: 3, reserved: 0 });
    assert.deepEqual(usage.per_volume_gigabytes, { limit: -1, in_use: 0, reserved: 0 });
    assert.equal((await quotas(world, '?usage=0')).volumes, 10);
    assert.equal((await world.ask('GET', `/os-quota-sets/${PROJECT}?usage=perhaps`)).status, 400);
  });

  it('hold', async (context) => {
    const world = await freshWorld(context);
    await set(world, { volumes: 0 });
    const answer = await world.ask('POST', '/volumes', { body: { volume: { size: 1 } } });
    assert.equal(answer.status, 413);
    assert.match(answer.body.overLimit.message, /^VolumeLimitExceeded: .*exceeded/);
  });

  it('limit one volume too, whoever set it', async (context) => {
    const world = await freshWorld(context, { set: ['quota.per_volume_size_limit=9'] });
    const create = async (size: number) => (await world.ask('POST', '/volumes', { body: { volume: { size } } })).status;
    assert.equal(await create(10), 413);
    await set(world, { per_volume_gigabytes: 2 });
    assert.equal(await create(3), 413);
    assert.equal(await create(2), 202);
    const volume = await world.volume({ host: 'node@file#file', sizeGiB: 1 });
    const extend = (new_size: number) =>
      world.ask('POST', `/volumes/${volume.id}/action`, { body: { 'os-extend': { new_size } } });
    const refused = await extend(3);
    assert.equal(refused.status, 413);
    assert.match(refused.body.overLimit.message, /^VolumeSizeExceedsLimit: .*exceeded/);
    assert.equal((await extend(2)).status, 202);
  });

  it('are not set below what is used, unless the check is waived', async (context) => {
    const world = await freshWorld(context);
    await world.ask('POST', '/volumes', { body: { volume: { size: 3 } } });
    assert.equal((await set(world, { gigabytes: 2 })).status, 400);
    assert.equal((await set(world, { gigabytes: 2 }, '?skip_validation=False')).status, 400);
    assert.equal((await set(world, { gigabytes: 3 })).status, 200);
    assert.equal((await set(world, { gigabytes: -1, per_volume_gigabytes: 1 })).status, 200);
    assert.equal((await set(world, { gigabytes: 2 }, '?skip_validation=True')).status, 200);
    assert.equal((await quotas(world)).gigabytes, 2);
  });

  it('are not set by halves when one of them is wrong', async (context) => {
    const world = await freshWorld(context);
    const wrong = [
      { nonsense: 1 },
      { volumes_nonsense: 1 },
      { gigabytes: -2 },
      { gigabytes: 2 ** 31 },
      { gigabytes: 1.5 },
    ];
    for (const each of [...wrong, { gigabytes: 'many' }, { gigabytes: '9999999999' }, { gigabytes: null }]) {
      const answer = await set(world, { volumes: 99, ...each });
      assert.equal(answer.status, 400, JSON.stringify(each));
    }
    assert.equal((await world.ask('PUT', `/os-quota-sets/${PROJECT}`, { body: {} })).status, 400);
    assert.equal((await world.ask('GET', `/os-quota-sets/${'a'.repeat(256)}`)).status, 400);
    assert.deepEqual(await quotas(world), { id: PROJECT, ...DEFAULTS });
  });

  it('are shown to its members and to administrators', async (context) => {
    const world = await freshWorld(context);
    const path = '/os-quota-sets/:id';
    assert.equal((await getAsMember(world, path, { params: { id: PROJECT } })).quota_set.volumes, 10);
    await assert.rejects(getAsMember(world, path, { params: { id: OTHER_PROJECT } }), Forbidden);
  });
});

describe('the quotas of a class', () => {
  it('are set and shown', async (context) => {
    const world = await freshWorld(context);
    const path = '/os-quota-class-sets/special';
    assert.deepEqual((await world.get(path)).body, { quota_class_set: { id: 'special', ...DEFAULTS } });
    const body = { quota_class_set: { class_name: 'special', volumes: 5 } };
    assert.deepEqual((await world.ask('PUT', path, { body })).body, { quota_class_set: { ...DEFAULTS, volumes: 5 } });
    assert.equal((await world.get(path)).body.quota_class_set.volumes, 5);
    assert.equal((await quotas(world)).volumes, 10);
  });

  it('are refused when they are of nothing or no numbers', async (context) => {
    const world = await freshWorld(context);
    for (const quota_class_set of [{ nonsense: 1 }, { volumes: -2 }, { volumes: 'x' }, []]) {
      const answer = await world.ask('PUT', '/os-quota-class-sets/default', { body: { quota_class_set } });
      assert.equal(answer.status, 400, JSON.stringify(quota_class_set));
    }
  });
});
