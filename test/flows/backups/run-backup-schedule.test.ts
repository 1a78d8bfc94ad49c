import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { beginDueRuns } from '../../../src/commands/backup-schedules/begin-due-runs.ts';
import { createBackup } from '../../../src/commands/backups/create-backup.ts';
import { deleteBackup } from '../../../src/commands/backups/delete-backup.ts';
import {
  deleteSchedule,
  findSchedule,
  insertSchedule,
  lockSchedule,
  updateSchedule,
} from '../../../src/db/backup-schedules.ts';
import { findScope } from '../../../src/db/backup-scopes.ts';
import { deleteBackupRow, getBackup, insertBackup, listBackups } from '../../../src/db/backups.ts';
import { setProjectLimits } from '../../../src/db/quota-limits.ts';
import { countQuota } from '../../../src/db/quotas.ts';
import { defaultVolumeType } from '../../../src/db/volume-types.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { runBackupSchedule } from '../../../src/flows/backups/run-backup-schedule.ts';
import type { BackupRequests } from '../../../src/flows/tools.ts';
import { uuid } from '../../../src/lib/clock.ts';
import type { Backup } from '../../../src/model/backup.ts';
import type { BackupSchedule } from '../../../src/model/backup-schedule.ts';
import { BackupNotFound, InvalidVolume, VolumeNotFound } from '../../../src/model/errors.ts';
import { backupQuota, negated } from '../../../src/model/quota.ts';
import { scheduleOf } from '../../db/rows.ts';
import { proveFlow } from '../../prove-flow.ts';
import { givenBackup, givenVolume } from '../given.ts';
import { liveSite } from '../live-site.ts';
import { backupRequest } from '../requests.ts';
import { caller, PROJECT, type Site, type SiteOptions } from '../site.ts';
import { onSite, provesEveryTask } from '../site-proof.ts';

/** Runs are planned at noon, of days that are yet to come: nobody who waits for them is told that the next is due. */
const noon = (day: number): string => `2040-01-${String(day).padStart(2, '0')}T12:00:00.000000`;

async function given(site: Site, schedule: Partial<BackupSchedule> = {}): Promise<BackupSchedule> {
  const made = scheduleOf({ name: 'nightly', targetId: PROJECT, nextRunAt: noon(1), ...schedule });
  await site.database.write((tx) => insertSchedule(tx, made));
  return made;
}

const has = async (site: Site, id: string): Promise<BackupSchedule> =>
  (await findSchedule(site.database.read, id)) ?? assert.fail('It is there.');

/** Makes and deletes at once, as rows: a proof runs no other flow. A volume that is wrong is refused. */
const ATONCE: BackupRequests = {
  create: async (tx, { projectId, userId }, { volumeId, name, scheduleId }) => {
    const volume = await getVolume(tx.db, volumeId);
    const made = { id: uuid(), projectId, userId, volumeId, name, scheduleId, sizeGiB: volume.sizeGiB };
    await countQuota(tx, projectId, backupQuota(volume.sizeGiB));
    if (volume.status === 'error') throw new InvalidVolume('It is in error.');
    return insertBackup(tx, { ...made, status: 'available' });
  },
  delete: async (tx, { projectId }, id) => {
    if (!(await deleteBackupRow(tx, id))) throw new BackupNotFound(id);
    await countQuota(tx, projectId, negated(backupQuota(1)));
  },
};

proveFlow(
  'run_backup_schedule',
  runBackupSchedule,
  onSite(
    async (site) => {
      const volumes = [await givenVolume(site), await givenVolume(site)];
      const wrong = await givenVolume(site, { status: 'error' });
      const { id } = await given(site, { keep: { last: 1, daily: 0, weekly: 0, monthly: 0 } });
      const old = uuid();
      await site.database.write(async (tx) => {
        const of = { projectId: PROJECT, userId: caller.userId, volumeId: volumes[0]?.id ?? '', sizeGiB: 1 };
        await insertBackup(tx, {
          id: old,
          ...of,
          status: 'available',
          scheduleId: id,
          createdAt: '2026-01-01T00:00:00.000000',
        });
        await countQuota(tx, PROJECT, backupQuota(1));
      });
      const ofVolumes = async () =>
        (await listBackups(site.database, {}))
          .filter((each) => each.id !== old)
          .map(({ volumeId }) => volumeId)
          .sort();
      return {
        begin: (desk) => beginDueRuns(desk, noon(2)),
        done: async () => {
          const { nextRunAt, lastRunAt, lastBeganAt, lastEndedAt, lastFailure } = await has(site, id);
          assert.deepEqual([nextRunAt, lastRunAt, lastBeganAt], [noon(3), noon(1), noon(2)]);
          assert.notEqual(lastEndedAt, null);
          assert.equal(lastFailure, `Of 1 of 3 volumes there is no backup; volume ${wrong.id}: It is in error.`);
          assert.deepEqual(await ofVolumes(), volumes.map((each) => each.id).sort());
          assert.equal((await listBackups(site.database, {})).length, 2, 'the old one is deleted');
          assert.deepEqual(await site.messages(), ['VOLUME_VOLUME_013_027']);
        },
        undone: async () => {
          const { nextRunAt, lastEndedAt, lastFailure } = await has(site, id);
          assert.equal(nextRunAt, noon(3));
          assert.notEqual(lastEndedAt, null);
          assert.match(lastFailure ?? '', /^The run did not come to its end\. ./);
          const asked = await ofVolumes();
          assert.deepEqual(asked, [...new Set(asked)], 'none is asked for twice');
          assert.ok((await site.messages()).length <= 1);
        },
      };
    },
    { backupRequests: ATONCE },
  ),
);
provesEveryTask(runBackupSchedule);

async function start(context: TestContext, schedule: Partial<BackupSchedule> = {}, options: SiteOptions = {}) {
  const live = await liveSite(context, options);
  const { site, database } = live;
  const ofType = schedule.target === 'type' && { targetId: (await defaultVolumeType(database.read)).id };
  const { id } = await given(site, { ...schedule, ...ofType });
  const settled = async (): Promise<BackupSchedule> => {
    await live.settled(`backup_schedule:${id}`);
    return has(site, id);
  };
  return {
    live,
    site,
    database,
    id,
    settled,
    runs: async (at: string): Promise<BackupSchedule> => {
      await beginDueRuns(live.desk, at);
      return settled();
    },
    changes: (patch: Partial<BackupSchedule>) =>
      database.write(async (tx) => updateSchedule(tx, (await lockSchedule(tx, id)) ?? assert.fail(), patch)),
    /** Deletes that the run has begun are over. */
    backups: async (): Promise<readonly Backup[]> => {
      for (const { id: backupId, status } of await listBackups(database, {}))
        if (status === 'deleting') await live.settled(`backup:${backupId}`);
      return (await listBackups(database, {})).toReversed();
    },
  };
}

const keep = (last: number) => ({ last, daily: 0, weekly: 0, monthly: 0 });

describe('a run of a schedule', () => {
  it('asks for each volume in its own project, and says where its backups come from', async (context) => {
    const { site, runs, backups } = await start(context, { target: 'type', zone: 'Asia/Kolkata' });
    const mine = await givenVolume(site);
    const theirs = await givenVolume(site, { projectId: 'theirs', userId: 'she' });
    const { lastFailure, lastEndedAt, wholeAt } = await runs(noon(1));
    assert.deepEqual([lastFailure, wholeAt], [null, noon(1)]);
    assert.notEqual(lastEndedAt, null);
    const made = await backups();
    assert.equal(made.length, 2);
    for (const { id: volumeId, projectId, userId } of [mine, theirs])
      assert.partialDeepStrictEqual(
        made.find((each) => each.volumeId === volumeId),
        {
          projectId,
          userId,
          status: 'available',
          name: 'nightly 2040-01-01 17:30',
          description: 'Made by the schedule nightly for 2040-01-01 17:30 Asia/Kolkata.',
          metadata: { pumice_schedule: 'nightly' },
        },
      );
  });

  it('that was missed is made once, late, and says so', async (context) => {
    const { site, runs, backups } = await start(context);
    await givenVolume(site);
    const { nextRunAt } = await runs('2040-01-05T09:13:00.000000');
    assert.equal(nextRunAt, noon(5));
    const made = await backups();
    assert.deepEqual(
      made.map(({ name, description }) => [name, description]),
      [
        [
          'nightly 2040-01-01 12:00',
          'Made by the schedule nightly for 2040-01-01 12:00 UTC, late: it was 2040-01-05 09:13.',
        ],
      ],
    );
  });

  it('goes on without a volume that is in use, by force of that too, and tells its users', async (context) => {
    const { live, site, runs, backups, changes } = await start(context);
    const idle = await givenVolume(site);
    const used = await givenVolume(site, { status: 'in-use', attachStatus: 'attached' });
    const first = await runs(noon(1));
    assert.match(
      first.lastFailure ?? '',
      new RegExp(`^Of 1 of 2 volumes there is no backup; volume ${used.id}: .*in-use`),
    );
    assert.equal(first.wholeAt, '2040-01-01T00:00:00.000000');
    assert.deepEqual(
      (await backups()).map(({ volumeId }) => volumeId),
      [idle.id],
    );
    assert.deepEqual(await site.messages(), ['VOLUME_VOLUME_013_027']);
    await changes({ force: true });
    assert.equal((await runs(noon(2))).lastFailure, null);
    assert.equal((await backups()).filter(({ volumeId }) => volumeId === used.id).length, 1);
    assert.equal((await getVolume(live.database.read, used.id)).status, 'in-use');
  });

  it('goes to the store that is said, and is refused where there is none of the name', async (context) => {
    const section = 'backup_stores.second';
    const two = [`${section}.backup_driver=posix`, `${section}.backup_posix_path=/b`, 'default_backup_store=main'];
    const { database, site, runs, backups, changes } = await start(context, { store: 'second' }, { set: two });
    await givenVolume(site);
    assert.equal((await runs(noon(1))).lastFailure, null);
    const [backup] = await backups();
    assert.equal((await findScope(database.read, backup?.scopeId ?? ''))?.store, 'second');
    await changes({ store: 'third' });
    assert.match((await runs(noon(2))).lastFailure ?? '', /no section \[backup_stores\.third\]/);
    assert.deepEqual(await site.messages(), ['VOLUME_VOLUME_013_024']);
  });

  it('takes no more than the quota of the project', async (context) => {
    const { live, site, runs, backups } = await start(context);
    await givenVolume(site);
    await givenVolume(site);
    await live.database.write((tx) => setProjectLimits(tx, PROJECT, { backups: 1 }));
    const { lastFailure } = await runs(noon(1));
    assert.match(lastFailure ?? '', /^Of 1 of 2 volumes there is no backup; .* limit of 1 backups is exceeded/);
    assert.equal((await backups()).length, 1);
    assert.deepEqual(await site.messages(), ['VOLUME_VOLUME_013_006']);
  });

  it('stores all every so many times, and what has changed between', async (context) => {
    const { site, runs, backups } = await start(context, { fullEvery: 3 });
    await givenVolume(site);
    for (const day of [1, 2, 3, 4, 5]) await runs(noon(day));
    const kinds = (await backups()).map(({ parentId }) => (parentId === null ? 'full' : 'increment'));
    assert.deepEqual(kinds, ['full', 'increment', 'increment', 'full', 'increment']);
  });

  it('deletes what it is not to keep, and passes on what is an increment to that', async (context) => {
    const { site, runs, backups } = await start(context, { keep: keep(2) });
    await givenVolume(site);
    for (const day of [1, 2, 3, 4]) await runs(noon(day));
    const left = await backups();
    assert.deepEqual(
      left.map(({ name, parentId }) => [name, parentId]),
      [
        ['nightly 2040-01-03 12:00', null],
        ['nightly 2040-01-04 12:00', left[0]?.id],
      ],
    );
    for (const { id } of left) assert.ok(site.backups.manifests.has(id), 'each can be restored alone');
  });

  it('never deletes what somebody has made, nor what that is an increment to', async (context) => {
    const { live, site, runs, backups } = await start(context, { keep: keep(1) });
    const volume = await givenVolume(site);
    await runs(noon(1));
    const byHand = await createBackup(live.desk, caller, backupRequest(volume.id, { incremental: true }));
    await live.settled(`backup:${byHand.id}`);
    for (const day of [2, 3]) await runs(noon(day));
    const left = await backups();
    assert.deepEqual(
      left.map(({ name }) => name),
      ['nightly 2040-01-01 12:00', 'nightly', 'nightly 2040-01-03 12:00'],
    );
    assert.equal((await getBackup(live.database.read, byHand.id)).parentId, left[0]?.id);
    assert.equal(left[2]?.parentId, byHand.id);
  });

  it('says why a backup failed, and deletes that when there is a newer one', async (context) => {
    const { site, runs, backups } = await start(context, { keep: keep(3) });
    await givenVolume(site);
    await runs(noon(1));
    site.interposeBackups('copy', async () => {
      throw new Error('The cable is out.');
    });
    assert.match((await runs(noon(2))).lastFailure ?? '', /there is no backup; volume \S+: create the backup: /);
    assert.deepEqual(
      (await backups()).map(({ status }) => status),
      ['available', 'error'],
    );
    site.interposeBackups('copy', null);
    assert.equal((await runs(noon(3))).lastFailure, null);
    assert.deepEqual(
      (await backups()).map(({ name }) => name?.slice(-16, -6)),
      ['2040-01-01', '2040-01-03'],
    );
  });

  it('waits for its backups, no longer than until the next is due, and never runs beside itself', async (context) => {
    const { live, site, id, settled, backups, changes } = await start(context);
    await givenVolume(site);
    const copying = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    site.interposeBackups('copy', async (proceed) => {
      copying.resolve();
      await finish.promise;
      return proceed();
    });
    await beginDueRuns(live.desk, noon(1));
    await copying.promise;
    assert.equal((await has(site, id)).lastEndedAt, null);
    // It is due, and the one before goes on: nothing is begun, and nothing is lost.
    const due = '2026-01-01T00:00:00.000000';
    await changes({ nextRunAt: due });
    await beginDueRuns(live.desk, noon(2));
    assert.equal((await has(site, id)).nextRunAt, due);
    const { lastFailure } = await settled();
    assert.match(lastFailure ?? '', /backup \S+ was still being made\.$/);
    finish.resolve();
    const [backup] = await backups();
    await live.settled(`backup:${backup?.id}`);
    assert.equal((await getBackup(live.database.read, backup?.id ?? '')).status, 'available');
  });

  it('goes on in the next life of its process, and asks for nothing twice', async (context) => {
    const { live, site, settled, backups } = await start(context);
    await givenVolume(site);
    const copying = Promise.withResolvers<void>();
    let copies = 0;
    site.interposeBackups('copy', async (proceed) => {
      copies += 1;
      if (copies > 1) return proceed();
      copying.resolve();
      return new Promise((_resolve, reject) => setTimeout(() => reject(new Error('It died.')), 500));
    });
    await beginDueRuns(live.desk, noon(1));
    await copying.promise;
    await live.restart();
    assert.equal((await settled()).lastFailure, null);
    assert.deepEqual(
      (await backups()).map(({ status }) => status),
      ['available'],
    );
  });

  it('of a volume that is gone fails', async (context) => {
    const { runs } = await start(context, { target: 'volume', targetId: uuid() });
    assert.match(
      (await runs(noon(1))).lastFailure ?? '',
      /^Of 1 of 1 volumes there is no backup; .* could not be found/,
    );
  });

  it('of many is whole without one that goes meanwhile', async (context) => {
    const gone = uuid();
    const backupRequests: BackupRequests = {
      ...ATONCE,
      create: async (tx, caller, request) => {
        if (request.volumeId === gone) throw new VolumeNotFound(gone);
        return ATONCE.create(tx, caller, request);
      },
    };
    const { site, runs, backups } = await start(context, {}, { backupRequests });
    const { id } = await givenVolume(site);
    await givenVolume(site, { id: gone });
    assert.equal((await runs(noon(1))).lastFailure, null);
    assert.deepEqual(
      (await backups()).map(({ volumeId }) => volumeId),
      [id],
    );
    assert.deepEqual(await site.messages(), []);
  });

  it('of a schedule that is removed meanwhile ends, and its backups go on', async (context) => {
    const { live, site, id, backups } = await start(context);
    await givenVolume(site);
    const removed = Promise.withResolvers<void>();
    const copying = Promise.withResolvers<void>();
    site.interposeBackups('copy', async (proceed) => {
      copying.resolve();
      await removed.promise;
      return proceed();
    });
    await beginDueRuns(live.desk, noon(1));
    await copying.promise;
    await live.database.write((tx) => deleteSchedule(tx, id));
    assert.equal((await live.settled(`backup_schedule:${id}`)).state, 'success');
    removed.resolve();
    const [backup] = await backups();
    await live.settled(`backup:${backup?.id}`);
    assert.equal((await getBackup(live.database.read, backup?.id ?? '')).status, 'available');
  });
});

describe('a delete that passes increments on', () => {
  it('is refused while one of them is being made, or may be tried again', async (context) => {
    const live = await liveSite(context, { running: false });
    const volume = await givenVolume(live.site);
    const scheduleId = uuid();
    const parent = await givenBackup(live.site, volume, { scheduleId });
    for (const status of ['creating', 'error'] as const) {
      const child = await givenBackup(live.site, volume, { scheduleId, parentId: parent.id, status });
      const asked = deleteBackup(live.desk, caller, parent.id, { force: false, passesOn: true });
      await assert.rejects(asked, { name: 'InvalidBackup', message: new RegExp(child.id) });
      assert.equal((await getBackup(live.database.read, child.id)).parentId, parent.id);
      await live.database.write((tx) => deleteBackupRow(tx, child.id));
    }
    assert.equal((await getBackup(live.database.read, parent.id)).status, 'available');
  });
});
