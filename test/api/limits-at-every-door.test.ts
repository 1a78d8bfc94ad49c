/**
 * Every door by which a volume, a snapshot or a backup comes to a project, or grows, asks the limits of that project: each door is
 * tried with each limit one below what is needed, and just at it.
 */
import assert from 'node:assert/strict';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { Route } from '../../src/api/route.ts';
import { routes } from '../../src/api/routes.ts';
import { deleteBackupRow } from '../../src/db/backups.ts';
import { findGroupTypeByName, updateGroupType } from '../../src/db/group-types.ts';
import { setProjectLimits } from '../../src/db/quota-limits.ts';
import { countQuota } from '../../src/db/quotas.ts';
import { findVolumeTypeByName, insertVolumeType } from '../../src/db/volume-types.ts';
import { uuid } from '../../src/lib/clock.ts';
import { CONSISTENCY_GROUP_TYPE } from '../../src/model/group-type.ts';
import { type Answer, freshWorld, until, type World } from './world.ts';

const GIB = 1024 ** 3;
const STORE = [
  'backup_stores.main.backup_driver=posix',
  'backup_stores.main.backup_posix_path=$data_directory/backups',
];
const version = '3.71';

interface Door {
  /** As the table of routes has it; an action behind it. */
  readonly route: string;
  readonly of?: string;
  /** What the project has before, and what it needs for the door to open, with what it has. */
  readonly needs: Readonly<Record<string, number>>;
  /** The size is learnt in the flow: these limits end it in an error, and a message says why. */
  readonly later?: readonly string[];
  /** Resolves with what opens it. `project`: who comes in. */
  prepare(world: World, project: string): Promise<() => Promise<Answer>>;
}

const VOLUME = { volumes: 1, volumes___DEFAULT__: 1, gigabytes: 2, gigabytes___DEFAULT__: 2, per_volume_gigabytes: 2 };
const COPIED_GROUP = {
  ...VOLUME,
  volumes: 2,
  volumes___DEFAULT__: 2,
  gigabytes: 4,
  gigabytes___DEFAULT__: 4,
  groups: 2,
};
const SNAPSHOT = { snapshots: 1, snapshots___DEFAULT__: 1, gigabytes: 4, gigabytes___DEFAULT__: 4 };

const post = (world: World, project: string, path: string, body: object): Promise<Answer> =>
  world.ask('POST', path, { project, version, body });

/** Counted, of 2 GiB, on the backend. */
async function had(world: World, project: string, sizeGiB = 2): Promise<string> {
  const made = await post(world, project, '/volumes', { volume: { size: sizeGiB } });
  assert.equal(made.status, 202, made.text);
  const { id } = made.body.volume;
  await available(world, `/volumes/${id}`, 'volume', project);
  return id;
}

/** With a volume of 2 GiB in it. */
async function hadGroup(world: World, project: string): Promise<string> {
  const typed = await post(world, project, '/group_types', { group_type: { name: `of ${project}` } });
  const group_type = typed.body.group_type.id;
  const made = await post(world, project, '/groups', { group: { group_type, volume_types: ['__DEFAULT__'] } });
  return withMember(world, project, made.body.group.id);
}

/** The same, whatever the backends of this machine can do. */
async function hadConsistencyGroup(world: World, project: string): Promise<string> {
  const { db } = world.service;
  const type = await findGroupTypeByName(db.read, CONSISTENCY_GROUP_TYPE);
  await db.write((tx) => updateGroupType(tx, type?.id ?? '', { groupSpecs: {} }));
  const made = await post(world, project, '/consistencygroups', { consistencygroup: { volume_types: '__DEFAULT__' } });
  return withMember(world, project, made.body.consistencygroup.id);
}

async function withMember(world: World, project: string, group_id: string): Promise<string> {
  const volume = { size: 2, volume_type: '__DEFAULT__', group_id };
  const { body } = await post(world, project, '/volumes', { volume });
  await available(world, `/volumes/${body.volume.id}`, 'volume', project);
  return group_id;
}

async function available(world: World, path: string, kind: string, project: string): Promise<void> {
  await until(
    () => world.get(path, { project, version }),
    ({ body }) => body[kind].status === 'available',
  );
}

async function foreignFile(world: World): Promise<string> {
  const name = `theirs-${uuid()}.img`;
  const path = join(world.config.data_directory, 'volumes', name);
  await writeFile(path, '');
  await truncate(path, 2 * GIB);
  return name;
}

const transfer = (path: string): Door => ({
  route: `POST ${path}/:id/accept`,
  needs: VOLUME,
  prepare: async (world, project) => {
    const donor = uuid().replaceAll('-', '');
    const offered = await post(world, donor, path, { transfer: { volume_id: await had(world, donor) } });
    const { id, auth_key } = offered.body.transfer;
    return () => post(world, project, `${path}/${id}/accept`, { accept: { auth_key } });
  },
});

const manage = (path: string): Door => ({
  route: `POST ${path}`,
  needs: VOLUME,
  later: ['gigabytes', 'gigabytes___DEFAULT__', 'per_volume_gigabytes'],
  prepare: async (world, project) => {
    const name = await foreignFile(world);
    return () => post(world, project, path, { volume: { host: 'node@file', ref: { 'source-name': name } } });
  },
});

const manageSnapshot = (path: string): Door => ({
  route: `POST ${path}`,
  needs: SNAPSHOT,
  prepare: async (world, project) => {
    const [volume_id, name] = [await had(world, project), await foreignFile(world)];
    return () => post(world, project, path, { snapshot: { volume_id, ref: { 'source-name': name } } });
  },
});

const TWO_VOLUMES = { ...VOLUME, volumes: 2, volumes___DEFAULT__: 2, gigabytes: 4, gigabytes___DEFAULT__: 4 };

/** Of a volume of 2 GiB, which is there. */
async function hadBackup(world: World, project: string): Promise<string> {
  const { body } = await post(world, project, '/backups', { backup: { volume_id: await had(world, project) } });
  const { id } = body.backup;
  await available(world, `/backups/${id}`, 'backup', project);
  return id;
}

const DOORS: readonly Door[] = [
  {
    route: 'POST /volumes',
    of: 'nothing',
    needs: VOLUME,
    prepare: async (world, project) => () => post(world, project, '/volumes', { volume: { size: 2 } }),
  },
  {
    route: 'POST /volumes',
    of: 'a volume, the size of which it gets',
    needs: TWO_VOLUMES,
    prepare: async (world, project) => {
      const source_volid = await had(world, project);
      return () => post(world, project, '/volumes', { volume: { source_volid } });
    },
  },
  {
    route: 'POST /volumes',
    of: 'a snapshot, the size of which it gets',
    needs: { ...VOLUME, volumes: 2, volumes___DEFAULT__: 2, gigabytes: 6, gigabytes___DEFAULT__: 6 },
    prepare: async (world, project) => {
      const taken = await post(world, project, '/snapshots', { snapshot: { volume_id: await had(world, project) } });
      const { id } = taken.body.snapshot;
      await available(world, `/snapshots/${id}`, 'snapshot', project);
      return () => post(world, project, '/volumes', { volume: { snapshot_id: id } });
    },
  },
  {
    route: 'POST /volumes/:id/action os-extend',
    needs: { gigabytes: 2, gigabytes___DEFAULT__: 2, per_volume_gigabytes: 2 },
    prepare: async (world, project) => {
      const id = await had(world, project, 1);
      return () => post(world, project, `/volumes/${id}/action`, { 'os-extend': { new_size: 2 } });
    },
  },
  {
    route: 'POST /volumes/:id/action os-retype',
    needs: { volumes_other: 1, gigabytes_other: 2 },
    prepare: async (world, project) => {
      await world.service.db.write(async (tx) => {
        if ((await findVolumeTypeByName(tx.db, 'other')) === undefined)
          await insertVolumeType(tx, { id: uuid(), name: 'other' });
      });
      const id = await had(world, project);
      return () => post(world, project, `/volumes/${id}/action`, { 'os-retype': { new_type: 'other' } });
    },
  },
  transfer('/os-volume-transfer'),
  transfer('/volume-transfers'),
  manage('/os-volume-manage'),
  manage('/manageable_volumes'),
  {
    route: 'POST /snapshots',
    needs: SNAPSHOT,
    prepare: async (world, project) => {
      const volume_id = await had(world, project);
      return () => post(world, project, '/snapshots', { snapshot: { volume_id } });
    },
  },
  {
    route: 'POST /group_snapshots',
    needs: SNAPSHOT,
    prepare: async (world, project) => {
      const group_id = await hadGroup(world, project);
      return () => post(world, project, '/group_snapshots', { group_snapshot: { group_id } });
    },
  },
  {
    route: 'POST /groups/action create-from-src',
    of: 'a group',
    needs: COPIED_GROUP,
    prepare: async (world, project) => {
      const source_group_id = await hadGroup(world, project);
      return () => post(world, project, '/groups/action', { 'create-from-src': { source_group_id } });
    },
  },
  {
    route: 'POST /cgsnapshots',
    needs: SNAPSHOT,
    prepare: async (world, project) => {
      const consistencygroup_id = await hadConsistencyGroup(world, project);
      return () => post(world, project, '/cgsnapshots', { cgsnapshot: { consistencygroup_id } });
    },
  },
  {
    route: 'POST /consistencygroups/create_from_src',
    of: 'a consistency group',
    needs: COPIED_GROUP,
    prepare: async (world, project) => {
      const copied = { 'consistencygroup-from-src': { source_cgid: await hadConsistencyGroup(world, project) } };
      return () => post(world, project, '/consistencygroups/create_from_src', copied);
    },
  },
  {
    route: 'POST /volumes',
    of: 'a backup, the size of which it gets',
    needs: TWO_VOLUMES,
    prepare: async (world, project) => {
      const backup_id = await hadBackup(world, project);
      return () => post(world, project, '/volumes', { volume: { backup_id } });
    },
  },
  {
    route: 'POST /backups',
    needs: { backups: 1, backup_gigabytes: 2 },
    prepare: async (world, project) => {
      const volume_id = await had(world, project);
      return () => post(world, project, '/backups', { backup: { volume_id } });
    },
  },
  {
    route: 'POST /backups/import_record',
    needs: { backups: 1, backup_gigabytes: 2 },
    prepare: async (world, project) => {
      const id = await hadBackup(world, project);
      const { body } = await world.get(`/backups/${id}/export_record`, { project, version });
      await world.service.db.write(async (tx) => {
        await deleteBackupRow(tx, id);
        await countQuota(tx, project, { backups: -1, backup_gigabytes: -2 });
      });
      return () => post(world, project, '/backups/import_record', body);
    },
  },
  {
    route: 'POST /backups/:id/restore',
    of: 'into a new volume',
    needs: TWO_VOLUMES,
    prepare: async (world, project) => {
      const id = await hadBackup(world, project);
      return () => post(world, project, `/backups/${id}/restore`, { restore: {} });
    },
  },
  manageSnapshot('/os-snapshot-manage'),
  manageSnapshot('/manageable_snapshots'),
];

/** What changes volumes, snapshots or backups, and gives nobody more than he had. */
const NO_DOORS: readonly string[] = [
  'PUT /volumes/:id',
  'DELETE /volumes/:id',
  ...['POST', 'PUT'].map((method) => `${method} /volumes/:id/metadata`),
  ...['PUT', 'DELETE'].map((method) => `${method} /volumes/:id/metadata/:key`),
  ...[
    'os-migrate_volume',
    'os-migrate_volume_completion',
    'os-extend_volume_completion',
    'os-set_bootable',
    'os-update_readonly_flag',
    'os-reset_status',
    'os-force_delete',
    'os-set_image_metadata',
    'os-show_image_metadata',
    'os-unset_image_metadata',
    'os-unmanage',
    'revert',
    'os-reimage',
    'os-volume_upload_image',
    'os-reserve',
    'os-unreserve',
    'os-begin_detaching',
    'os-roll_detaching',
    'os-attach',
    'os-detach',
    'os-force_detach',
    'os-initialize_connection',
    'os-terminate_connection',
  ].map((action) => `POST /volumes/:id/action ${action}`),
  'PUT /snapshots/:id',
  'DELETE /snapshots/:id',
  ...['POST', 'PUT'].map((method) => `${method} /snapshots/:id/metadata`),
  ...['PUT', 'DELETE'].map((method) => `${method} /snapshots/:id/metadata/:key`),
  ...['os-reset_status', 'os-force_delete', 'os-update_snapshot_status', 'os-unmanage'].map(
    (action) => `POST /snapshots/:id/action ${action}`,
  ),
  'PUT /backups/:id',
  'DELETE /backups/:id',
  ...['os-reset_status', 'os-force_delete'].map((action) => `POST /backups/:id/action ${action}`),
  'DELETE /group_snapshots/:id',
  'DELETE /cgsnapshots/:id',
  'POST /group_snapshots/:id/action reset_status',
  ...['/os-volume-transfer', '/volume-transfers'].flatMap((path) => [`POST ${path}`, `DELETE ${path}/:id`]),
];

const nameOf = ({ method, path, action }: Route): string => `${method} ${path}${action ? ` ${action}` : ''}`;

/** A project whose limits are these, and which has what the door wants it to have. */
async function tryDoor(world: World, door: Door, short: string | null): Promise<void> {
  const project = uuid().replaceAll('-', '');
  const open = await door.prepare(world, project);
  const limits = { ...door.needs, ...(short !== null && { [short]: (door.needs[short] ?? 0) - 1 }) };
  await world.service.db.write((tx) => setProjectLimits(tx, project, limits));
  const answer = await open();
  const what = `${door.route}, ${short ?? 'enough'}: ${answer.text}`;
  const later = short !== null && door.later?.includes(short) === true;
  if (short !== null && !later) {
    assert.equal(answer.status, 413, what);
    assert.match(answer.body.overLimit.message, /exceeded/, what);
    if (short === 'per_volume_gigabytes') assert.match(answer.body.overLimit.message, /^VolumeSizeExceedsLimit/, what);
    return;
  }
  assert.ok(answer.status === 202 || answer.status === 201, what);
  // An extend and an accepted transfer are answered when the limits were asked.
  const [kind, given] = Object.entries(answer.body ?? {})[0] ?? [];
  if (kind !== 'volume' && kind !== 'snapshot' && kind !== 'backup') return;
  const { id } = given as { readonly id: string };
  await until(
    () => world.get(`/${kind}s/${id}`, { project, version }),
    ({ body }) => body[kind].status === (later ? 'error' : 'available'),
  );
  const { messages } = (await world.get(`/messages?resource_uuid=${id}`, { project, version })).body;
  assert.equal(messages.length, later ? 1 : 0, what);
  if (later) assert.match(messages[0].user_message, /quota/i, what);
}

describe('the limits of a project', () => {
  for (const door of DOORS) {
    const name = `${door.route}${door.of === undefined ? '' : ` of ${door.of}`}`;
    it(`are asked by ${name}`, async (context: TestContext) => {
      const world = await freshWorld(context, { running: true, set: STORE });
      await mkdir(join(world.config.data_directory, 'backups'));
      for (const short of [...Object.keys(door.needs), null]) await tryDoor(world, door, short);
    });
  }

  it('are asked at every door there is', () => {
    const about = routes.filter(
      ({ method, path }) =>
        method !== 'GET' &&
        /^\/(volumes|snapshots|backups|group_snapshots|groups\/action|cgsnapshots|consistencygroups\/create_from_src|[a-z_-]*(transfer|manage))/.test(
          path,
        ),
    );
    const sorted = new Set([...DOORS.map(({ route }) => route), ...NO_DOORS]);
    assert.deepEqual(
      about.map(nameOf).filter((name) => !sorted.has(name)),
      [],
    );
    const there = new Set(about.map(nameOf));
    assert.deepEqual(
      [...sorted].filter((name) => !there.has(name)),
      [],
    );
  });
});
