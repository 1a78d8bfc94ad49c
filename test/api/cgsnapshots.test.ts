import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { getGroupSnapshot, insertGroupSnapshot } from '../../src/db/group-snapshots.ts';
import { findGroupTypeByName, insertGroupType, updateGroupType } from '../../src/db/group-types.ts';
import { insertGroup } from '../../src/db/groups.ts';
import { defaultVolumeType } from '../../src/db/volume-types.ts';
import { uuid } from '../../src/lib/clock.ts';
import { GroupSnapshotNotFound } from '../../src/model/errors.ts';
import type { GroupSnapshot } from '../../src/model/group-snapshot.ts';
import { CONSISTENCY_GROUP_TYPE } from '../../src/model/group-type.ts';
import { getAsMember } from './member.ts';
import { type Answer, freshWorld, PROJECT, USER, until, type World } from './world.ts';

const NOBODY = '00000000-0000-4000-8000-000000000000';

const ask = (world: World, method: string, path: string, body?: object): Promise<Answer> =>
  world.ask(method, `/cgsnapshots${path}`, body === undefined ? {} : { body });
const names = ({ body }: Answer): string[] => body.cgsnapshots.map(({ name }: { name: string }) => name);

const typeOf = async ({ service: { db } }: World): Promise<string> =>
  (await findGroupTypeByName(db.read, CONSISTENCY_GROUP_TYPE))?.id ?? '';

/** A snapshot, as it stands in the table, of a consistency group or of a group of another type. */
async function given(world: World, name: string, groupTypeId: string): Promise<GroupSnapshot> {
  const { db } = world.service;
  const base = { projectId: PROJECT, userId: USER, status: 'available', groupTypeId } as const;
  const volumeTypeIds = [(await defaultVolumeType(db.read)).id];
  return db.write(async (tx) => {
    const group = await insertGroup(tx, { ...base, id: uuid(), host: 'node@file#file', volumeTypeIds });
    return insertGroupSnapshot(tx, { ...base, id: uuid(), groupId: group.id, name });
  });
}

/** Where the type demands nothing, any backend will do. */
async function consistencyGroup(world: World): Promise<string> {
  const id = await typeOf(world);
  await world.service.db.write((tx) => updateGroupType(tx, id, { groupSpecs: {} }));
  const body = { consistencygroup: { volume_types: '__DEFAULT__' } };
  return (await world.ask('POST', '/consistencygroups', { body })).body.consistencygroup.id;
}

const available = (world: World, path: string, kind: string) =>
  until(
    () => world.get(path),
    ({ body }) => body[kind].status === 'available',
  );

describe('a snapshot of a consistency group', () => {
  it('is taken, shown, made into another group, and deleted', async (context) => {
    const world = await freshWorld(context, { running: true });
    const consistencygroup_id = await consistencyGroup(world);
    const take = (cgsnapshot: object) => ask(world, 'POST', '', { cgsnapshot });
    assert.equal((await take({ consistencygroup_id })).status, 400, 'it is empty');
    const volume = { size: 1, volume_type: '__DEFAULT__', consistencygroup_id };
    const { body: first } = await world.ask('POST', '/volumes', { body: { volume } });
    await available(world, `/volumes/${first.volume.id}`, 'volume');
    // As python-cinderclient sends it.
    const sent = { name: ' s ', description: 'd', status: 'creating', user_id: null, project_id: null };
    const made = await take({ consistencygroup_id, ...sent });
    assert.equal(made.status, 202, made.text);
    const { id } = made.body.cgsnapshot;
    assert.deepEqual(made.body, { cgsnapshot: { id, name: 's' } });
    await available(world, `/cgsnapshots/${id}`, 'cgsnapshot');
    const { createdAt: created_at } = await getGroupSnapshot(world.service.db.read, id);
    const shown = { id, consistencygroup_id, status: 'available', created_at, name: 's', description: 'd' };
    assert.deepEqual((await ask(world, 'GET', `/${id}`)).body, { cgsnapshot: shown });
    assert.deepEqual((await ask(world, 'GET', '/detail')).body, { cgsnapshots: [shown] });
    assert.deepEqual((await ask(world, 'GET', '')).body, { cgsnapshots: [{ id, name: 's' }] });

    const copy = (request: object) =>
      world.ask('POST', '/consistencygroups/create_from_src', { body: { 'consistencygroup-from-src': request } });
    for (const source of [{ cgsnapshot_id: id }, { source_cgid: consistencygroup_id }]) {
      const answer = await copy({ name: 'copy', ...source });
      assert.equal(answer.status, 202, answer.text);
      const group = answer.body.consistencygroup;
      assert.deepEqual(answer.body, { consistencygroup: { id: group.id, name: 'copy' } });
      await available(world, `/consistencygroups/${group.id}`, 'consistencygroup');
    }
    assert.equal((await copy({ cgsnapshot_id: id, source_cgid: consistencygroup_id })).status, 400);
    assert.equal((await copy({ name: 'of nothing' })).status, 400);
    assert.equal((await copy({ cgsnapshot_id: 'x' })).status, 400);
    for (const nobody of [{ cgsnapshot_id: NOBODY }, { source_cgid: NOBODY }])
      assert.equal((await copy(nobody)).status, 404);
    assert.equal((await ask(world, 'DELETE', `/${id}`)).status, 202);
    await until(
      () => ask(world, 'GET', `/${id}`),
      ({ status }) => status === 404,
    );
  });

  it('is taken of no group of another type, of none that is not there, and of no nonsense', async (context) => {
    const world = await freshWorld(context);
    const type = { id: uuid(), name: 'g', description: null, isPublic: true, groupSpecs: {} };
    await world.service.db.write((tx) => insertGroupType(tx, type));
    const { groupId } = await given(world, 'other', type.id);
    const take = async (cgsnapshot: object) => (await ask(world, 'POST', '', { cgsnapshot })).status;
    for (const consistencygroup_id of [NOBODY, groupId]) assert.equal(await take({ consistencygroup_id }), 404);
    for (const wrong of [{}, { consistencygroup_id: 'x' }, { consistencygroup_id: NOBODY, more: 1 }])
      assert.equal(await take(wrong), 400, JSON.stringify(wrong));
    const copied = { 'consistencygroup-from-src': { source_cgid: groupId } };
    assert.equal((await world.ask('POST', '/consistencygroups/create_from_src', { body: copied })).status, 404);
  });

  it('is shown by these calls only, and no other group snapshot is', async (context) => {
    const world = await freshWorld(context);
    const type = { id: uuid(), name: 'g', description: null, isPublic: true, groupSpecs: {} };
    await world.service.db.write((tx) => insertGroupType(tx, type));
    const reserved = await typeOf(world);
    for (const name of ['a', 'b', 'c']) {
      await given(world, name, reserved);
      await given(world, `other ${name}`, type.id);
    }
    const first = await ask(world, 'GET', '?limit=2&sort=name:asc');
    assert.deepEqual(names(first), ['a', 'b']);
    const [next] = first.body.cgsnapshot_links;
    assert.deepEqual(names(await ask(world, 'GET', `?${next.href.split('?')[1]}`)), ['c']);
    const { group_snapshots } = (await world.get('/group_snapshots', { version: '3.71' })).body;
    assert.equal(group_snapshots.length, 3);
    const { id } = await given(world, 'other', type.id);
    for (const asked of [ask(world, 'GET', `/${id}`), ask(world, 'DELETE', `/${id}`), ask(world, 'GET', `/${NOBODY}`)])
      assert.equal((await asked).status, 404);
    const mine = await given(world, 'mine', reserved);
    const elsewhere = { params: { id: mine.id }, project: 'f'.repeat(32) };
    await assert.rejects(getAsMember(world, '/cgsnapshots/:id', elsewhere), GroupSnapshotNotFound);
  });
});
