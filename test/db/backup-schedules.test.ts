import assert from 'node:assert/strict';
import { beginDueRuns } from '../../src/commands/backup-schedules/begin-due-runs.ts';
import {
  deleteSchedule,
  dueSchedules,
  findSchedule,
  findScheduleByName,
  insertSchedule,
  listSchedules,
  lockSchedule,
  updateSchedule,
} from '../../src/db/backup-schedules.ts';
import { updateBackup } from '../../src/db/backups.ts';
import type { Database } from '../../src/db/database.ts';
import { backupsOfSchedule, beginAsk, endAsk, outcomesOf, volumesOfSchedule } from '../../src/db/scheduled-backups.ts';
import { isDuplicate } from '../../src/db/sql/constraints.ts';
import { pause } from '../../src/lib/clock.ts';
import type { BackupSchedule } from '../../src/model/backup-schedule.ts';
import { liveSiteOn } from '../flows/live-site.ts';
import { proveStore } from '../prove-store.ts';
import { makeBackup, makeVolume, scheduleOf } from './rows.ts';

async function given(database: Database, schedule: Partial<BackupSchedule> = {}): Promise<BackupSchedule> {
  const made = scheduleOf(schedule);
  await database.write((tx) => insertSchedule(tx, made));
  return made;
}

const at = (hour: number): string => `2040-01-01T${String(hour).padStart(2, '0')}:00:00.000000`;

proveStore('the schedules of backups', (test) => {
  test('are read as they were made and changed, by id, name and in order', async ({ database }) => {
    const keep = { last: 1, daily: 2, weekly: 3, monthly: 4 };
    const one = await given(database, { name: 'b', target: 'type', keep, fullEvery: 7, store: 'main', force: true });
    const other = await given(database, { name: 'a' });
    assert.deepEqual(await findSchedule(database.read, one.id), one);
    assert.deepEqual(await findScheduleByName(database.read, 'a'), other);
    assert.equal(await findScheduleByName(database.read, 'c'), undefined);
    assert.deepEqual(await listSchedules(database.read), [other, one]);
    const patch = { lastRunAt: at(1), lastBeganAt: at(2), lastEndedAt: at(3), lastFailure: 'none', nextRunAt: at(4) };
    await database.write(async (tx) => updateSchedule(tx, (await lockSchedule(tx, one.id)) ?? one, patch));
    assert.deepEqual(await findSchedule(database.read, one.id), { ...one, ...patch });
    await database.write((tx) => deleteSchedule(tx, one.id));
    assert.deepEqual(await listSchedules(database.read), [other]);
  });

  test('have each a name of their own', async ({ database }) => {
    await given(database, { name: 'nightly' });
    await assert.rejects(given(database, { name: 'nightly' }), isDuplicate);
  });

  test('are due from their time on, the longest due first', async ({ database }) => {
    const [late, soon] = [await given(database, { nextRunAt: at(2) }), await given(database, { nextRunAt: at(1) })];
    await given(database, { nextRunAt: at(4) });
    assert.deepEqual(await dueSchedules(database.read, at(2)), [soon.id, late.id]);
    assert.deepEqual(await dueSchedules(database.read, at(0)), []);
  });

  test('are of one volume, of all of a type or of all of a project, but of none that comes or goes', async ({
    database,
  }) => {
    const mine = await makeVolume(database, { projectId: 'q' });
    const other = await makeVolume(database, { projectId: 'r', status: 'error' });
    await makeVolume(database, { projectId: 'q', usesQuota: false });
    for (const status of ['creating', 'deleting'] as const) await makeVolume(database, { projectId: 'q', status });
    const of = (target: BackupSchedule['target'], targetId: string) =>
      volumesOfSchedule(database.read, { target, targetId });
    assert.deepEqual(await of('project', 'q'), [mine.id]);
    assert.deepEqual(await of('type', mine.volumeTypeId), [mine.id, other.id].sort());
    assert.deepEqual(await of('volume', 'gone'), ['gone']);
  });

  test('ask once in a run for each volume, and tell of the last run alone', async ({ database }) => {
    const { id: scheduleId } = await given(database);
    const [a, b] = ['a', 'b'].map((volumeId) => ({ scheduleId, volumeId, runAt: at(1) })) as [Ask, Ask];
    const backup = await makeBackup(database, { status: 'error', failReason: 'No room.', scheduleId });
    const begun = await database.write(async (tx) => {
      const first = [await beginAsk(tx, a), await beginAsk(tx, a), await beginAsk(tx, b)];
      await endAsk(tx, a, { backup_id: backup.id, since_full: 3 });
      await endAsk(tx, b, { refusal: 'It is busy.' });
      return first;
    });
    assert.deepEqual(begun, [0, undefined, 0]);
    const none = { backupId: null, status: null, failReason: null, refusal: null };
    const told = async (runAt: string) =>
      (await outcomesOf(database.read, { scheduleId, runAt })).map((each) => ({ ...each }));
    assert.deepEqual(await told(at(1)), [
      { ...none, volumeId: 'a', backupId: backup.id, status: 'error', failReason: 'No room.' },
      { ...none, volumeId: 'b', refusal: 'It is busy.' },
    ]);
    assert.equal(await database.write((tx) => beginAsk(tx, { ...a, runAt: at(2) })), 3);
    assert.deepEqual(await told(at(2)), [{ ...none, volumeId: 'a' }]);
  });

  test('know their backups by the row, and by when the volume was as they have it', async ({ database }) => {
    const { id: scheduleId } = await given(database);
    const dated = await makeBackup(database, { scheduleId, dataTimestamp: at(3) });
    const undated = await makeBackup(database, { scheduleId, createdAt: at(5), userId: 'v' });
    const byHand = await makeBackup(database, { metadata: { pumice_schedule: 'nightly' } });
    await database.write((tx) => updateBackup(tx, byHand.id, { name: 'nightly 2040-01-01 12:00' }));
    const found = await backupsOfSchedule(database.read, scheduleId);
    assert.deepEqual(
      new Map(found.map((each) => [each.id, each.at])),
      new Map([
        [dated.id, at(3)],
        [undated.id, at(5)],
      ]),
    );
    assert.partialDeepStrictEqual(
      found.find(({ id }) => id === undated.id),
      { projectId: 'p', userId: 'v', status: 'available' },
    );
  });

  test('run once, however many processes see that they are due', async ({ database, open, context }) => {
    const { id } = await given(database);
    const desks = [];
    for (const each of [database, await open(), await open()]) {
      const live = await liveSiteOn(each, { running: false });
      context.after(() => live.close());
      desks.push(live.desk);
    }
    await Promise.all(desks.map((desk) => beginDueRuns(desk, at(13))));
    const runs = await database.read
      .selectFrom('flow')
      .select('input')
      .where('name', '=', 'run_backup_schedule')
      .execute();
    assert.deepEqual(
      runs.map(({ input }) => JSON.parse(input)),
      [{ scheduleId: id, runAt: at(12), beganAt: at(13) }],
    );
    assert.partialDeepStrictEqual(await findSchedule(database.read, id), {
      nextRunAt: '2040-01-02T12:00:00.000000',
      lastRunAt: at(12),
      lastBeganAt: at(13),
      lastEndedAt: null,
    });
  });
});

proveStore('a run of a schedule', (test) => {
  test('is made by nobody who comes when another has made it', async ({ database, context }) => {
    const { id } = await given(database);
    const live = await liveSiteOn(database);
    context.after(() => live.close());
    const { desk } = live;
    const late: typeof desk.db.write = async (unit) => {
      await beginDueRuns(desk, at(13));
      await live.settled(`backup_schedule:${id}`);
      return desk.db.write(unit);
    };
    await beginDueRuns({ ...desk, db: { ...desk.db, write: late } }, at(14));
    assert.equal((await findSchedule(database.read, id))?.lastBeganAt, at(13));
    const runs = await database.read
      .selectFrom('flow')
      .select('id')
      .where('name', '=', 'run_backup_schedule')
      .execute();
    assert.equal(runs.length, 1);
  });

  test('has its schedule for itself while it is begun', async ({ database, open }) => {
    const { id } = await given(database);
    const other = await open();
    const order: string[] = [];
    let second: Promise<unknown> | undefined;
    await database.write(async (tx) => {
      await lockSchedule(tx, id);
      second ??= other.write(async (theirs) => {
        await lockSchedule(theirs, id);
        order.push('another');
      });
      // Long enough for whoever would not wait.
      await Promise.race([second, pause(200, new AbortController().signal)]);
      order.push('one');
    });
    await second;
    assert.deepEqual(order, ['one', 'another']);
  });
});

type Ask = Parameters<typeof beginAsk>[1];
