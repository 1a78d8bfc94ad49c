import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { run } from '../../src/cli/program.ts';
import { schedulesTable } from '../../src/cli/schedules/list-schedules.ts';
import { scheduleLines } from '../../src/cli/schedules/show-schedule.ts';
import { findScheduleByName, listSchedules, lockSchedule, updateSchedule } from '../../src/db/backup-schedules.ts';
import { beginAsk, endAsk } from '../../src/db/scheduled-backups.ts';
import { now } from '../../src/lib/clock.ts';
import { makeBackup, makeVolume, scheduleOf } from '../db/rows.ts';
import { assertGolden } from '../golden.ts';
import { proveStore } from '../prove-store.ts';
import { captured, capturedCommand } from './captured.ts';

/** `pumice backups schedule …` on a database, with a store that is called `main`. */
const pumice =
  (url: string) =>
  async (...words: readonly string[]) => {
    const { around, out, err } = capturedCommand();
    const store = ['backup_stores.main.backup_driver=posix', 'backup_stores.main.backup_posix_path=/b'];
    const set = [`database.url=${url}`, ...store].flatMap((each) => ['--set', each]);
    const code = await run(['backups', 'schedule', ...words, ...set], around);
    return { code, out: out.text, err: err.text };
  };

proveStore('pumice backups schedule', (test) => {
  test('add makes one of a volume, a type or a project, and says when it runs', async ({ database, url }) => {
    const volume = await makeVolume(database, { name: 'data' });
    const schedule = pumice(url);
    const said = await schedule('add', 'nightly', '--volume', 'data', '--times', 'daily at 02:30', '--keep-last', '7');
    assert.deepEqual([said.code, said.err], [0, '']);
    assert.match(said.out, /^nightly runs next at \d{4}-\d\d-\d\d 02:30 UTC\.\n$/);
    const rule = ['--keep-daily', '7', '--keep-weekly', '4', '--keep-monthly', '12', '--full-every', '30', '--force'];
    await schedule('add', 'typed', '--type', '__DEFAULT__', '--times', '5 */6 * * *', ...rule);
    const all = await schedule(
      'add',
      'all',
      '--project',
      'p',
      '--times',
      'weekly',
      '--zone',
      'Europe/Berlin',
      '--store',
      'main',
    );
    assert.match(all.out, /00:00 Europe\/Berlin\.\nIt deletes nothing: /);
    const [ofAll, ofVolume, ofType] = await listSchedules(database.read);
    const none = { last: 0, daily: 0, weekly: 0, monthly: 0 };
    assert.partialDeepStrictEqual(ofVolume, {
      target: 'volume',
      targetId: volume.id,
      times: '30 2 * * *',
      zone: 'UTC',
      keep: { ...none, last: 7 },
      fullEvery: null,
      store: null,
      force: false,
      lastRunAt: null,
    });
    assert.partialDeepStrictEqual(ofType, {
      target: 'type',
      targetId: volume.volumeTypeId,
      keep: { last: 0, daily: 7, weekly: 4, monthly: 12 },
      fullEvery: 30,
      force: true,
    });
    assert.partialDeepStrictEqual(ofAll, { target: 'project', targetId: 'p', keep: none, store: 'main' });
    assert.ok((ofVolume?.nextRunAt ?? '') > now());
  });

  test('add refuses what can never be, and leaves nothing', async ({ database, url }) => {
    const add = (...words: readonly string[]) => pumice(url)('add', 'nightly', ...words);
    const refuses = (words: readonly string[], exitCode: number, message: RegExp) =>
      assert.rejects(add(...words), { name: 'Complaint', exitCode, message });
    const ofProject = ['--project', 'p'];
    await refuses(ofProject, 2, /Say --times/);
    await refuses(['--times', 'daily'], 2, /Say one of --volume, --type and --project/);
    await refuses([...ofProject, '--type', '__DEFAULT__', '--times', 'daily'], 2, /Say one of/);
    await refuses([...ofProject, '--times', 'sometimes'], 2, /five fields/);
    await refuses([...ofProject, '--times', 'daily', '--zone', 'Mars'], 2, /no time zone Mars/);
    await refuses([...ofProject, '--times', 'daily', '--store', 'mian'], 2, /no section \[backup_stores\.mian\]/);
    await refuses(['--volume', 'data', '--times', 'daily'], 1, /no volume that is called "data"/);
    await refuses(['--type', 'gold', '--times', 'daily'], 1, /no volume type gold/);
    assert.equal((await add(...ofProject, '--times', 'daily', '--keep-last', '-1')).code, 2);
    assert.deepEqual(await listSchedules(database.read), []);
    await add(...ofProject, '--times', 'daily');
    await refuses([...ofProject, '--times', 'weekly'], 1, /There is a schedule nightly already/);
  });

  test('change changes what is said, and only a changed time moves the next run', async ({ database, url }) => {
    const schedule = pumice(url);
    const found = async () => (await findScheduleByName(database.read, 'nightly')) ?? assert.fail('It is there.');
    await schedule('add', 'nightly', '--project', 'p', '--times', 'daily at 02:30', '--keep-last', '7', '--force');
    const before = await found();
    await schedule('change', 'nightly', '--keep-weekly', '4', '--full-every', '5');
    const ruled = await found();
    assert.deepEqual(ruled, { ...before, keep: { ...before.keep, weekly: 4 }, fullEvery: 5 });
    await schedule('change', 'nightly', '--no-force', '--full-every', '0', '--keep-last', '0');
    assert.deepEqual(await found(), { ...ruled, keep: { ...ruled.keep, last: 0 }, fullEvery: null, force: false });
    const { out } = await schedule('change', 'nightly', '--zone', 'Asia/Kolkata');
    assert.match(out, /02:30 Asia\/Kolkata\.\n$/);
    const moved = await found();
    assert.equal(moved.nextRunAt.slice(11, 16), '21:00');
    assert.ok(moved.wholeAt > before.wholeAt, 'the new times have yet to come twice');
    await assert.rejects(schedule('change', 'weekly'), { message: 'There is no schedule weekly; there are nightly.' });
  });

  test('run lets it run now, remove forgets it', async ({ database, url }) => {
    const schedule = pumice(url);
    await schedule('add', 'nightly', '--project', 'p', '--times', 'daily');
    assert.match((await schedule('run', 'nightly')).out, /^nightly runs as soon as/);
    const found = await findScheduleByName(database.read, 'nightly');
    assert.ok((found?.nextRunAt ?? '~') <= now());
    assert.match((await schedule('show', 'nightly')).out, /^ {2}next run +\S+ \S+ {2}due for \d+ s$/m);
    assert.equal((await schedule('remove', 'nightly')).out, 'nightly is removed. Its backups stay.\n');
    await assert.rejects(schedule('run', 'nightly'), {
      message: 'There is no schedule nightly; there is none at all.',
    });
    assert.match((await schedule('list')).out, /^There is no schedule\./);
  });

  test('show tells of each volume of the last run, also to programs', async ({ database, url }) => {
    const schedule = pumice(url);
    const volume = await makeVolume(database, { name: 'data' });
    await schedule('add', 'nightly', '--volume', volume.id, '--times', 'daily');
    const { id: scheduleId } = (await findScheduleByName(database.read, 'nightly')) ?? assert.fail();
    const backup = await makeBackup(database, { scheduleId, status: 'error', failReason: 'No room.' });
    const runAt = '2026-11-30T00:00:00.000000';
    await database.write(async (tx) => {
      const of = (volumeId: string) => ({ scheduleId, volumeId, runAt });
      await beginAsk(tx, of(volume.id));
      await endAsk(tx, of(volume.id), { backup_id: backup.id, since_full: 0 });
      await beginAsk(tx, of('other'));
      await endAsk(tx, of('other'), { refusal: 'It is busy.' });
      const last = { lastRunAt: runAt, lastBeganAt: runAt, lastEndedAt: runAt, lastFailure: 'Of 2 there is none.' };
      await updateSchedule(tx, (await lockSchedule(tx, scheduleId)) ?? assert.fail(), last);
    });
    const { out } = await schedule('show', 'nightly');
    assert.match(out, /^nightly {2}failed\n/);
    assert.match(out, new RegExp(`^ {2}of +volume ${volume.id} \\(data\\)$`, 'm'));
    assert.match(out, new RegExp(`^ {2}volume +${volume.id} {2}No room\\.$`, 'm'));
    assert.match(out, /^ {2}volume +other {2}It is busy\.$/m);
    const told = JSON.parse((await schedule('show', 'nightly', '--json')).out);
    assert.partialDeepStrictEqual(told, { name: 'nightly', backups: 1, last_failure: 'Of 2 there is none.' });
    assert.deepEqual(
      told.last_volumes,
      [
        { volume_id: 'other', backup_id: null, status: null, failed: 'It is busy.' },
        { volume_id: volume.id, backup_id: backup.id, status: 'error', failed: 'No room.' },
      ].sort((a, b) => (a.volume_id < b.volume_id ? -1 : 1)),
    );
    assert.equal(JSON.parse((await schedule('list', '--json')).out)[0].last_run_at, runAt);
  });
});

describe('what is shown of schedules', () => {
  const at = '2026-11-30T05:00:00.000000';
  const nightly = scheduleOf({
    id: '480453b2-d9fb-4d45-8a43-0c2b7f1d9e01',
    name: 'nightly\u001B[31m',
    target: 'volume',
    targetId: 'ef7516ec-d9fb-4d45-8a43-0c2b7f1d9e01',
    times: '0 2 * * *',
    zone: 'Europe/Berlin',
    keep: { last: 3, daily: 7, weekly: 0, monthly: 12 },
    fullEvery: 7,
    store: 'main',
    force: true,
    nextRunAt: '2026-12-01T01:00:00.000000',
    lastRunAt: '2026-11-30T01:00:00.000000',
    lastBeganAt: '2026-11-30T04:13:00.000000',
    lastEndedAt: '2026-11-30T04:20:00.000000',
  });
  const failed = {
    ...nightly,
    name: 'failed',
    lastFailure: 'Of 1 of 2 volumes there is no backup; volume a: It is busy.',
  };
  const others = [
    { ...nightly, name: 'runs', lastEndedAt: null },
    { ...nightly, name: 'whole', lastBeganAt: nightly.lastRunAt },
    scheduleOf({ name: 'new', targetId: 'cafe', nextRunAt: '2026-11-30T04:59:00.000000' }),
  ];

  for (const [columns, name] of [
    [undefined, 'schedules.txt'],
    [100, 'schedules-100.txt'],
  ] as const) {
    test(`is what it was: ${name}`, () => {
      const out = captured(columns);
      out.terminal.lines(schedulesTable(out.terminal, [nightly, failed, ...others]));
      assertGolden(name, out.text);
    });
  }

  test('is what it was: schedule.txt', () => {
    const out = captured(100);
    const none = { refusal: null, backupId: null, status: null, failReason: null };
    const outcomes = [
      { ...none, volumeId: 'a', refusal: 'It is busy.' },
      { ...none, volumeId: 'b', backupId: 'backup-b', status: 'available' },
      { ...none, volumeId: 'c', backupId: 'backup-c' },
    ];
    const told = { of: `volume ${nightly.targetId} (data)`, outcomes, backups: 9 };
    for (const schedule of [nightly, failed]) out.terminal.lines(scheduleLines(out.terminal, schedule, told, at));
    assertGolden('schedule.txt', out.text);
  });
});
