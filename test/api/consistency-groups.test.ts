import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deleteGroupTypeRow, findGroupTypeByName } from '../../src/db/group-types.ts';
import { getGroup, updateGroup } from '../../src/db/groups.ts';
import { defaultVolumeType } from '../../src/db/volume-types.ts';
import { GroupNotFound } from '../../src/model/errors.ts';
import { CONSISTENCY_GROUP_TYPE } from '../../src/model/group-type.ts';
import { beat, pool } from './heartbeats.ts';
import { getAsMember } from './member.ts';
import { type Answer, freshWorld, type World } from './world.ts';

const NOBODY = '00000000-0000-4000-8000-000000000000';
const ABLE = { consistent_group_snapshot_enabled: true };

const ask = (world: World, method: string, path: string, body?: object): Promise<Answer> =>
  world.ask(method, `/consistencygroups${path}`, body === undefined ? {} : { body });
const make = (world: World, more: object = {}): Promise<Answer> =>
  ask(world, 'POST', '', { consistencygroup: { name: 'c', volume_types: '__DEFAULT__', ...more } });
const update = (world: World, id: string, consistencygroup: object): Promise<Answer> =>
  ask(world, 'PUT', `/${id}/update`, { consistencygroup });
const remove = (world: World, id: string, force: unknown): Promise<Answer> =>
  ask(world, 'POST', `/${id}/delete`, { consistencygroup: { force } });

async function made(world: World, more: object = {}): Promise<string> {
  const answer = await make(world, more);
  assert.equal(answer.status, 202, answer.text);
  return answer.body.consistencygroup.id;
}

describe('a consistency group', () => {
  it('is a group of the type that is theirs, on a backend that keeps one moment', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'n@a', pools: [pool('p')] });
    const refused = await make(world);
    assert.match(refused.body.badRequest.message, /consistent_group_snapshot_enabled/);
    await beat(world, { host: 'n@b', pools: [pool('p', ABLE)] });
    const { read } = world.service.db;
    const { id: volumeType } = await defaultVolumeType(read);
    // As python-cinderclient sends it.
    const sent = { description: 'd', volume_types: `__DEFAULT__, ${volumeType},`, status: 'creating', user_id: 'u' };
    const { body } = await make(world, { ...sent, project_id: 'p', availability_zone: null });
    const { id } = body.consistencygroup;
    assert.deepEqual(body, { consistencygroup: { id, name: 'c' } });
    const group = await getGroup(read, id);
    const type = await findGroupTypeByName(read, CONSISTENCY_GROUP_TYPE);
    assert.deepEqual([group.host, group.groupTypeId], ['n@b#p', type?.id]);
    const shown = {
      id,
      status: 'available',
      availability_zone: 'nova',
      created_at: group.createdAt,
      name: 'c',
      description: 'd',
      volume_types: [volumeType],
    };
    assert.deepEqual((await ask(world, 'GET', `/${id}`)).body, { consistencygroup: shown });
    assert.deepEqual((await ask(world, 'GET', '/detail')).body, { consistencygroups: [shown] });
    assert.deepEqual((await ask(world, 'GET', '')).body, { consistencygroups: [{ id, name: 'c' }] });
    assert.deepEqual((await world.get('/groups', { version: '3.71' })).body, { groups: [] });
  });

  it('is not made of no types, of unknown ones, or of nonsense', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'n@b', pools: [pool('p', ABLE)] });
    assert.equal((await make(world, { volume_types: NOBODY })).status, 404);
    for (const wrong of [{ volume_types: '' }, { volume_types: ' , ' }, { volume_types: ['__DEFAULT__'] }, { more: 1 }])
      assert.equal((await make(world, wrong)).status, 400, JSON.stringify(wrong));
    const { db } = world.service;
    const type = await findGroupTypeByName(db.read, CONSISTENCY_GROUP_TYPE);
    await db.write((tx) => deleteGroupTypeRow(tx, type?.id ?? ''));
    assert.equal((await make(world)).status, 404);
    assert.deepEqual((await ask(world, 'GET', '')).body, { consistencygroups: [] });
  });

  it('is listed in pages, and found by no call of another project', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'n@b', pools: [pool('p', ABLE)] });
    for (const name of ['a', 'b', 'c']) await made(world, { name });
    const names = ({ body }: Answer) => body.consistencygroups.map(({ name }: { name: string }) => name);
    const first = await ask(world, 'GET', '?limit=2&sort=name:asc');
    assert.deepEqual(names(first), ['a', 'b']);
    const [next] = first.body.consistencygroup_links;
    assert.deepEqual(names(await ask(world, 'GET', `?${next.href.split('?')[1]}`)), ['c']);
    const id = await made(world);
    const project = 'f'.repeat(32);
    const asked = getAsMember(world, '/consistencygroups/:id', { params: { id }, project });
    await assert.rejects(asked, GroupNotFound);
    assert.deepEqual(await getAsMember(world, '/consistencygroups/detail', { project }), { consistencygroups: [] });
  });

  it('is renamed, and takes volumes; one with volumes is deleted by force only', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'n@b', pools: [pool('p', ABLE)] });
    const id = await made(world);
    assert.equal((await update(world, id, { name: 'd', description: '' })).status, 202);
    assert.equal((await ask(world, 'GET', `/${id}`)).body.consistencygroup.name, 'd');
    for (const wrong of [{}, { name: null }, { add_volumes: NOBODY }, { more: 1 }])
      assert.equal((await update(world, id, wrong)).status, 400, JSON.stringify(wrong));
    const { body } = await world.ask('POST', '/volumes', {
      body: { volume: { size: 1, volume_type: '__DEFAULT__', consistencygroup_id: id } },
    });
    const { volume } = (await world.get(`/volumes/${body.volume.id}`, { version: '3.13' })).body;
    assert.equal(volume.group_id, id);
    assert.match((await remove(world, id, false)).body.badRequest.message, /has 1 volumes/);
    assert.equal((await remove(world, id, 'maybe')).status, 400);
  });

  it('is deleted when it is empty', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'n@b', pools: [pool('p', ABLE)] });
    const id = await made(world);
    await world.service.db.write((tx) => updateGroup(tx, id, { host: null }));
    assert.equal((await remove(world, id, false)).status, 202);
    assert.equal((await ask(world, 'GET', `/${id}`)).status, 404);
  });

  it('that is a group of another type is not there', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'n@b', pools: [pool('p')] });
    const group_type = { name: 'g' };
    await world.ask('POST', '/group_types', { version: '3.11', body: { group_type } });
    const group = { group_type: 'g', volume_types: ['__DEFAULT__'] };
    const { id } = (await world.ask('POST', '/groups', { version: '3.13', body: { group } })).body.group;
    for (const asked of [
      ask(world, 'GET', `/${id}`),
      ask(world, 'GET', `/${NOBODY}`),
      update(world, id, { name: 'x' }),
      remove(world, id, true),
    ])
      assert.equal((await asked).status, 404);
  });
});
