/** `backups`, version by version: what is shown, what may be asked, and what is refused. */
import assert from 'node:assert/strict';
import { mkdir, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { keepContent } from '../../src/db/backup-contents.ts';
import { getBackup } from '../../src/db/backups.ts';
import { now, uuid } from '../../src/lib/clock.ts';
import { BACKUP_SERVICE, type Backup, type NewBackup } from '../../src/model/backup.ts';
import { BACKUP_STATUSES } from '../../src/model/backup-status.ts';
import { beginFlow } from '../cli/begin-flow.ts';
import { makeBackup } from '../db/rows.ts';
import { beat } from './heartbeats.ts';
import { getAsMember } from './member.ts';
import { type Answer, dump, freshWorld, PROJECT, USER, until, type World } from './world.ts';

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

/** In a directory of its own; the one of a mount that is not there would not be made either. */
const STORE = [
  'backup_stores.main.backup_driver=posix',
  'backup_stores.main.backup_posix_path=$data_directory/backups',
];

async function withStore(context: TestContext, running = true): Promise<World> {
  const world = await freshWorld(context, { running, set: STORE });
  await mkdir(join(world.config.data_directory, 'backups'));
  if (!running) await beat(world, { host: 'node', binary: 'cinder-backup', pools: [] });
  return world;
}

const settled = (world: World, kind: 'volume' | 'backup', id: string) =>
  until(
    () => world.get(`/${kind}s/${id}`, { version }),
    ({ body }) => !/ing$|ing-backup$/.test(body[kind].status) && body[kind].status !== 'backing-up',
  ).then(({ body }) => body[kind]);

const volumeOf = async (world: World, given: object = { size: 1 }) => {
  const made = await world.ask('POST', '/volumes', { version, body: { volume: given } });
  assert.equal(made.status, 202, made.text);
  return settled(world, 'volume', made.body.volume.id);
};
const create = (world: World, backup: object, at = version): Promise<Answer> =>
  world.ask('POST', '/backups', { version: at, body: { backup } });
const restore = (world: World, id: string, given: object | null): Promise<Answer> =>
  world.ask('POST', `/backups/${id}/restore`, { version, body: { restore: given } });

const importRecord = (world: World, record: object): Promise<Answer> =>
  world.ask('POST', '/backups/import_record', { version, body: { 'backup-record': record } });

/** The first bytes of a volume, and the same near its end. */
const PLACES = [0, 900 * 1024 ** 2];
const fileOf = (world: World, id: string): string => join(world.config.data_directory, 'volumes', `volume-${id}`);
async function writeTo(world: World, id: string, text: string): Promise<void> {
  const file = await open(fileOf(world, id), 'r+');
  for (const at of PLACES) await file.write(Buffer.from(text.padEnd(100)), 0, 100, at);
  await file.close();
}
async function readFrom(world: World, id: string): Promise<string[]> {
  const file = await open(fileOf(world, id), 'r');
  const read = async (at: number) => (await file.read(Buffer.alloc(100), 0, 100, at)).buffer.toString().trim();
  const texts = [];
  for (const at of PLACES) texts.push(await read(at));
  await file.close();
  return texts;
}

describe('a volume', () => {
  it('is backed up, and restored into itself, into a new volume and by a create', async (context) => {
    const world = await withStore(context);
    const { id: volume_id } = await volumeOf(world);
    await writeTo(world, volume_id, 'first');
    const made = await create(world, { volume_id, name: ' nightly ', container: 'box', metadata: { key: 'value' } });
    assert.equal(made.status, 202, made.text);
    assert.deepEqual(Object.keys(made.body.backup), ['id', 'name', 'links']);
    const { id } = made.body.backup;
    const backup = await settled(world, 'backup', id);
    assert.partialDeepStrictEqual(backup, {
      status: 'available',
      name: 'nightly',
      container: 'box',
      size: 1,
      availability_zone: 'nova',
      metadata: { key: 'value' },
      is_incremental: false,
      fail_reason: null,
      object_count: 1,
    });
    assert.equal(backup.data_timestamp, backup.created_at);
    await writeTo(world, volume_id, 'second');

    const again = await restore(world, id, { volume_id, name: null });
    assert.deepEqual([again.status, again.body], [202, { restore: { backup_id: id, volume_id, volume_name: null } }]);
    assert.equal((await settled(world, 'volume', volume_id)).status, 'available');
    assert.deepEqual(await readFrom(world, volume_id), ['first', 'first']);
    assert.equal((await settled(world, 'backup', id)).status, 'available');

    const named = await restore(world, id, null);
    assert.equal(named.status, 202, named.text);
    const { volume_id: fresh, volume_name } = named.body.restore;
    assert.equal(volume_name, `restore_backup_${id}`);
    assert.partialDeepStrictEqual(await settled(world, 'volume', fresh), { status: 'available', size: 1 });
    assert.deepEqual(await readFrom(world, fresh), ['first', 'first']);
    await settled(world, 'backup', id);

    const larger = await volumeOf(world, { size: 2, backup_id: id });
    assert.deepEqual([larger.status, larger.size], ['available', 2]);
    assert.deepEqual(await readFrom(world, larger.id), ['first', 'first']);

    const { absolute } = (await world.get('/limits')).body.limits;
    assert.deepEqual([absolute.totalBackupsUsed, absolute.totalBackupGigabytesUsed], [1, 1]);
    assert.equal((await world.ask('DELETE', `/backups/${id}`)).status, 202);
    await until(
      () => world.ask('GET', `/backups/${id}`),
      ({ status }) => status === 404,
    );
    // A directory that goes while they are read is not empty yet.
    const files = (): Promise<string[]> => everyFile(world).catch(() => [id]);
    await until(
      async () => ({ ...made, status: (await files()).filter((name) => name.includes(id)).length }),
      ({ status }) => status === 0,
    );
  });

  it('is backed up by increments, each of which can be restored, and the first of which stays', async (context) => {
    const world = await withStore(context);
    const { id: volume_id } = await volumeOf(world);
    const none = await create(world, { volume_id, incremental: true });
    assert.equal(none.status, 400);
    assert.match(none.text, /No backups available to do an incremental backup\./);
    const ids: string[] = [];
    for (const [index, text] of ['one', 'two', 'three'].entries()) {
      await writeTo(world, volume_id, text);
      const { body } = await create(world, { volume_id, incremental: index > 0 });
      assert.equal((await settled(world, 'backup', body.backup.id)).status, 'available');
      ids.push(body.backup.id);
    }
    const told = await Promise.all(
      ids.map(async (id) => {
        const { is_incremental, has_dependent_backups } = await settled(world, 'backup', id);
        return [is_incremental, has_dependent_backups];
      }),
    );
    assert.deepEqual(told, [
      [false, true],
      [true, true],
      [true, false],
    ]);
    const [first = '', second = ''] = ids;
    const refused = await world.ask('DELETE', `/backups/${first}`);
    assert.equal(refused.status, 400);
    assert.match(refused.text, new RegExp(`Incremental backups exist for this backup: ${second}`));
    const forced = await world.ask('POST', `/backups/${first}/action`, { version, body: { 'os-force_delete': {} } });
    assert.equal(forced.status, 400);
    for (const [index, text] of ['one', 'two', 'three'].entries()) {
      await restore(world, ids[index] ?? '', { volume_id });
      assert.equal((await settled(world, 'volume', volume_id)).status, 'available');
      assert.deepEqual(await readFrom(world, volume_id), [text, text]);
    }
  });

  it('is backed up from a snapshot, as it was then', async (context) => {
    const world = await withStore(context);
    const { id: volume_id } = await volumeOf(world);
    await writeTo(world, volume_id, 'then');
    const { body } = await world.ask('POST', '/snapshots', { version, body: { snapshot: { volume_id } } });
    const { id: snapshot_id } = body.snapshot;
    const { snapshot } = (
      await until(
        () => world.get(`/snapshots/${snapshot_id}`),
        ({ body }) => body.snapshot.status === 'available',
      )
    ).body;
    await writeTo(world, volume_id, 'now');
    const made = await create(world, { volume_id, snapshot_id });
    const backup = await settled(world, 'backup', made.body.backup.id);
    assert.deepEqual([backup.snapshot_id, backup.data_timestamp], [snapshot_id, snapshot.created_at]);
    await restore(world, backup.id, { volume_id });
    await settled(world, 'volume', volume_id);
    assert.deepEqual(await readFrom(world, volume_id), ['then', 'then']);
    // What was backed up after the snapshot is nothing that it could be an increment to.
    await settled(world, 'backup', (await create(world, { volume_id })).body.backup.id);
    const child = await create(world, { volume_id, snapshot_id, incremental: true });
    assert.equal(child.status, 400, 'the data of the first is as old as the snapshot');
  });

  it('keeps the container that it is asked for as a name, and lies with the others of its volume', async (context) => {
    const world = await withStore(context);
    const { id: volume_id } = await volumeOf(world);
    const asked = [null, 'box', '../../outside', '/absolute'];
    const scopes: string[] = [];
    for (const [at, container] of asked.entries()) {
      await writeTo(world, volume_id, `state ${at}`);
      const { id } = (await create(world, { volume_id, container, incremental: at > 0 })).body.backup;
      const backup = await settled(world, 'backup', id);
      scopes.push((await getBackup(world.service.db.read, id)).scopeId ?? '');
      const expected = { status: 'available', is_incremental: at > 0, container: container ?? scopes[0] };
      assert.partialDeepStrictEqual(backup, expected);
    }
    assert.deepEqual(new Set(scopes).size, 1);
    const written = (await everyFile(world)).filter((name) => name.includes('/manifests/'));
    assert.equal(written.length, asked.length);
    assert.deepEqual((await readdir(join(world.config.data_directory, 'backups'))).sort(), [
      'pumice-store.json',
      'scopes',
      'tmp',
    ]);
    assert.ok(!(await readdir(world.config.data_directory)).includes('outside'));
  });

  it('is known again from its record, and can be restored', async (context) => {
    const world = await withStore(context);
    const { id: volume_id } = await volumeOf(world);
    await writeTo(world, volume_id, 'first');
    const { id } = (await create(world, { volume_id, name: 'nightly', container: 'box' })).body.backup;
    const before = await settled(world, 'backup', id);
    const exported = await world.get(`/backups/${id}/export_record`, { version });
    assert.equal(exported.status, 200, exported.text);
    const record = exported.body['backup-record'];
    assert.equal(record.backup_service, BACKUP_SERVICE);

    const known = await importRecord(world, record);
    assert.deepEqual([known.status, /Backup already exists in database/.test(known.text)], [400, true]);
    await world.service.db.write(async ({ db }) => {
      await db.deleteFrom('backup_content').execute();
      await db.deleteFrom('backup').execute();
      await db.deleteFrom('backup_scope').execute();
    });
    const made = await importRecord(world, record);
    assert.equal(made.status, 201, made.text);
    assert.deepEqual([made.body.backup.id, made.body.backup.name], [id, 'nightly']);
    const { created_at, updated_at, ...again } = await settled(world, 'backup', id);
    const { created_at: _created, updated_at: _updated, ...was } = before;
    assert.deepEqual(again, was);

    const { volume_id: fresh } = (await restore(world, id, null)).body.restore;
    assert.equal((await settled(world, 'volume', fresh)).status, 'available');
    assert.deepEqual(await readFrom(world, fresh), ['first', 'first']);
  });

  it('is not known from what is no record, and has none unless it is available', async (context) => {
    const world = await withStore(context, false);
    const { id } = await given(world, { status: 'error' });
    const none = await given(world);
    const before = await dump(world);
    const refused = [
      await world.ask('GET', `/backups/${id}/export_record`, { version }),
      await world.ask('GET', `/backups/${none.id}/export_record`, { version }),
      await importRecord(world, { backup_service: 'cinder.backup.drivers.ceph', backup_url: 'e30=' }),
    ];
    const record = {
      id: uuid(),
      size: 1,
      display_name: null,
      display_description: null,
      container: null,
      object_count: 1,
      driver_info: { store: 'main', scope: 'a', root: 'ab' },
    };
    for (const wrong of [
      'no base64 of JSON',
      [],
      { ...record, id: '../etc' },
      { ...record, size: 0 },
      { ...record, display_name: 'x'.repeat(256) },
      { ...record, driver_info: null },
      { ...record, driver_info: { ...record.driver_info, scope: '../..' } },
      { ...record, driver_info: { ...record.driver_info, root: 'AB' } },
    ])
      refused.push(
        await importRecord(world, {
          backup_service: BACKUP_SERVICE,
          backup_url: Buffer.from(typeof wrong === 'string' ? wrong : JSON.stringify(wrong)).toString('base64'),
        }),
      );
    for (const answer of refused) assert.equal(answer.status, 400, answer.text);
    assert.deepEqual(await dump(world), before);
  });

  it('is not backed up or restored as it may not be, and nothing is left of that', async (context) => {
    const world = await withStore(context, false);
    const volume = await world.volume({ host: 'node@file#file' });
    const used = await world.volume({ host: 'node@file#file', status: 'in-use', attachStatus: 'attached' });
    const backup = await given(world, { sizeGiB: 2, volumeId: volume.id });
    const before = await dump(world);
    const unplaced = await world.volume();
    const after = { ...(await dump(world)) };
    const cases: readonly (readonly [string, Promise<Answer>, number, RegExp])[] = [
      ['in use', create(world, { volume_id: used.id }), 400, /must be available to be backed up; it is in-use/],
      ['on no backend', create(world, { volume_id: unplaced.id }), 400, /is not on a backend/],
      ['nobody', create(world, { volume_id: uuid() }), 404, /Volume .* could not be found/],
      ['no snapshot', create(world, { volume_id: volume.id, snapshot_id: uuid() }), 404, /Snapshot .* could not be/],
      ['nothing', create(world, {}), 400, /volume_id/],
      [
        'of no zone',
        create(world, { volume_id: volume.id, availability_zone: 'moon' }),
        503,
        /in availability zone moon/,
      ],
      [
        'a zone too early',
        create(world, { volume_id: volume.id, availability_zone: 'nova' }, '3.50'),
        400,
        /additional/,
      ],
      ['metadata too early', create(world, { volume_id: volume.id, metadata: {} }, '3.42'), 400, /additional/],
      ['too small', restore(world, backup.id, { volume_id: volume.id }), 400, /is too small for a backup of 2GiB/],
      ['no such target', restore(world, backup.id, { volume_id: uuid() }), 404, /Volume/],
      ['no such backup', restore(world, uuid(), { volume_id: volume.id }), 404, /Backup/],
      ['nobody’s backup', world.ask('DELETE', `/backups/${uuid()}`), 404, /Backup/],
    ];
    for (const [what, asked, status, words] of cases) {
      const answer = await asked;
      assert.equal(answer.status, status, `${what}: ${answer.text}`);
      assert.match(answer.text, words, what);
    }
    assert.deepEqual(await dump(world), after);
    assert.notDeepEqual(before, after);
  });

  it('is not backed up where there is no store, or its service is disabled', async (context) => {
    const without = await freshWorld(context);
    const { id: volume_id } = await without.volume({ host: 'node@file#file' });
    const none = await create(without, { volume_id });
    assert.deepEqual([none.status, /no backup store is configured/.test(none.text)], [503, true]);
    const world = await withStore(context, false);
    const body = { host: 'node', binary: 'cinder-backup' };
    assert.equal((await world.ask('PUT', '/os-services/disable', { body })).status, 200);
    const volume = await world.volume({ host: 'node@file#file' });
    assert.equal((await create(world, { volume_id: volume.id })).status, 503);
  });

  it('is backed up within the quota of who asks', async (context) => {
    const world = await withStore(context, false);
    const { id: volume_id } = await world.volume({ host: 'node@file#file', sizeGiB: 3 });
    for (const [resource, words] of [
      ['backups', /BackupLimitExceeded/],
      ['backup_gigabytes', /VolumeBackupSizeExceedsAvailableQuota/],
    ] as const) {
      const limits = { backups: 1, backup_gigabytes: 3 };
      const short = { ...limits, [resource]: limits[resource] - 1 };
      await world.ask('PUT', `/os-quota-sets/${PROJECT}`, { body: { quota_set: short } });
      const answer = await create(world, { volume_id });
      assert.deepEqual([answer.status, words.test(answer.text)], [413, true], answer.text);
      await world.ask('PUT', `/os-quota-sets/${PROJECT}`, { body: { quota_set: limits } });
    }
    assert.equal((await create(world, { volume_id })).status, 202);
  });
});

async function everyFile(world: World): Promise<string[]> {
  return readdir(join(world.config.data_directory, 'backups'), { recursive: true });
}

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
    const unfinished = await reset(world, id, 'available');
    assert.deepEqual([unfinished.status, /was never whole/.test(unfinished.text)], [400, true]);
    const content = { backupId: id, scopeId: uuid(), root: '', packs: [] };
    await world.service.db.write((tx) => keepContent(tx, content));
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
