/** `backups`, version by version: what is shown, what may be asked, and what is refused. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { getBackup } from '../../src/db/backups.ts';
import { now, uuid } from '../../src/lib/clock.ts';
import type { Backup, NewBackup } from '../../src/model/backup.ts';
import { BACKUP_STATUSES } from '../../src/model/backup-status.ts';
import { beginFlow } from '../cli/begin-flow.ts';
import { makeBackup } from '../db/rows.ts';
import { getAsMember } from './member.ts';
import { type Answer, freshWorld, PROJECT, USER, type World } from './world.ts';

const version = '3.71';

const given = (world: World, more: Partial<NewBackup> = {}): Promise<Backup> =>
  makeBackup(world.service.db, { projectId: PROJECT, userId: USER, ...more });
const get = (world: World, path: string, at = version): Promise<Answer> =>
  world.get(`/backups${path}`, { version: at });
const put = (world: World, id: string, body: unknown, at = version): Promise<Answer> =>
  world.ask('PUT', `/backups/${id}`, { version: at, body });
const reset = (world: World, id: string, status: unknown): Promise<Answer> =>
  world.ask('POST', `/backups/${id}/action`, { version, body: { 'os-reset_status': { status } } });
const names = ({ body }: Answer): string[] => body.backups.map(({ name }: { name: string }) => name);

describe('a backup', () => {
  it('is shown with the keys of its version', async (context) => {
    const world = await freshWorld(context);
    const backup = await given(world, {
      name: 'nightly',
      description: 'all',
      status: 'error',
      failReason: 'no room',
      container: 'box',
      availabilityZone: 'nova',
      snapshotId: uuid(),
      objectCount: 5,
      sizeGiB: 2,
      dataTimestamp: now(),
      metadata: { key: 'value' },
      encryptionKeyId: uuid(),
    });
    const { id } = backup;
    const links = [
      { rel: 'self', href: `http://pumice.test:8776/v3/${PROJECT}/backups/${id}` },
      { rel: 'bookmark', href: `http://pumice.test:8776/${PROJECT}/backups/${id}` },
    ];
    for (const minor of [0, 17, 18, 42, 43, 55, 56, 63, 64, 71]) {
      const at = `3.${minor}`;
      const shown = {
        id,
        status: 'error',
        size: 2,
        object_count: 5,
        availability_zone: 'nova',
        container: 'box',
        created_at: backup.createdAt,
        updated_at: null,
        name: 'nightly',
        description: 'all',
        fail_reason: 'no room',
        volume_id: backup.volumeId,
        links,
        is_incremental: false,
        has_dependent_backups: false,
        snapshot_id: backup.snapshotId,
        data_timestamp: backup.dataTimestamp,
        ...(minor >= 18 && { 'os-backup-project-attr:project_id': PROJECT }),
        ...(minor >= 43 && { metadata: { key: 'value' } }),
        ...(minor >= 56 && { user_id: USER }),
        ...(minor >= 64 && { encryption_key_id: backup.encryptionKeyId }),
      };
      assert.deepEqual((await get(world, `/${id}`, at)).body, { backup: shown }, at);
      assert.deepEqual((await get(world, '/detail', at)).body, { backups: [shown] }, at);
      assert.deepEqual((await get(world, '', at)).body, { backups: [{ id, name: 'nightly', links }] }, at);
    }
  });

  it('shows its project and user to administrators only, and no key where it has none', async (context) => {
    const world = await freshWorld(context);
    const { id } = await given(world);
    const { backup } = await getAsMember(world, '/backups/:id', { params: { id } });
    const [shown] = (await getAsMember(world, '/backups/detail')).backups;
    assert.deepEqual(shown, backup);
    for (const key of ['os-backup-project-attr:project_id', 'user_id', 'encryption_key_id'])
      assert.equal(Object.hasOwn(backup, key), false, key);
  });

  it('says whether it is an increment, and whether others are increments to it', async (context) => {
    const world = await freshWorld(context);
    const full = await given(world);
    const child = await given(world, { parentId: full.id });
    const told = async (id: string) => {
      const { is_incremental, has_dependent_backups } = (await get(world, `/${id}`)).body.backup;
      return [is_incremental, has_dependent_backups];
    };
    assert.deepEqual(
      [await told(full.id), await told(child.id)],
      [
        [false, true],
        [true, false],
      ],
    );
  });

  it('is found by nobody of another project', async (context) => {
    const world = await freshWorld(context);
    const { id } = await given(world, { projectId: 'another' });
    assert.deepEqual((await getAsMember(world, '/backups', { query: 'all_tenants=1' })).backups, []);
    await assert.rejects(getAsMember(world, '/backups/:id', { params: { id } }), { name: 'BackupNotFound' });
    assert.equal((await world.ask('GET', `/backups/${uuid()}`)).status, 404);
  });

  it('gets another name, description and, from 3.43 on, metadata', async (context) => {
    const world = await freshWorld(context);
    const { id } = await given(world, { name: 'old', metadata: { a: '1', b: '2' } });
    const row = () => getBackup(world.service.db.read, id);
    const renamed = await put(world, id, { backup: { name: ' new ', description: 'said' } }, '3.9');
    assert.equal(renamed.status, 200, renamed.text);
    assert.deepEqual(Object.keys(renamed.body.backup), ['id', 'name', 'links']);
    assert.partialDeepStrictEqual(await row(), { name: 'new', description: 'said', metadata: { a: '1', b: '2' } });
    assert.equal((await put(world, id, { backup: { metadata: { c: '3' } } }, '3.43')).status, 200);
    assert.deepEqual((await row()).metadata, { c: '3' });
    assert.equal((await put(world, id, { backup: { name: null } })).status, 200);
    assert.partialDeepStrictEqual(await row(), { name: null, description: 'said' });
    const { revision } = await row();
    for (const nothing of [{ backup: {} }, { backup: null }, { backup: { metadata: null } }])
      assert.equal((await put(world, id, nothing)).status, 200);
    assert.equal((await row()).revision, revision);
  });

  it('is not updated by what is no update, or before there were any', async (context) => {
    const world = await freshWorld(context);
    const { id } = await given(world);
    const statuses = [
      await put(world, id, {}),
      await put(world, id, { backup: { size: 3 } }),
      await put(world, id, { backup: { name: 'n'.repeat(256) } }),
      await put(world, id, { backup: { metadata: { key: 1 } } }),
      await put(world, id, { backup: { metadata: { key: 'value' } } }, '3.42'),
      await put(world, id, { backup: { name: 'new' } }, '3.8'),
      await put(world, uuid(), { backup: { name: 'new' } }),
    ].map(({ status }) => status);
    assert.deepEqual(statuses, [400, 400, 400, 400, 400, 404, 404]);
    assert.equal((await getBackup(world.service.db.read, id)).revision, 1);
  });

  it('is given another status by an administrator, unless a flow works on it', async (context) => {
    const world = await freshWorld(context);
    const { id } = await given(world, { status: 'creating' });
    for (const status of BACKUP_STATUSES) {
      const answer = await reset(world, id, status);
      assert.equal(answer.status, status === 'available' || status === 'error' ? 202 : 400, status);
    }
    assert.equal((await reset(world, id, 'ERROR')).status, 202);
    assert.equal((await getBackup(world.service.db.read, id)).status, 'error');
    assert.equal((await reset(world, id, '')).status, 400);
    assert.equal((await reset(world, uuid(), 'error')).status, 404);
    const resource = `backup:${id}`;
    await beginFlow(world.service.db, resource, { holds: [{ resource, mode: 'exclusive' }] });
    const held = await reset(world, id, 'available');
    assert.equal(held.status, 400);
    assert.match(held.text, /is in use by/);
  });
});

describe('a list of backups', () => {
  it('comes in pages, each with a link to the next, and counts all', async (context) => {
    const world = await freshWorld(context);
    for (const name of ['a', 'b', 'c']) await given(world, { name });
    await given(world, { name: 'theirs', projectId: 'another' });
    const first = await get(world, '?limit=2&with_count=true', '3.45');
    assert.deepEqual(names(first), ['c', 'b']);
    assert.equal(first.body.count, 3);
    assert.equal(first.body.backups_links[0].rel, 'next');
    const path = first.body.backups_links[0].href.replace(/^.*\/backups/, '');
    assert.deepEqual(names(await get(world, path)), ['a']);
    assert.equal(Object.hasOwn((await get(world, '?with_count=true', '3.44')).body, 'count'), false);
    assert.deepEqual((await get(world, '?limit=0')).body, { backups: [] });
    assert.deepEqual((await get(world, '?nonsense=1&with_count=1')).body, { backups: [], count: 0 });
    assert.deepEqual(names(await get(world, '?all_tenants=1&sort=name')), ['theirs', 'c', 'b', 'a']);
    assert.equal((await world.ask('GET', `/backups?marker=${uuid()}`)).status, 404);
  });

  it('is sorted by name from 3.37 on, and by what a backup does not have never', async (context) => {
    const world = await freshWorld(context);
    for (const [name, sizeGiB] of [
      ['b', 1],
      ['a', 2],
    ] as const)
      await given(world, { name, sizeGiB });
    assert.deepEqual(names(await get(world, '?sort=name:asc', '3.37')), ['a', 'b']);
    assert.deepEqual(names(await get(world, '?sort=size:asc', '3.0')), ['b', 'a']);
    assert.equal((await world.ask('GET', '/backups?sort=name:asc', { version: '3.36' })).status, 400);
    assert.equal((await world.ask('GET', '/backups?sort=colour', { version })).status, 400);
  });

  it('is filtered by others than administrators by name, status and volume alone', async (context) => {
    const world = await freshWorld(context);
    const { name, status, volumeId } = await given(world, { name: 'one', status: 'error' });
    await given(world, { name: 'two' });
    const found = async (query: string) =>
      (await getAsMember(world, '/backups', { query })).backups.map((each: { name: string }) => each.name);
    for (const query of [`name=${name}`, `status=${status}`, `volume_id=${volumeId}`, 'name~=on'])
      assert.deepEqual(await found(query), ['one'], query);
    await assert.rejects(found('size=1'), { name: 'InvalidInput' });
  });
});
