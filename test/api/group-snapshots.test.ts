/** `group_snapshots`, version by version: what is shown, what may be asked, and what is refused. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { getGroupSnapshot, insertGroupSnapshot } from '../../src/db/group-snapshots.ts';
import { findGroupTypeByName, insertGroupType } from '../../src/db/group-types.ts';
import { insertGroup } from '../../src/db/groups.ts';
import { listSnapshots } from '../../src/db/snapshots.ts';
import { defaultVolumeType } from '../../src/db/volume-types.ts';
import { uuid } from '../../src/lib/clock.ts';
import type { Group } from '../../src/model/group.ts';
import type { GroupSnapshot, NewGroupSnapshot } from '../../src/model/group-snapshot.ts';
import { GROUP_SNAPSHOT_STATUSES } from '../../src/model/group-status.ts';
import { CONSISTENCY_GROUP_TYPE } from '../../src/model/group-type.ts';
import { getAsMember } from './member.ts';
import { type Answer, freshWorld, PROJECT, USER, until, type World } from './world.ts';

const version = '3.71';
const NOBODY = '00000000-0000-4000-8000-000000000000';

const ask = (world: World, method: string, path: string, body?: object, at = version): Promise<Answer> =>
  world.ask(method, `/group_snapshots${path}`, { version: at, ...(body !== undefined && { body }) });
const reset = (world: World, id: string, status: unknown, at = version): Promise<Answer> =>
  ask(world, 'POST', `/${id}/action`, { reset_status: { status } }, at);
const names = ({ body }: Answer): string[] => body.group_snapshots.map(({ name }: { name: string }) => name);

async function givenGroup(world: World, groupTypeId?: string): Promise<Group> {
  const { db } = world.service;
  const volumeType = await defaultVolumeType(db.read);
  return db.write(async (tx) => {
    const type = { id: uuid(), name: `type-${uuid()}`, description: null, isPublic: true, groupSpecs: {} };
    return insertGroup(tx, {
      id: uuid(),
      projectId: PROJECT,
      userId: USER,
      status: 'available',
      host: 'node@file#file',
      groupTypeId: groupTypeId ?? (await insertGroupType(tx, type)).id,
      volumeTypeIds: [volumeType.id],
    });
  });
}

async function given(world: World, more: Partial<NewGroupSnapshot> = {}, of?: Group): Promise<GroupSnapshot> {
  const { id: groupId, groupTypeId } = of ?? (await givenGroup(world));
  const base = { id: uuid(), projectId: PROJECT, userId: USER, status: 'available', groupId, groupTypeId } as const;
  return world.service.db.write((tx) => insertGroupSnapshot(tx, { ...base, ...more }));
}

describe('a group snapshot', () => {
  it('is taken of all volumes of a group, and deleted with its parts', async (context) => {
    const world = await freshWorld(context, { running: true });
    const typed = await world.ask('POST', '/group_types', { version, body: { group_type: { name: 'together' } } });
    const group_type = typed.body.group_type.id;
    const request = { group: { group_type, volume_types: ['__DEFAULT__'] } };
    const group_id = (await world.ask('POST', '/groups', { version, body: request })).body.group.id;
    const ids: string[] = [];
    for (const size of [1, 2]) {
      const body = { volume: { size, volume_type: '__DEFAULT__', group_id } };
      const { id } = (await world.ask('POST', '/volumes', { version, body })).body.volume;
      await until(
        () => world.get(`/volumes/${id}`),
        ({ body: { volume } }) => volume.status === 'available',
      );
      ids.push(id);
    }
    const made = await ask(
      world,
      'POST',
      '',
      { group_snapshot: { group_id, name: ' both ', description: ' d ' } },
      '3.14',
    );
    assert.equal(made.status, 202, made.text);
    const { id } = made.body.group_snapshot;
    assert.deepEqual(made.body, { group_snapshot: { id, name: 'both', group_type_id: group_type } });
    await until(
      () => ask(world, 'GET', `/${id}`),
      ({ body }) => body.group_snapshot.status === 'available',
    );
    const { snapshots } = (await world.get(`/snapshots/detail?group_snapshot_id=${id}`, { version })).body;
    assert.deepEqual(snapshots.map(({ volume_id }: { volume_id: string }) => volume_id).sort(), ids.toSorted());
    for (const part of snapshots) {
      assert.partialDeepStrictEqual(part, { name: 'both', status: 'available', group_snapshot_id: id });
      assert.equal((await world.ask('DELETE', `/snapshots/${part.id}`)).status, 400);
    }
    assert.equal((await ask(world, 'DELETE', `/${id}`)).status, 202);
    await until(
      () => ask(world, 'GET', `/${id}`),
      ({ status }) => status === 404,
    );
    assert.deepEqual(await listSnapshots(world.service.db, {}), []);
  });

  it('is shown with the keys of its version', async (context) => {
    const world = await freshWorld(context);
    const { id, groupId, groupTypeId, createdAt } = await given(world, { name: 'g', description: 'd' });
    for (const minor of [14, 57, 58, 71]) {
      const shown = {
        id,
        group_id: groupId,
        group_type_id: groupTypeId,
        status: 'available',
        created_at: createdAt,
        name: 'g',
        description: 'd',
        ...(minor >= 58 && { project_id: PROJECT }),
      };
      const at = `3.${minor}`;
      assert.deepEqual((await ask(world, 'GET', `/${id}`, undefined, at)).body, { group_snapshot: shown }, at);
      assert.deepEqual((await ask(world, 'GET', '/detail', undefined, at)).body, { group_snapshots: [shown] }, at);
      const summary = { group_snapshots: [{ id, name: 'g', group_type_id: groupTypeId }] };
      assert.deepEqual((await ask(world, 'GET', '', undefined, at)).body, summary, at);
    }
    const { group_snapshot: asMember } = await getAsMember(world, '/group_snapshots/:id', { params: { id } });
    assert.equal(Object.hasOwn(asMember, 'project_id'), false);
  });

  it('is refused of a group that is not there, has nothing in it, or is a consistency group', async (context) => {
    const world = await freshWorld(context);
    const status = async (group_snapshot: object): Promise<number> =>
      (await ask(world, 'POST', '', { group_snapshot })).status;
    const empty = await givenGroup(world);
    const type = await findGroupTypeByName(world.service.db.read, CONSISTENCY_GROUP_TYPE);
    const legacy = await givenGroup(world, type?.id ?? '');
    assert.equal(await status({ group_id: NOBODY }), 404);
    for (const wrong of [
      { group_id: empty.id },
      { group_id: legacy.id },
      { group_id: 'no-id' },
      {},
      { group_id: empty.id, name: 'x'.repeat(256) },
      { group_id: empty.id, more: 1 },
    ])
      assert.equal(await status(wrong), 400, JSON.stringify(wrong));
    assert.deepEqual((await ask(world, 'GET', '')).body, { group_snapshots: [] });
  });

  it('of a consistency group is not shown, and leaves the pages of the others full', async (context) => {
    const world = await freshWorld(context);
    const type = await findGroupTypeByName(world.service.db.read, CONSISTENCY_GROUP_TYPE);
    const legacy = await givenGroup(world, type?.id ?? '');
    await given(world, { name: 'first' });
    const hidden = await given(world, { name: 'hidden' }, legacy);
    await given(world, { name: 'last' });
    const page = await ask(world, 'GET', '?limit=2');
    assert.deepEqual(names(page), ['last', 'first']);
    for (const [method, path] of [
      ['GET', `/${hidden.id}`],
      ['DELETE', `/${hidden.id}`],
    ] as const)
      assert.equal((await ask(world, method, path)).status, 400);
    assert.equal((await reset(world, hidden.id, 'error')).status, 400);
  });

  it('is listed page by page, sorted, and to its project only', async (context) => {
    const world = await freshWorld(context);
    for (const name of ['b', 'a', 'c']) await given(world, { name });
    await given(world, { name: 'theirs', projectId: uuid().replaceAll('-', '') });
    const first = await ask(world, 'GET', '?sort=name:asc&limit=2');
    assert.deepEqual(names(first), ['a', 'b']);
    const [{ href }] = first.body.group_snapshot_links;
    assert.deepEqual(names(await world.get(href.replace('http://pumice.test:8776', '/'), { version })), ['c']);
    assert.deepEqual(names(await ask(world, 'GET', '?name=a')), ['a']);
    assert.equal((await ask(world, 'GET', '?all_tenants=1')).body.group_snapshots.length, 4);
    assert.equal((await ask(world, 'GET', `?marker=${NOBODY}`)).status, 404);
  });

  it('is given any of its statuses by an administrator from 3.19 on, and no other', async (context) => {
    const world = await freshWorld(context);
    const { id } = await given(world);
    for (const status of GROUP_SNAPSHOT_STATUSES) {
      assert.equal((await reset(world, id, status)).status, 202);
      assert.equal((await getGroupSnapshot(world.service.db.read, id)).status, status);
    }
    for (const wrong of ['in-use', 'nonsense', '', null, 1]) assert.equal((await reset(world, id, wrong)).status, 400);
    assert.equal((await reset(world, NOBODY, 'error')).status, 404);
    assert.equal((await reset(world, id, 'error', '3.18')).status, 404);
  });
});

describe('a group', () => {
  it('is made from a group or from a group snapshot, from 3.14 on, and from one of them', async (context) => {
    const world = await freshWorld(context, { running: true });
    const group = await givenGroup(world);
    const { id: group_snapshot_id } = await given(world, {}, group);
    const act = (value: object, at = version): Promise<Answer> =>
      world.ask('POST', '/groups/action', { version: at, body: { 'create-from-src': value } });
    const source_group_id = group.id;
    assert.equal((await act({ source_group_id }, '3.13')).status, 404);
    for (const missing of [{ source_group_id: NOBODY }, { group_snapshot_id: NOBODY }])
      assert.equal((await act(missing)).status, 404, JSON.stringify(missing));
    for (const wrong of [
      {},
      { source_group_id: null, group_snapshot_id: null },
      { source_group_id, group_snapshot_id },
      { source_group_id: 'no-id' },
      { source_group_id, more: 1 },
      // Nothing is in them.
      { source_group_id },
      { group_snapshot_id },
    ])
      assert.equal((await act(wrong)).status, 400, JSON.stringify(wrong));
    const volume = { size: 1, volume_type: '__DEFAULT__', group_id: group.id };
    const { id } = (await world.ask('POST', '/volumes', { version, body: { volume } })).body.volume;
    await until(
      () => world.get(`/volumes/${id}`),
      ({ body }) => body.volume.status === 'available',
    );
    const made = await act({ source_group_id, name: ' copy ' }, '3.14');
    assert.equal(made.status, 202, made.text);
    const copy = made.body.group.id;
    assert.deepEqual(made.body, { group: { id: copy, name: 'copy' } });
    const { body } = await until(
      () => world.get(`/groups/${copy}?list_volume=True`, { version }),
      (answer) => answer.body.group.status === 'available',
    );
    assert.equal(body.group.source_group_id, source_group_id);
    assert.equal(body.group.volumes.length, 1);
    assert.equal((await world.get(`/volumes/${body.group.volumes[0]}`)).body.volume.source_volid, id);
  });
});
