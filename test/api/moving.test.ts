/** Volumes that move between two backends of a host, as clients see them. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { freshWorld, until, type World } from './world.ts';

interface Moving {
  readonly world: World;
  /** The volumes on the backend. */
  on(backend: string): Promise<readonly string[]>;
  /** Of a volume on the backend `a`, since its type (`on-a`) wants that. */
  readonly id: string;
  act(action: string, value: unknown): Promise<void>;
  /** As an administrator sees it, when it is as wanted. */
  shown(wanted: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>>;
}

async function moving(context: TestContext): Promise<Moving> {
  const directory = await mkdtemp(join(tmpdir(), `pumice-moving-${process.pid}-`));
  const set = ['a', 'b'].flatMap((name) =>
    ['driver=file', `path=${join(directory, name)}`, 'create=true'].map((option) => `backends.${name}.${option}`),
  );
  const world = await freshWorld(context, { running: true, set });
  context.after(() => rm(directory, { recursive: true }));
  await type(world, 'on-a', 'a');
  const made = await world.ask('POST', '/volumes', { body: { volume: { size: 1, volume_type: 'on-a' } } });
  const { id } = made.body.volume;
  const shown: Moving['shown'] = async (wanted) => {
    const { body } = await until(
      () => world.get(`/volumes/${id}`, { version: '3.61' }),
      ({ body: { volume } }) => Object.entries(wanted).every(([key, value]) => volume[key] === value),
    );
    return body.volume;
  };
  await shown({ status: 'available' });
  return {
    world,
    id,
    shown,
    on: async (backend) => (await readdir(join(directory, backend))).filter((name) => name.startsWith('volume-')),
    act: async (action, value) => {
      const answer = await world.ask('POST', `/volumes/${id}/action`, { body: { [action]: value } });
      assert.equal(answer.status, 202, answer.text);
    },
  };
}

async function type(world: World, name: string, backend: string): Promise<void> {
  const extra_specs = { volume_backend_name: backend };
  const answer = await world.ask('POST', '/types', { body: { volume_type: { name, extra_specs } } });
  assert.equal(answer.status, 200, answer.text);
}

const serviceOf = async (world: World, host: string): Promise<string> =>
  (await world.service.db.read.selectFrom('service').select('uuid').where('host', '=', host).executeTakeFirstOrThrow())
    .uuid;

describe('a volume that is retyped by migration', () => {
  it('is on the other backend, by its service too, keeps its id, and is the only one', async (context) => {
    const { world, id, act, shown, on } = await moving(context);
    await type(world, 'on-b', 'b');
    await act('os-retype', { new_type: 'on-b', migration_policy: 'on-demand' });
    const volume = await shown({ volume_type: 'on-b', status: 'available' });
    assert.partialDeepStrictEqual(volume, {
      'os-vol-host-attr:host': 'node@b#b',
      migration_status: 'success',
      service_uuid: await serviceOf(world, 'node@b'),
    });
    assert.deepEqual([await on('a'), await on('b')], [[], [`volume-${volume['os-vol-mig-status-attr:name_id']}`]]);
    const { volumes } = (await world.get('/volumes?all_tenants=1')).body;
    assert.deepEqual(
      volumes.map((each: { id: string }) => each.id),
      [id],
    );
  });

  it('by never stays what it was', async (context) => {
    const { world, act, shown, on } = await moving(context);
    await type(world, 'on-b', 'b');
    await act('os-retype', { new_type: 'on-b', migration_policy: 'never' });
    const volume = await shown({ status: 'available', migration_status: null });
    assert.partialDeepStrictEqual(volume, { volume_type: 'on-a', 'os-vol-host-attr:host': 'node@a#a' });
    assert.deepEqual([(await on('a')).length, await on('b')], [1, []]);
  });
});

describe('a volume that is migrated', () => {
  it('ends as success, which is there until the next one, and can be used', async (context) => {
    const { world, id, act, shown } = await moving(context);
    await act('os-migrate_volume', { host: 'node@b#b' });
    // Its type wants it where it is.
    await shown({ migration_status: 'error', 'os-vol-host-attr:host': 'node@a#a' });
    await act('os-retype', { new_type: '__DEFAULT__' });
    await shown({ volume_type: '__DEFAULT__', status: 'available', migration_status: 'error' });
    await act('os-migrate_volume', { host: 'node@b', force_host_copy: 'True', lock_volume: 'True' });
    await shown({ migration_status: 'success', status: 'available', 'os-vol-host-attr:host': 'node@b#b' });
    await act('os-extend', { new_size: 2 });
    await shown({ status: 'available', size: 2, migration_status: 'success' });
    const snapshot = await world.ask('POST', '/snapshots', { body: { snapshot: { volume_id: id } } });
    assert.equal(snapshot.status, 202, snapshot.text);
    await until(
      () => world.get(`/snapshots/${snapshot.body.snapshot.id}`),
      ({ body }) => body.snapshot.status === 'available',
    );
  });
});
