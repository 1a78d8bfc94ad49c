import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { backups } from '../../src/cli/resources/backups.ts';
import { groups } from '../../src/cli/resources/groups.ts';
import type { ResourceKind, ResourceRow } from '../../src/cli/resources/kind.ts';
import { type ListResourcesOptions, listResources, resourcesTable } from '../../src/cli/resources/list-resources.ts';
import { resourceLines, showResource } from '../../src/cli/resources/show-resource.ts';
import { snapshots } from '../../src/cli/resources/snapshots.ts';
import { volumes } from '../../src/cli/resources/volumes.ts';
import { keepContent } from '../../src/db/backup-contents.ts';
import { insertSchedule } from '../../src/db/backup-schedules.ts';
import type { Database } from '../../src/db/database.ts';
import { insertGroupSnapshot } from '../../src/db/group-snapshots.ts';
import { DatabaseJournal } from '../../src/db/journal.ts';
import { type FlowRow, WAITING_LANE } from '../../src/engine/journal.ts';
import { tellStory } from '../../src/engine/story.ts';
import { fromNow, uuid } from '../../src/lib/clock.ts';
import { makeBackup, makeGroup, makeSnapshot, makeVolume, scheduleOf } from '../db/rows.ts';
import { assertGolden } from '../golden.ts';
import { proveStore } from '../prove-store.ts';
import { beginFlow } from './begin-flow.ts';
import { captured, capturedCommand } from './captured.ts';
import { ago, flowRow, NOW, makeVolume as toldFlow } from './stories.ts';

interface Answer {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function list<Row extends ResourceRow>(
  kind: ResourceKind<Row>,
  url: string,
  options: Partial<ListResourcesOptions> = {},
): Promise<Answer> {
  const { around, out, err } = capturedCommand();
  const code = await listResources(kind, { set: [`database.url=${url}`], limit: 50, ...options }, around);
  return { code, out: out.text, err: err.text };
}

async function show<Row extends ResourceRow>(
  kind: ResourceKind<Row>,
  url: string,
  typed: string,
  json = false,
): Promise<Answer> {
  const { around, out, err } = capturedCommand();
  const code = await showResource(kind, typed, { set: [`database.url=${url}`], json }, around);
  return { code, out: out.text, err: err.text };
}

const namesOf = ({ out }: Answer): string[] => JSON.parse(out).map(({ name }: { name: string }) => name);

/** A volume that is copied from, its copy, and a delete that waits for the copy. */
async function copied(database: Database) {
  const source = await makeVolume(database, { name: 'source', host: 'n@b#p', status: 'deleting' });
  const copy = await makeVolume(database, { name: 'copy', host: 'n@c#p', status: 'creating' });
  const [from, to] = [`volume:${source.id}`, `volume:${copy.id}`];
  const copying = await beginFlow(database, to, {
    owner: 'someone',
    holds: [
      { resource: to, mode: 'exclusive' },
      { resource: from, mode: 'shared' },
    ],
  });
  await new DatabaseJournal(database).doing(copying, { node: 'fill', since: fromNow(-5_000), progress: 0.456 });
  const deleting = await beginFlow(database, from, { name: 'delete_volume' });
  return { source, copy, copying, deleting };
}

proveStore('pumice volumes', (test) => {
  test('list says of each what it does, how far, and what it waits for', async ({ database, url }) => {
    const { copying } = await copied(database);
    await makeVolume(database, { name: 'idle', host: 'n@b#p' });
    const { code, out, err } = await list(volumes, url);
    assert.deepEqual([code, err], [0, '']);
    const [head, ...rows] = out.trimEnd().split('\n');
    assert.match(head ?? '', /^ID +NAME +STATUS +SIZE +HOST +FOR +DOING$/);
    assert.match(rows[0] ?? '', /^\S{36} {2}idle +available +1 GiB {2}n@b#p$/);
    assert.match(rows[1] ?? '', / copy +creating +1 GiB {2}n@c#p +\d+ s {2}create_volume: fill 45 %$/);
    // The one that has it comes first: the delete waits for that.
    assert.match(rows[2] ?? '', / source +deleting +.* create_volume: fill 45 % \(and 1 more\)$/);
    const [, , told] = JSON.parse((await list(volumes, url, { json: true })).out);
    assert.deepEqual(
      told.flows.map(({ name, kept_by }: { name: string; kept_by: readonly { flow_id: string }[] }) => [
        name,
        kept_by.map(({ flow_id }) => flow_id),
      ]),
      [
        ['create_volume', []],
        ['delete_volume', [copying]],
      ],
    );
  });

  test('list shows the newest, and says how many there are', async ({ database, url }) => {
    for (const name of ['a', 'b', 'c']) await makeVolume(database, { name });
    assert.deepEqual(namesOf(await list(volumes, url, { limit: 2, json: true })), ['c', 'b']);
    assert.equal((await list(volumes, url, { limit: 2 })).err, 'The newest 2 of 3; --limit shows more.\n');
    assert.equal((await list(volumes, url, { limit: 3 })).err, '');
  });

  test('list is of one status, project or host, or of a part of a host', async ({ database, url }) => {
    assert.equal((await list(volumes, url)).out, 'There is no volume.\n');
    await makeVolume(database, { name: 'a', host: 'n@b#p' });
    await makeVolume(database, { name: 'b', host: 'n@b#q', status: 'error', projectId: 'q' });
    await makeVolume(database, { name: 'c', host: 'n@bb#p' });
    await makeVolume(database, { name: 'd', host: 'nn@b#p' });
    await makeVolume(database, { name: 'e' });
    const found = async (options: Partial<ListResourcesOptions>): Promise<string[]> =>
      namesOf(await list(volumes, url, { json: true, ...options })).sort();
    assert.deepEqual(await found({ status: 'error' }), ['b']);
    assert.deepEqual(await found({ project: 'q' }), ['b']);
    assert.deepEqual(await found({ host: 'n' }), ['a', 'b', 'c']);
    assert.deepEqual(await found({ host: 'n@b' }), ['a', 'b']);
    assert.deepEqual(await found({ host: 'n@b#q' }), ['b']);
    assert.deepEqual(await found({ host: 'n@b', status: 'available' }), ['a']);
    assert.equal((await list(volumes, url, { host: 'm' })).out, 'No such volume.\n');
    await assert.rejects(list(volumes, url, { status: 'lost' }), {
      name: 'Complaint',
      exitCode: 2,
      message: /^No volume is ever lost, but one of: creating, available, /,
    });
  });

  test('show takes an id, the beginning of one or a name, and says when several are meant', async ({
    database,
    url,
  }) => {
    const first = await makeVolume(database, { id: 'aaaa1111-0000-4000-8000-000000000001', name: 'disk' });
    const second = await makeVolume(database, { id: 'aaaa2222-0000-4000-8000-000000000002', name: 'disk' });
    // A name that is the id of another never hides that one.
    const third = await makeVolume(database, { id: 'bbbb0000-0000-4000-8000-000000000003', name: first.id });
    const shown = async (typed: string): Promise<string> => JSON.parse((await show(volumes, url, typed, true)).out).id;
    for (const typed of [first.id, 'aaaa1', 'AAAA1', 'aaaa1111-0000…']) assert.equal(await shown(typed), first.id);
    assert.equal(await shown('bbbb'), third.id);
    for (const typed of ['disk', 'aaaa'])
      await assert.rejects(shown(typed), {
        name: 'Complaint',
        message: `More than one volume is called ${typed} or begins so: ${second.id} (disk), ${first.id} (disk).`,
      });
    await makeVolume(database, { name: 'aaaa2' });
    await assert.rejects(shown('aaaa2'), /More than one volume is called aaaa2/);
    for (const typed of ['nothing', ''])
      await assert.rejects(shown(typed), {
        name: 'Complaint',
        exitCode: 1,
        message: `There is no volume that is called "${typed}" or whose id begins so.`,
      });
  });

  test('show tells where each flow stands and what keeps it, or what was done last', async ({ database, url }) => {
    const { source } = await copied(database);
    const { out } = await show(volumes, url, 'source');
    assert.match(out, /^source {2}deleting\n/);
    assert.match(out, new RegExp(`^ {2}volume +${source.id}$`, 'm'));
    assert.match(out, /^ {2}type +__DEFAULT__$/m);
    assert.match(out, /^create_volume \S+ {2}pending for \d+ s$/m);
    assert.match(out, /^delete_volume \S+ {2}pending for \d+ s\n {2}▸ waits {2}for \d+ s\n {6}It waits for what uses/m);
    assert.match(out, new RegExp(`create_volume \\S+ \\(pending\\) uses volume:${source.id}`));

    const idle = await makeVolume(database, { name: 'idle' });
    assert.match((await show(volumes, url, 'idle')).out, /\n\nNothing works on it\.\n$/);
    const last = await beginFlow(database, `volume:${idle.id}`, { holds: [] });
    await database.write(({ db }) =>
      db
        .updateTable('flow')
        .set({ ended_at: fromNow(0), state: 'reverted' })
        .where('id', '=', last)
        .execute(),
    );
    assert.match((await show(volumes, url, 'idle')).out, /Nothing works on it\. create_volume .* ago: reverted/);
  });
});

proveStore('pumice snapshots', (test) => {
  test('list and show say of which volume each is, and what is at work on it', async ({ database, url }) => {
    const disk = await makeVolume(database, { name: 'disk', host: 'n@b#p' });
    const other = await makeVolume(database, { name: 'other', host: 'n@c#p', projectId: 'q' });
    const taken = await makeSnapshot(database, disk, { name: 'monday', status: 'creating', volumeSizeGiB: 3 });
    const left = await makeSnapshot(database, other, { name: 'tuesday', status: 'error' });
    await beginFlow(database, `snapshot:${taken.id}`, {
      name: 'create_snapshot',
      holds: [
        { resource: `snapshot:${taken.id}`, mode: 'exclusive' },
        { resource: `volume:${disk.id}`, mode: 'shared' },
      ],
    });
    const [, newest, oldest] = (await list(snapshots, url)).out.split('\n');
    assert.match(newest ?? '', new RegExp(`^${left.id} {2}tuesday +error +1 GiB {2}${other.id}$`));
    assert.match(oldest ?? '', / monday +creating +3 GiB .* \d+ s {2}create_snapshot: waits$/);
    // The volume is worked on as well.
    assert.match((await list(volumes, url, { project: 'p' })).out, / disk .* create_snapshot: waits\n$/);
    for (const options of [{ status: 'error' }, { project: 'q' }, { host: 'n@c' }, { host: 'n@c#p' }])
      assert.deepEqual(namesOf(await list(snapshots, url, { json: true, ...options })), ['tuesday']);
    assert.equal((await list(snapshots, url, { limit: 1 })).err, 'The newest 1 of 2; --limit shows more.\n');
    await assert.rejects(list(snapshots, url, { status: 'in-use' }), { name: 'Complaint', exitCode: 2 });

    const shown = (await show(snapshots, url, 'monday')).out;
    assert.match(shown, new RegExp(`^monday {2}creating\n {2}snapshot +${taken.id}\n`));
    assert.match(shown, new RegExp(`^ {2}of volume +${disk.id} \\(disk\\)\n {2}host +n@b#p$`, 'm'));
    assert.match(shown, /^create_snapshot \S+ {2}pending for \d+ s$/m);
    assert.equal(JSON.parse((await show(snapshots, url, taken.id.slice(0, 13), true)).out).volume_id, disk.id);
  });
});

proveStore('pumice groups', (test) => {
  test('list and show name the members, and what was taken of them', async ({ database, url }) => {
    const empty = await makeGroup(database, { name: 'empty', status: 'updating', host: 'n@b#p' });
    const full = await makeGroup(database, { name: 'full', host: 'n@c#p', projectId: 'q' });
    const disks = [];
    for (const name of ['a', 'b']) disks.push(await makeVolume(database, { name, groupId: full.id }));
    const { id: groupId, groupTypeId, projectId, userId } = full;
    const taken = { id: uuid(), groupId, groupTypeId, projectId, userId, status: 'available', name: 'noon' } as const;
    await database.write((tx) => insertGroupSnapshot(tx, taken));
    await beginFlow(database, `group:${empty.id}`, { name: 'update_group' });

    const [, newest, oldest] = (await list(groups, url)).out.split('\n');
    assert.match(newest ?? '', new RegExp(`^${full.id} {2}full +available +2 {2}n@c#p$`));
    assert.match(oldest ?? '', / empty +updating +0 {2}n@b#p +\d+ s {2}update_group: waits$/);
    for (const options of [{ status: 'available' }, { project: 'q' }, { host: 'n@c' }, { host: 'n@c#p' }])
      assert.deepEqual(namesOf(await list(groups, url, { json: true, ...options })), ['full']);
    assert.equal((await list(groups, url, { limit: 1 })).err, 'The newest 1 of 2; --limit shows more.\n');

    const shown = (await show(groups, url, 'full')).out;
    assert.match(shown, /^full {2}available\n/);
    for (const [index, name] of ['a', 'b'].entries())
      assert.match(shown, new RegExp(`^ {2}volume +${disks[index]?.id} \\(${name}\\) {2}available$`, 'm'));
    assert.match(shown, new RegExp(`^ {2}snapshot +${taken.id} \\(noon\\) {2}available$`, 'm'));
    assert.deepEqual(
      JSON.parse((await show(groups, url, full.id, true)).out).volumes,
      disks.map(({ id }) => id),
    );
    assert.match((await show(groups, url, 'empty')).out, /^update_group \S+ {2}pending for \d+ s$/m);
  });
});

proveStore('pumice backups', (test) => {
  test('list and show say of what they are, what they depend on and why they failed', async ({ database, url }) => {
    const volume = await makeVolume(database, { name: 'data' });
    const full = await makeBackup(database, { name: 'full', volumeId: volume.id, sizeGiB: 3, objectCount: 7 });
    const child = { name: 'child', parentId: full.id, status: 'error', failReason: 'No room.' } as const;
    await makeBackup(database, { ...child, volumeId: uuid() });
    const [, newest, oldest] = (await list(backups, url)).out.split('\n');
    assert.match(newest ?? '', / child +error +1 GiB {2}incremental {2}\S{36}$/);
    assert.match(oldest ?? '', new RegExp(` full +available +3 GiB {2}full +${volume.id}$`));
    const shown = (await show(backups, url, 'full')).out;
    assert.match(shown, new RegExp(`^ {2}of volume +${volume.id} \\(data\\)$`, 'm'));
    assert.match(shown, /^ {2}increments 1$/m);
    assert.match(shown, /^ {2}objects +7$/m);
    assert.ok(!/^ {2}read /m.test(shown), 'of what was imported nobody knows');
    const content = { backupId: full.id, scopeId: 's', root: 'r', packs: [] };
    for (const [way, why, words] of [
      ['map', null, 'only what had changed was read'],
      ['digests', 'no_base', 'all was read and compared: nothing is kept of its volume'],
    ] as const) {
      await database.write((tx) => keepContent(tx, { ...content, way, why }));
      assert.match((await show(backups, url, 'full')).out, new RegExp(`^ {2}read +${words}$`, 'm'));
    }
    const failed = (await show(backups, url, 'child')).out;
    assert.match(failed, new RegExp(`^ {2}increment +to ${full.id}$`, 'm'));
    assert.match(failed, /^ {2}failed +No room\.$/m);
    assert.match(failed, /^ {2}of volume +\S+ \(gone\)$/m);
    assert.equal(JSON.parse((await show(backups, url, 'child', true)).out).parent_id, full.id);
  });

  test('show names the schedule that has asked for one, also when that is gone', async ({ database, url }) => {
    const schedule = scheduleOf({ name: 'nightly' });
    await database.write((tx) => insertSchedule(tx, schedule));
    const gone = uuid();
    await makeBackup(database, { name: 'one', scheduleId: schedule.id });
    await makeBackup(database, { name: 'other', scheduleId: gone });
    await makeBackup(database, { name: 'asked' });
    assert.match((await show(backups, url, 'one')).out, /^ {2}schedule +nightly$/m);
    assert.match((await show(backups, url, 'other')).out, new RegExp(`^ {2}schedule +${gone} \\(gone\\)$`, 'm'));
    assert.doesNotMatch((await show(backups, url, 'asked')).out, /schedule/);
    assert.equal(JSON.parse((await show(backups, url, 'one', true)).out).schedule_id, schedule.id);
  });
});

describe('what is shown of resources', () => {
  const volume = {
    id: '480453b2-d9fb-4d45-8a43-0c2b7f1d9e01',
    projectId: 'cafe',
    name: 'data\u001B[31m',
    status: 'retyping',
    createdAt: ago(90_000),
    sizeGiB: 100,
    host: 'node1@east#east',
  } as Parameters<typeof volumes.cells>[0];
  const other = { ...volume, id: 'ef7516ec-d9fb-4d45-8a43-0c2b7f1d9e01', name: null } as const;
  const idle = { ...other, id: '10453b2e-d9fb-4d45-8a43-0c2b7f1d9e01', status: 'error', name: 'broken' } as const;
  const running = flowRow({ doing: { node: 'fill/fetch', since: ago(7), progress: 0.456 } });
  const stuck = flowRow({ id: 'a1b2c3d4-5b7e-7000-8d55-8f6f9d3c1a11', state: 'stuck', owner: null });
  const waiting = flowRow({ id: 'b1b2c3d4-5b7e-7000-8d55-8f6f9d3c1a11', lane: WAITING_LANE, owner: null });
  const holder = { resource: `volume:${other.id}`, flowId: stuck.id, name: 'make_volume', state: 'stuck' } as const;
  const holders = new Map([[waiting.id, [holder]]]);
  const flows = new Map<string, readonly FlowRow[]>([
    [`volume:${volume.id}`, [running]],
    [`volume:${other.id}`, [stuck, waiting]],
  ]);

  for (const [columns, name] of [
    [undefined, 'volumes.txt'],
    [100, 'volumes-100.txt'],
    [60, 'volumes-60.txt'],
  ] as const) {
    test(`is what it was: ${name}`, () => {
      const out = captured(columns);
      out.terminal.lines(resourcesTable(out.terminal, volumes, [volume, other, idle], { flows, holders }, NOW));
      assertGolden(name, out.text);
    });
  }

  test('is what it was: volume.txt', () => {
    const out = captured(100);
    const copying = { ...running, doing: { node: 'error_out', since: ago(7), progress: 0.456 } };
    const stories = [copying, stuck, waiting].map((flow) => tellStory([toldFlow], flow, []));
    const details = [['size', '100 GiB'] as const, ['group', null] as const];
    const work = { stories, holders, last: undefined };
    out.terminal.lines(resourceLines(out.terminal, 'volume', volume, details, work, NOW));
    assertGolden('volume.txt', out.text);
  });
});
