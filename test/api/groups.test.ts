import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findGroupTypeByName, insertGroupType } from '../../src/db/group-types.ts';
import { getGroup, insertGroup, updateGroup } from '../../src/db/groups.ts';
import { quotaUsage } from '../../src/db/quotas.ts';
import { defaultVolumeType, insertVolumeType } from '../../src/db/volume-types.ts';
import { uuid } from '../../src/lib/clock.ts';
import { GroupNotFound, InvalidInput } from '../../src/model/errors.ts';
import type { Group, NewGroup } from '../../src/model/group.ts';
import { CONSISTENCY_GROUP_TYPE } from '../../src/model/group-type.ts';
import { beat, pool } from './heartbeats.ts';
import { getAsMember } from './member.ts';
import { type Answer, freshWorld, PROJECT, USER, until, type World } from './world.ts';

const version = '3.71';
const NOBODY = '00000000-0000-4000-8000-000000000000';

const ask = (world: World, method: string, path: string, body?: object, at = version): Promise<Answer> =>
  world.ask(method, `/groups${path}`, { version: at, ...(body !== undefined && { body }) });
const act = (world: World, id: string, action: string, value: unknown = {}): Promise<Answer> =>
  ask(world, 'POST', `/${id}/action`, { [action]: value });
const status = async (asked: Promise<Answer>): Promise<number> => (await asked).status;
const names = ({ body }: Answer): string[] => body.groups.map(({ name }: { name: string }) => name);

async function groupType(world: World, groupSpecs: Readonly<Record<string, string>> = {}): Promise<string> {
  const made = { id: uuid(), name: `type-${uuid()}`, description: null, isPublic: true, groupSpecs };
  return (await world.service.db.write((tx) => insertGroupType(tx, made))).id;
}

async function given(world: World, more: Partial<NewGroup> = {}): Promise<Group> {
  const groupTypeId = more.groupTypeId ?? (await groupType(world));
  const volumeType = await defaultVolumeType(world.service.db.read);
  return world.service.db.write((tx) =>
    insertGroup(tx, {
      id: uuid(),
      projectId: PROJECT,
      userId: USER,
      status: 'available',
      host: 'node@file#file',
      volumeTypeIds: [volumeType.id],
      ...more,
      groupTypeId,
    }),
  );
}

async function consistencyGroup(world: World): Promise<Group> {
  const type = await findGroupTypeByName(world.service.db.read, CONSISTENCY_GROUP_TYPE);
  return given(world, { name: 'legacy', groupTypeId: type?.id ?? '' });
}

const request = async (world: World, more: object = {}) => ({
  group: { group_type: await groupType(world), volume_types: ['__DEFAULT__'], ...more },
});

describe('a group', () => {
  it('is made on a backend, answered with its id and name, and counts', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'n@b', pools: [pool('p')] });
    const volumeType = await defaultVolumeType(world.service.db.read);
    const body = await request(world, {
      name: ' mine ',
      description: ' all ',
      volume_types: ['__DEFAULT__', volumeType.id],
    });
    const made = await ask(world, 'POST', '', body, '3.13');
    assert.equal(made.status, 202, made.text);
    const { id } = made.body.group;
    assert.deepEqual(made.body, { group: { id, name: 'mine' } });
    assert.partialDeepStrictEqual(await getGroup(world.service.db.read, id), {
      status: 'available',
      host: 'n@b#p',
      description: 'all',
      volumeTypeIds: [volumeType.id],
    });
    assert.equal((await quotaUsage(world.service.db.read, PROJECT)).groups?.inUse, 1);
    const told = await world.service.db.read.selectFrom('outbox').select(['publisher_id', 'payload']).execute();
    const payload = {
      tenant_id: PROJECT,
      user_id: USER,
      availability_zone: 'nova',
      group_id: id,
      group_type: body.group.group_type,
      name: 'mine',
      created_at: `${(await getGroup(world.service.db.read, id)).createdAt}+00:00`,
    };
    assert.deepEqual(
      told.map((event) => [event.publisher_id, JSON.parse(event.payload)]),
      ['creating', 'available'].map((status) => ['group.n@b', { ...payload, status }]),
    );
  });

  it('is shown with the keys of its version', async (context) => {
    const world = await freshWorld(context);
    const group = await given(world, { name: 'g', availabilityZone: 'nova', replicationStatus: 'disabled' });
    const member = await world.volume({ groupId: group.id });
    for (const minor of [13, 14, 24, 25, 37, 38, 57, 58, 71]) {
      const shown = {
        id: group.id,
        status: 'available',
        availability_zone: 'nova',
        created_at: group.createdAt,
        name: 'g',
        description: null,
        group_type: group.groupTypeId,
        volume_types: group.volumeTypeIds,
        ...(minor >= 14 && { group_snapshot_id: null, source_group_id: null }),
        ...(minor >= 38 && { replication_status: 'disabled' }),
        ...(minor >= 58 && { project_id: PROJECT }),
      };
      const at = `3.${minor}`;
      assert.deepEqual((await ask(world, 'GET', `/${group.id}`, undefined, at)).body, { group: shown }, at);
      const listed = minor >= 25 ? { ...shown, volumes: [member.id] } : shown;
      for (const path of [`/${group.id}?list_volume=True`, '/detail?list_volume=1']) {
        const { body } = await ask(world, 'GET', path, undefined, at);
        assert.deepEqual(body.group ?? body.groups[0], listed, `${path} at ${at}`);
      }
      const summary = { groups: [{ id: group.id, name: 'g' }] };
      assert.deepEqual((await ask(world, 'GET', '', undefined, at)).body, summary);
    }
    const { group: asMember } = await getAsMember(world, '/groups/:id', { params: { id: group.id } });
    assert.equal(Object.hasOwn(asMember, 'project_id'), false);
  });

  it('is not made of types that are not there, of none, or of nonsense', async (context) => {
    const world = await freshWorld(context);
    await beat(world, { host: 'n@b', pools: [pool('p')] });
    const made = async (more: object) => status(ask(world, 'POST', '', await request(world, more)));
    for (const missing of [{ group_type: NOBODY }, { group_type: 'none' }, { volume_types: [NOBODY] }])
      assert.equal(await made(missing), 404, JSON.stringify(missing));
    for (const wrong of [
      { volume_types: [] },
      { volume_types: 'a' },
      { volume_types: ['__DEFAULT__', '__DEFAULT__'] },
      { volume_types: undefined },
      { group_type: '' },
      { name: 'x'.repeat(256) },
      { availability_zone: 'nowhere' },
      { group_type: CONSISTENCY_GROUP_TYPE },
      { more: 1 },
    ])
      assert.equal(await made(wrong), 400, JSON.stringify(wrong));
    assert.deepEqual((await ask(world, 'GET', '')).body, { groups: [] });
    assert.equal((await quotaUsage(world.service.db.read, PROJECT)).groups?.inUse ?? 0, 0);
  });

  it('that no backend takes is an error, with a message, and counts until it is deleted', async (context) => {
    const world = await freshWorld(context);
    const { db } = world.service;
    for (const name of ['one', 'two']) {
      await beat(world, { host: `n@${name}`, pools: [pool('p', { where: name })] });
      await db.write((tx) => insertVolumeType(tx, { id: uuid(), name, extraSpecs: { where: name } }));
    }
    const made = await ask(world, 'POST', '', await request(world, { volume_types: ['one', 'two'] }));
    assert.equal(made.status, 202, made.text);
    const { id } = made.body.group;
    assert.equal((await ask(world, 'GET', `/${id}`)).body.group.status, 'error');
    const { messages } = (await world.get(`/messages?resource_uuid=${id}`, { version })).body;
    assert.deepEqual(
      messages.map(({ event_id }: { event_id: string }) => event_id),
      ['VOLUME_VOLUME_GROUP_121_003'],
    );
    assert.equal((await quotaUsage(db.read, PROJECT)).groups?.inUse, 1);
    assert.equal(await status(act(world, id, 'delete')), 202);
    assert.equal(await status(ask(world, 'GET', `/${id}`)), 404);
    assert.equal((await quotaUsage(db.read, PROJECT)).groups?.inUse, 0);
  });

  it('whose type demands one moment is refused by that name where no backend keeps it', async (context) => {
    const world = await freshWorld(context);
    const group_type = await groupType(world, { consistent_group_snapshot_enabled: '<is> True' });
    await beat(world, { host: 'n@b', pools: [pool('p')] });
    const refused = await ask(world, 'POST', '', await request(world, { group_type }));
    assert.equal(refused.status, 400);
    assert.match(refused.body.badRequest.message, /consistent_group_snapshot_enabled/);
    await beat(world, { host: 'n@c', pools: [pool('p', { consistent_group_snapshot_enabled: true })] });
    const made = await ask(world, 'POST', '', await request(world, { group_type }));
    assert.equal((await getGroup(world.service.db.read, made.body.group.id)).host, 'n@c#p');
  });

  it('more than the quota is refused, and leaves no trace', async (context) => {
    const world = await freshWorld(context, { set: ['quota.quota_groups=1'] });
    await beat(world, { host: 'n@b', pools: [pool('p')] });
    assert.equal(await status(ask(world, 'POST', '', await request(world))), 202);
    const { status: code, body, headers } = await ask(world, 'POST', '', await request(world));
    assert.equal(code, 413);
    assert.match(body.overLimit.message, /^GroupLimitExceeded: .*exceeded/);
    assert.equal(headers['retry-after'], '0');
    assert.equal((await ask(world, 'GET', '')).body.groups.length, 1);
  });

  it('of another project is not found, nor is one that is not there', async (context) => {
    const world = await freshWorld(context);
    const { id } = await given(world, { projectId: 'f'.repeat(32) });
    await assert.rejects(getAsMember(world, '/groups/:id', { params: { id } }), GroupNotFound);
    assert.equal(await status(ask(world, 'GET', `/${id}`)), 200);
    for (const asked of [
      ask(world, 'GET', `/${NOBODY}`),
      ask(world, 'PUT', `/${NOBODY}`, { group: { name: 'x' } }),
      act(world, NOBODY, 'delete'),
      act(world, NOBODY, 'reset_status', { status: 'error' }),
      act(world, NOBODY, 'enable_replication'),
    ])
      assert.equal(await status(asked), 404);
  });

  it('is listed in pages that consistency groups leave no gaps in', async (context) => {
    const world = await freshWorld(context);
    for (const name of ['a', 'b', 'c']) {
      await given(world, { name });
      await consistencyGroup(world);
    }
    await given(world, { name: 'theirs', projectId: 'f'.repeat(32) });
    const first = await ask(world, 'GET', '?limit=2&sort=name:asc');
    assert.deepEqual(names(first), ['a', 'b']);
    const [next] = first.body.group_links;
    assert.deepEqual(names(await ask(world, 'GET', `?${next.href.split('?')[1]}`)), ['c']);
    assert.deepEqual(names(await ask(world, 'GET', '/detail?limit=1&offset=1&sort=name:asc')), ['b']);
    assert.deepEqual(names(await ask(world, 'GET', '?name=b')), ['b']);
    assert.equal((await ask(world, 'GET', '?all_tenants=1')).body.groups.length, 4);
    assert.equal(await status(ask(world, 'GET', `?marker=${NOBODY}`)), 404);
    assert.deepEqual(await getAsMember(world, '/groups', { query: 'name=c&limit=0' }), { groups: [] });
    for (const filter of ['status', 'group_type', 'host', 'availability_zone'])
      await assert.rejects(getAsMember(world, '/groups', { query: `${filter}=x` }), InvalidInput, filter);
  });

  it('that is a consistency group is shown and changed by no call for groups', async (context) => {
    const world = await freshWorld(context);
    const { id } = await consistencyGroup(world);
    for (const asked of [
      ask(world, 'GET', `/${id}`),
      ask(world, 'PUT', `/${id}`, { group: { name: 'x' } }),
      act(world, id, 'delete'),
      act(world, id, 'reset_status', { status: 'error' }),
      act(world, id, 'enable_replication'),
    ])
      assert.match((await asked).body.badRequest.message, /default_cgsnapshot_type/);
  });

  it('is updated, and what says nothing is refused', async (context) => {
    const world = await freshWorld(context, { running: true });
    const made = await ask(world, 'POST', '', await request(world, { name: 'a' }));
    const { id } = made.body.group;
    const update = (group: object) => ask(world, 'PUT', `/${id}`, { group });
    const renamed = await update({ name: ' b ' });
    assert.deepEqual([renamed.status, renamed.text], [202, '']);
    assert.equal((await ask(world, 'GET', `/${id}`)).body.group.name, 'b');
    for (const wrong of [{}, { name: 'b' }, { name: null }, { add_volumes: '' }, { add_volumes: NOBODY }, { more: 1 }])
      assert.equal(await status(update(wrong)), 400, JSON.stringify(wrong));
    const volume = { size: 1, volume_type: '__DEFAULT__', group_id: id };
    const inside = await world.ask('POST', '/volumes', { version, body: { volume } });
    assert.equal(inside.body.volume.group_id, id);
    const available = (volumeId: string) =>
      until(
        () => world.get(`/volumes/${volumeId}`, { version }),
        ({ body }) => body.volume.status === 'available',
      );
    await available(inside.body.volume.id);
    const outside = await world.ask('POST', '/volumes', { version, body: { volume: { size: 1 } } });
    await available(outside.body.volume.id);
    const change = { add_volumes: `${outside.body.volume.id},`, remove_volumes: inside.body.volume.id };
    assert.equal(await status(update(change)), 202);
    await until(
      () => ask(world, 'GET', `/${id}?list_volume=true`),
      ({ body: { group } }) => group.status === 'available' && group.volumes[0] === outside.body.volume.id,
    );
    assert.equal(await status(act(world, id, 'delete', { 'delete-volumes': 'maybe' })), 400);
    assert.equal(await status(act(world, id, 'delete', {})), 400);
    assert.equal(await status(act(world, id, 'delete', { 'delete-volumes': 'yes' })), 202);
    await until(
      () => ask(world, 'GET', `/${id}`),
      (answer) => answer.status === 404,
    );
    assert.equal((await world.ask('GET', `/volumes/${outside.body.volume.id}`)).status, 404);
  });

  it('has its status overwritten by an administrator, by any but one of the words', async (context) => {
    const world = await freshWorld(context);
    const { id } = await given(world);
    const reset = (to: unknown) => act(world, id, 'reset_status', { status: to });
    for (const to of ['creating', 'available', 'updating', 'deleting', 'error', 'error_deleting', 'DELETED']) {
      assert.equal(await status(reset(to)), 202, to);
      assert.equal((await ask(world, 'GET', `/${id}`)).body.group.status, to.toLowerCase());
    }
    for (const wrong of ['in-use', 'none', '', null, 7]) assert.equal(await status(reset(wrong)), 400, String(wrong));
    const below = await ask(world, 'POST', `/${id}/action`, { reset_status: { status: 'error' } }, '3.19');
    assert.equal(below.status, 404);
  });

  it('is not replicated, by no backend here', async (context) => {
    const world = await freshWorld(context);
    const { id } = await given(world);
    for (const action of ['enable_replication', 'disable_replication', 'failover_replication'])
      assert.match((await act(world, id, action)).body.badRequest.message, /not of a type that is replicated/);
    assert.equal(await status(act(world, id, 'list_replication_targets')), 400);
    assert.equal(await status(act(world, id, 'failover_replication', { allow_attached_volume: 'maybe' })), 400);
    assert.equal(await status(act(world, id, 'nonsense')), 400);
  });

  it('keeps its types from being deleted', async (context) => {
    const world = await freshWorld(context);
    const { db } = world.service;
    const gold = await db.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'gold' }));
    const group = await given(world, { volumeTypeIds: [gold.id] });
    assert.equal((await world.ask('DELETE', `/types/${gold.id}`)).status, 400);
    assert.equal((await world.ask('DELETE', `/group_types/${group.groupTypeId}`, { version })).status, 400);
    await db.write((tx) => updateGroup(tx, group.id, { status: 'error', host: null }));
    assert.equal(await status(act(world, group.id, 'delete')), 202);
    assert.equal((await world.ask('DELETE', `/types/${gold.id}`)).status, 202);
    assert.equal((await world.ask('DELETE', `/group_types/${group.groupTypeId}`, { version })).status, 202);
  });

  it('is not known before 3.13', async (context) => {
    const world = await freshWorld(context);
    const { id } = await given(world);
    assert.equal(await status(ask(world, 'GET', '', undefined, '3.12')), 404);
    const volume = { size: 1, volume_type: '__DEFAULT__', group_id: id };
    const made = await world.ask('POST', '/volumes', { version: '3.12', body: { volume } });
    assert.equal(made.status, 202, made.text);
    const { body } = await world.get(`/volumes/${made.body.volume.id}`, { version });
    assert.equal(body.volume.group_id, null);
  });
});
