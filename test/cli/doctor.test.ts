import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type DoctorOptions, doctor, reportLines } from '../../src/cli/doctor.ts';
import { insertAttachment } from '../../src/db/attachments.ts';
import { findBase, keepBase } from '../../src/db/backup-bases.ts';
import { keepDamage } from '../../src/db/backup-checks.ts';
import { insertSchedule } from '../../src/db/backup-schedules.ts';
import type { Database } from '../../src/db/database.ts';
import { openDatabase } from '../../src/db/database.ts';
import { insertGroupSnapshot } from '../../src/db/group-snapshots.ts';
import { findGroup } from '../../src/db/groups.ts';
import { evictCachedImage, putCachedImage } from '../../src/db/image-cache.ts';
import { appendEvents } from '../../src/db/outbox.ts';
import { recountPoolUsage } from '../../src/db/pool-usage.ts';
import { recountUsage } from '../../src/db/quota-recount.ts';
import { reserveQuota } from '../../src/db/quotas.ts';
import { findSnapshot } from '../../src/db/snapshots.ts';
import { processName } from '../../src/db/sql/ownership.ts';
import { putTrouble } from '../../src/db/troubles.ts';
import { findVolume } from '../../src/db/volumes.ts';
import { backends } from '../../src/doctor/checks/backends.ts';
import { motion } from '../../src/doctor/checks/motion.ts';
import { quota } from '../../src/doctor/checks/quota.ts';
import { FileDriver } from '../../src/drivers/file/file-driver.ts';
import { fromNow, now, uuid } from '../../src/lib/clock.ts';
import { parseConfig } from '../../src/lib/config/read-config.ts';
import { exec } from '../../src/lib/exec.ts';
import { SNAPSHOT_STATUSES, VOLUME_STATUSES } from '../../src/model/status.ts';
import { UPKEEP } from '../../src/model/upkeep.ts';
import { freshSqlite } from '../databases.ts';
import { makeBackup, makeGroup, makeSnapshot, makeVolume, scheduleOf } from '../db/rows.ts';
import { falsePrograms } from '../drivers/lvm/false-lvm.ts';
import { falseLvmWorld } from '../drivers/lvm/false-lvm-world.ts';
import { assertGolden } from '../golden.ts';
import { proveStore } from '../prove-store.ts';
import { beginFlow } from './begin-flow.ts';
import { captured, capturedCommand } from './captured.ts';

const HOST = 'n1@file';
const POOL = `${HOST}#file`;
const NEVER = new AbortController().signal;
const CALL = { signal: NEVER, progress: () => {} };

interface Visit {
  readonly code: number;
  readonly findings: readonly {
    readonly check: string;
    readonly about: string;
    readonly says: string;
    readonly repaired: boolean;
    readonly advice: string | null;
    readonly remedy: string | null;
  }[];
  readonly notes: readonly { readonly about: string; readonly says: string; readonly advice: string | null }[];
  readonly swept: readonly string[];
}

interface Practice {
  readonly driver: FileDriver;
  readonly volumes: string;
  visit(options?: Partial<DoctorOptions>): Promise<Visit>;
}

/** A backend, and a doctor for it and the database. */
async function withPractice(url: string, body: (practice: Practice) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'pumice-doctor-'));
  const volumes = join(directory, 'volumes');
  const driver = new FileDriver({ name: 'file', directory: volumes, exec, create: true });
  try {
    await driver.start(NEVER);
    const set = [`database.url=${url}`, 'node_name=n1', 'notifications.drivers=["file"]'];
    await body({
      driver,
      volumes,
      visit: async (options = {}) => {
        const { around, out } = capturedCommand();
        const code = await doctor({ data: directory, set, olderThan: 10, json: true, ...options }, around);
        const visit: Visit = { code, ...JSON.parse(out.text) };
        const speechless = visit.findings.filter(({ advice, remedy }) => advice === null && remedy === null);
        assert.deepEqual(speechless, [], 'each finding says what to do');
        return visit;
      },
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Counters that are what the rows say. */
async function counted(database: Database): Promise<void> {
  await database.write((tx) => recountUsage(tx, 'p', { snapshotGigabytes: true }));
  await database.write(recountPoolUsage);
}

const said = ({ findings }: Visit): string[] => findings.map(({ check, about, says }) => `${check}: ${about} ${says}`);

proveStore('the doctor', (test) => {
  test('finds nothing where all is well, and says so', ({ database, url }) =>
    withPractice(url, async ({ driver, visit }) => {
      const volume = await makeVolume(database, { host: POOL });
      await driver.createVolume(volume, CALL);
      await counted(database);
      const found = await visit();
      assert.deepEqual(said(found), []);
      assert.equal(found.code, 0);
    }));

  test('finds a cached image that no row knows, and drops the row of one that is lost', ({ database, url }) =>
    withPractice(url, async ({ visit, volumes }) => {
      const [unknown, lost] = [uuid(), uuid()];
      await writeFile(join(volumes, `cached-image-${unknown}`), 'x');
      const cached = { pool: POOL, imageId: uuid(), sizeGiB: 1 };
      await database.write((tx) => putCachedImage(tx, { ...cached, id: lost }));
      await database.write(async (tx) => {
        const going = { ...cached, id: uuid() };
        await putCachedImage(tx, going);
        await evictCachedImage(tx, going);
      });
      assert.deepEqual(said(await visit()), [
        `backends: ${HOST} cached-image-${unknown} (1 bytes) lies here, a cached image that no row knows`,
        `backends: image:${lost} is in the cache of ${POOL}, and is not there`,
      ]);
      await visit({ repair: true });
      assert.deepEqual(said(await visit()).length, 1);
      await rm(join(volumes, `cached-image-${unknown}`));
      assert.deepEqual(said(await visit()), []);
    }));

  test('counts usage again, of projects and of pools', ({ database, url }) =>
    withPractice(url, async ({ driver, visit }) => {
      const volume = await makeVolume(database, { host: POOL, sizeGiB: 3 });
      await driver.createVolume(volume, CALL);
      const found = await visit();
      assert.equal(found.code, 3);
      assert.deepEqual(
        found.findings.map(({ check, about, remedy }) => [check, about, remedy]),
        [
          ['quota', 'project p', 'usage is counted again'],
          ['pools', POOL, 'usage is counted again'],
        ],
      );
      assert.match(found.findings[0]?.says ?? '', /gigabytes is kept as 0, counted 3/);
      const repaired = await visit({ repair: true });
      assert.deepEqual([repaired.code, repaired.findings.every((each) => each.repaired)], [0, true]);
      assert.deepEqual(said(await visit()), []);
    }));

  test('tells of what was kept for a backup that has ended, and not while one is being made', ({ database, url }) =>
    withPractice(url, async ({ driver, visit }) => {
      const volume = await makeVolume(database, { host: POOL });
      await driver.createVolume(volume, CALL);
      await counted(database);
      const [ended, made] = [uuid(), uuid()];
      for (const id of [ended, made]) await driver.keepForBackup(id, { volume }, CALL);
      await beginFlow(database, `backup:${made}`);
      const [found, ...others] = (await visit()).findings;
      assert.deepEqual(others, []);
      assert.match(found?.says ?? '', new RegExp(`^backup-${ended} .* the backup that was made from it has ended$`));
      assert.match(found?.advice ?? '', new RegExp(`rm backup-${ended}`));
    }));

  test('knows the bases of backups, and drops the row of one that is lost', ({ database, url }) =>
    withPractice(url, async ({ driver, visit, volumes }) => {
      const volume = await makeVolume(database, { host: POOL });
      await driver.createVolume(volume, CALL);
      await counted(database);
      const [kept, lost] = [uuid(), uuid()];
      for (const backupId of [lost, kept]) {
        await driver.keepForBackup(backupId, { volume }, CALL);
        const base = { backupId, volume: { id: volume.id, nameId: null }, pool: POOL, root: 'r' };
        await database.write((tx) => keepBase(tx, base, true));
      }
      assert.deepEqual(said(await visit()), [], 'the one that is given up will go');
      await rm(join(volumes, `backup-${lost}`));
      assert.deepEqual(said(await visit()), [], 'or has gone');
      await rm(join(volumes, `backup-${kept}`));
      assert.deepEqual(said(await visit({ repair: true })), [
        `backends: backup:${kept} is to have left what it was made from for the next backup, and that is not there`,
      ]);
      assert.deepEqual(said(await visit()), []);
      assert.equal(await findBase(database.read, volume.id), undefined);
    }));

  test('tells of a key of backups that is lost, or that others can read', ({ url }) =>
    withPractice(url, async ({ visit, volumes }) => {
      const file = join(volumes, '..', 'key');
      const set = [`database.url=${url}`, 'node_name=n1', `backup_keys.2026-a=${file}`];
      const says = async () => said(await visit({ set }));
      assert.deepEqual(await says(), [
        `backup_keys: backups Key 2026-a of backups cannot be used: ${file} cannot be opened.`,
      ]);
      await writeFile(file, Buffer.alloc(32), { mode: 0o644 });
      assert.match((await says()).join(), /can be read by others \(its mode should be 0600\)\.$/);
      await chmod(file, 0o600);
      assert.deepEqual(await says(), []);
    }));

  test('tells of a schedule that has had no whole run for two of its times, and not before', ({ database, url }) =>
    withPractice(url, async ({ visit }) => {
      const hour = { times: '0 * * * *', nextRunAt: fromNow(3_600_000) };
      const ran = { lastRunAt: fromNow(-60_000), lastEndedAt: fromNow(-30_000), lastFailure: 'It is busy.' };
      const since = { wholeAt: fromNow(-3 * 3_600_000) };
      await database.write(async (tx) => {
        await insertSchedule(tx, scheduleOf({ name: 'well', ...hour, wholeAt: fromNow(-60_000) }));
        const [clock, minute] = fromNow(-1_800_000).slice(11, 16).split(':').map(Number);
        const once = {
          times: `${minute} ${clock} * * *`,
          nextRunAt: fromNow(80_000_000),
          wholeAt: fromNow(-3_600_000),
        };
        await insertSchedule(tx, scheduleOf({ name: 'once', ...ran, ...once }));
        await insertSchedule(tx, scheduleOf({ name: 'fails', ...hour, ...ran, ...since }));
        await insertSchedule(
          tx,
          scheduleOf({ name: 'goes', ...hour, ...ran, ...since, lastEndedAt: null, lastFailure: null }),
        );
        await insertSchedule(tx, scheduleOf({ name: 'waits', ...hour, ...since, nextRunAt: fromNow(-7_200_000) }));
      });
      const found = await visit();
      assert.deepEqual(
        said(found).map((line) => line.replace(/\d+ h( \d+ min)?/, 'hours')),
        [
          'schedules: schedule fails has had no whole run for hours. It is busy.',
          'schedules: schedule goes has had no whole run for hours. Its run still goes on.',
          'schedules: schedule waits has had no whole run for hours. No service has begun one that was due.',
        ],
      );
      assert.match(found.findings[0]?.advice ?? '', /pumice backups schedule show fails/);
    }));

  test('tells what is damaged of backups, and what to type', ({ database, url }) =>
    withPractice(url, async ({ visit }) => {
      const { id } = await makeBackup(database, { projectId: 'b', sizeGiB: 5 });
      await visit({ repair: true });
      const damage = { backupId: id, pack: 'x/1-0', what: 'Pack x/1-0 is not there.', depth: 'packs' } as const;
      const ranges = [{ at: 3 * 1024 ** 3, bytes: 2 * 1024 ** 2 }];
      await database.write((tx) => keepDamage(tx, { ...damage, ranges, foundAt: now() }));
      const { code, findings } = await visit();
      assert.equal(code, 3);
      assert.deepEqual(
        findings.map(({ check, about, says }) => [check, about, says]),
        [['backups', `backup:${id}`, 'is damaged: Pack x/1-0 is not there. Of the volume: 2 MiB at 3 GiB.']],
      );
      assert.match(findings[0]?.advice ?? '', new RegExp(`pumice backups verify ${id}`));
    }));

  test('counts the usage of a project that has nothing but backups', ({ database, url }) =>
    withPractice(url, async ({ visit }) => {
      await makeBackup(database, { projectId: 'b', sizeGiB: 5 });
      assert.deepEqual(said(await visit()), [
        'quota: project b backup_gigabytes is kept as 0, counted 5; backups is kept as 0, counted 1',
      ]);
      assert.equal((await visit({ repair: true })).code, 0);
    }));

  test('drops the reservations and holds of flows that have ended', ({ database, url }) =>
    withPractice(url, async ({ visit }) => {
      const gone = uuid();
      await database.write((tx) => reserveQuota(tx, gone, 'p', { volumes: 2 }, {}));
      await database.write(({ db }) =>
        db.insertInto('hold').values({ resource: 'volume:x', flow_id: gone, mode: 'exclusive' }).execute(),
      );
      assert.deepEqual(said(await visit()), [
        `leftovers: flow ${gone} has ended, and its reservation of quota is still there`,
        `leftovers: flow ${gone} has ended, and still holds its resources`,
      ]);
      assert.equal((await visit({ repair: true })).code, 0);
      assert.deepEqual(said(await visit()), []);
    }));

  test('leaves the reservations and holds of flows in flight alone', ({ database, url }) =>
    withPractice(url, async ({ visit }) => {
      const flowId = await beginFlow(database, 'volume:x');
      await database.write((tx) => reserveQuota(tx, flowId, 'p', { volumes: 2 }, {}));
      assert.deepEqual(said(await visit({ repair: true })), []);
    }));

  test('gives what is in a transient status without a flow the status of the failure', ({ database, url }) =>
    withPractice(url, async ({ visit }) => {
      const deleting = await makeVolume(database, { status: 'deleting' });
      const uploading = await makeVolume(database, { status: 'uploading' });
      const extending = await makeVolume(database, { status: 'extending' });
      const attaching = await makeVolume(database, { status: 'attaching' });
      const snapshot = await makeSnapshot(database, attaching, { status: 'creating' });
      const group = await makeGroup(database, { status: 'updating' });
      const { id: groupId, groupTypeId, projectId, userId } = group;
      const groupSnapshot = await database.write((tx) =>
        insertGroupSnapshot(tx, { id: uuid(), projectId, userId, status: 'deleting', groupId, groupTypeId }),
      );
      const backup = await makeBackup(database, { status: 'deleting' });
      const begun = await makeGroup(database, { status: 'deleting' });
      await beginFlow(database, `group:${begun.id}`);
      await beginFlow(database, `volume:${extending.id}`);
      await counted(database);
      const found = await visit({ repair: true });
      assert.deepEqual(
        new Map(found.findings.map(({ about, remedy }) => [about, remedy])),
        new Map([
          [`volume:${deleting.id}`, 'its status is set to error_deleting'],
          [`volume:${uploading.id}`, 'its status is set to error'],
          [`snapshot:${snapshot.id}`, 'its status is set to error'],
          [`group:${group.id}`, 'its status is set to error'],
          [`group_snapshot:${groupSnapshot.id}`, 'its status is set to error_deleting'],
          [`backup:${backup.id}`, 'its status is set to error_deleting'],
        ]),
      );
      const statuses = await Promise.all(
        [deleting, uploading, extending, attaching].map(
          async ({ id }) => (await findVolume(database.read, id))?.status,
        ),
      );
      assert.deepEqual(statuses, ['error_deleting', 'error', 'extending', 'attaching']);
      assert.equal((await findSnapshot(database.read, snapshot.id))?.status, 'error');
      assert.equal((await findGroup(database.read, group.id))?.status, 'error');
    }));

  test('tells of what lies on a backend and is in no row, and never deletes it', ({ database, url }) =>
    withPractice(url, async ({ driver, volumes, visit }) => {
      const orphan = { id: uuid(), sizeGiB: 1 };
      await driver.createVolume(orphan, CALL);
      const elsewhere = await makeVolume(database, { host: 'n1@other#other' });
      await driver.createVolume(elsewhere, CALL);
      await writeFile(join(volumes, 'not-ours.raw'), 'x');
      const being = await makeVolume(database, { status: 'creating' });
      await beginFlow(database, `volume:${being.id}`);
      await driver.createVolume(being, CALL);
      await counted(database);
      const found = await visit({ repair: true });
      assert.deepEqual(
        said(found).sort(),
        [
          `backends: ${HOST} volume-${elsewhere.id} (1073741824 bytes) lies here, and volume:${elsewhere.id} is on n1@other#other`,
          `backends: ${HOST} volume-${orphan.id} (1073741824 bytes) lies here, and no row knows it`,
        ].sort(),
      );
      assert.equal(found.code, 3);
      assert.ok(existsSync(join(volumes, `volume-${orphan.id}`)));
    }));

  test('notes what was unmanaged on purpose, and how it is taken back, and finds nothing wrong', ({ url }) =>
    withPractice(url, async ({ driver, visit }) => {
      const [volume, snapshot] = [
        { id: uuid(), sizeGiB: 1 },
        { id: uuid(), sizeGiB: 1 },
      ];
      await driver.createVolume(volume, CALL);
      await driver.createSnapshot({ ...snapshot, volumeId: volume.id }, CALL);
      await driver.unmanage(volume, null, CALL);
      await driver.unmanageSnapshot({ ...snapshot, volumeId: volume.id }, null, CALL);
      const { code, findings, notes } = await visit();
      assert.deepEqual([code, findings], [0, []]);
      const [of = '', it = ''] = notes.map(({ about, says }) => `${about} ${says}`);
      const since = /lies here, unmanaged since \d{4}-\d\d-\d\d \d\d:\d\d UTC$/;
      assert.match(of, since);
      assert.match(it, since);
      assert.deepEqual(
        notes.map(({ advice }) => advice),
        [
          `cinder snapshot-manage VOLUME snapshot-${snapshot.id} takes it back`,
          `cinder manage ${POOL} volume-${volume.id} takes it back`,
        ],
      );
      await driver.manageExisting(volume, { 'source-name': `volume-${volume.id}` }, CALL);
      assert.deepEqual(said(await visit()), [
        `backends: ${HOST} volume-${volume.id} (1073741824 bytes) lies here, and no row knows it`,
      ]);
    }));

  test('tells of upkeep that fails, and why, and what to do', ({ database, url }) =>
    withPractice(url, async ({ visit }) => {
      const trouble = { upkeep: 'events', about: 'amqp', node: 'n1', reason: 'no broker', since: fromNow(-7_200_000) };
      const alive = uuid();
      await database.ownership.take(processName(alive));
      await database.write((tx) => putTrouble(tx, { ...trouble, process: alive }));
      // PostgreSQL knows that nobody lives who could have said so.
      if (database.dialect === 'postgresql')
        await database.write((tx) => putTrouble(tx, { ...trouble, process: uuid(), about: 'file' }));
      const { code, findings } = await visit();
      assert.deepEqual(
        findings.map(({ check, about, says, advice }) => ({ check, about, says, advice })),
        [
          {
            check: 'upkeep',
            about: 'amqp',
            says: `has upkeep that fails on n1 for 2 h (events: ${UPKEEP.events.does}): no broker`,
            advice: UPKEEP.events.advice,
          },
        ],
      );
      assert.equal(code, 3);
    }));

  test('tells of rows whose volume or snapshot is not on its backend', ({ database, url }) =>
    withPractice(url, async ({ driver, visit }) => {
      const volume = await makeVolume(database, { host: POOL });
      const failed = await makeVolume(database, { host: POOL, status: 'error' });
      const snapshot = await makeSnapshot(database, failed);
      await counted(database);
      const found = await visit();
      assert.deepEqual(said(found).sort(), [
        `backends: snapshot:${snapshot.id} is available, and is not on ${HOST}`,
        `backends: volume:${volume.id} is available, and is not on ${HOST}`,
      ]);
      await driver.createVolume(volume, CALL);
      assert.equal((await visit()).findings.length, 1);
    }));

  test('misses no volume or snapshot that something makes or removes, or failed to', ({ database, url }) =>
    withPractice(url, async ({ visit }) => {
      const making = ['creating', 'downloading', 'managing', 'error', 'error_managing'];
      const removing = [
        'deleting',
        'error_deleting',
        'unmanaging',
        'error_unmanaging',
        'error_managing_deleting',
        'deleted',
      ];
      const statuses = new Map<string, string>();
      for (const status of VOLUME_STATUSES)
        statuses.set(`volume:${(await makeVolume(database, { host: POOL, status })).id}`, status);
      const of = await makeVolume(database, { host: POOL, status: 'error' });
      for (const status of SNAPSHOT_STATUSES)
        statuses.set(`snapshot:${(await makeSnapshot(database, of, { status })).id}`, status);
      const { findings } = await visit();
      const missed = new Set(findings.filter(({ check }) => check === 'backends').map(({ about }) => about));
      assert.deepEqual(
        [...statuses]
          .filter(([name]) => !missed.has(name))
          .map(([, status]) => status)
          .sort(),
        [...VOLUME_STATUSES, ...SNAPSHOT_STATUSES].filter((status) => [...making, ...removing].includes(status)).sort(),
      );
    }));

  test('tells of exports that are missing, and of those that no attachment knows', ({ database, url }) =>
    withPractice(url, async ({ driver, visit }) => {
      const volume = await makeVolume(database, { host: POOL, status: 'in-use' });
      await driver.createVolume(volume, CALL);
      await counted(database);
      const attachment = await database.write((tx) =>
        insertAttachment(tx, {
          id: uuid(),
          projectId: 'p',
          volumeId: volume.id,
          attachMode: 'rw',
          attachStatus: 'attached',
          connector: { host: hostname() },
          connectionInfo: { driver_volume_type: 'local', data: {} },
        }),
      );
      const wanted = { volume, connector: { host: hostname() }, readOnly: false, secret: attachment.secret };
      const unknown = uuid();
      await driver.ensureExport({ ...wanted, attachmentId: unknown }, CALL);
      assert.deepEqual(said(await visit()), [
        `exports: volume:${volume.id} is not exported by ${HOST} to attachment ${attachment.id}`,
        `exports: ${HOST} exports a volume to attachment ${unknown}, which no row knows`,
      ]);
      await driver.ensureExport({ ...wanted, attachmentId: attachment.id }, CALL);
      await driver.removeExport({ attachmentId: unknown }, CALL);
      assert.deepEqual(said(await visit()), []);
    }));

  test('tells of a backend that cannot be used, and does not make its directory', ({ url }) =>
    withPractice(url, async ({ volumes, visit }) => {
      await rm(volumes, { recursive: true });
      const found = await visit({ repair: true });
      assert.match(said(found).join('\n'), /^backends: n1@file cannot be used: The directory .* does not exist/);
      assert.equal(existsSync(volumes), false);
    }));

  test('tells of flows that are stuck or have not moved for long', ({ database, url }) =>
    withPractice(url, async ({ visit }) => {
      const stuck = await beginFlow(database, 'volume:a');
      const still = await beginFlow(database, 'volume:b');
      await beginFlow(database, 'volume:c');
      const waiting = { what: 'the store', why: 'it is full', since: now() };
      const doing = { node: 'copy', since: now(), progress: null, waiting };
      await database.write(({ db }) =>
        db.updateTable('flow').set({ state: 'stuck' }).where('id', '=', stuck).execute(),
      );
      await database.write(({ db }) =>
        db
          .updateTable('flow')
          .set({ updated_at: fromNow(-3_600_000), doing: JSON.stringify(doing) })
          .where('id', '=', still)
          .execute(),
      );
      const found = await visit();
      assert.deepEqual(found.findings.map(({ check, about }) => `${check} ${about}`).sort(), [
        'motion volume:a',
        'motion volume:b',
      ]);
      assert.match(said(found).join('\n'), /has not moved for 1 h at copy, and waits for the store \(it is full\)/);
      assert.deepEqual(
        (await visit({ olderThan: 120 })).findings.map(({ about }) => about),
        ['volume:a'],
      );
    }));

  test('tells of flows that wait for others only when nothing keeps them', ({ database, url }) =>
    withPractice(url, async ({ visit }) => {
      const [holder, waiting] = [await beginFlow(database, 'volume:a'), await beginFlow(database, 'volume:b')];
      await database.write(async ({ db }) => {
        await db
          .updateTable('flow')
          .set({ lane: 'holds', updated_at: fromNow(-3_600_000) })
          .where('id', '=', waiting)
          .execute();
        const held = { resource: 'volume:source', flow_id: holder, mode: 'shared', waiting: 0 } as const;
        const wanted = { resource: 'volume:source', flow_id: waiting, mode: 'exclusive', waiting: 1 } as const;
        await db.insertInto('hold').values([held, wanted]).execute();
      });
      assert.deepEqual(said(await visit()), []);
      await database.write(({ db }) => db.deleteFrom('hold').where('flow_id', '=', holder).execute());
      assert.match(said(await visit()).join('\n'), /^motion: volume:b .*has not moved for 1 h; nobody runs it/);
    }));

  test('tells of flows whose processes died again and again', ({ database, url }) =>
    withPractice(url, async ({ visit }) => {
      const [deadly, unlucky] = [await beginFlow(database, 'volume:a'), await beginFlow(database, 'volume:b')];
      const claims = (id: string, claims: number) =>
        database.write(({ db }) => db.updateTable('flow').set({ claims }).where('id', '=', id).execute());
      await claims(deadly, 3);
      await claims(unlucky, 1);
      const found = await visit();
      assert.equal(found.findings.length, 1);
      assert.match(
        said(found).join(),
        /^motion: volume:a .* may be what ends the service: 3 of its processes have died/,
      );
    }));

  test('tells of events that a sink has not been given', ({ database, url }) =>
    withPractice(url, async ({ visit }) => {
      await database.write((tx) =>
        appendEvents(tx, [
          {
            messageId: uuid(),
            resource: 'volume:a',
            eventType: 'volume.create.start',
            priority: 'INFO',
            publisherId: 'x',
            payload: '{}',
            projectId: 'p',
            userId: 'u',
            requestId: 'r',
          },
        ]),
      );
      assert.deepEqual(said(await visit()), []);
      await database.write(({ db }) =>
        db
          .updateTable('outbox')
          .set({ created_at: fromNow(-1_800_000) })
          .execute(),
      );
      assert.deepEqual(said(await visit()), [
        'events: sink file has events to take: 1, the oldest for 30 min; it has had none yet',
      ]);
    }));
});

describe('the doctor', () => {
  test('sweeps temporary files of no flow, but only while no server runs', async () => {
    const made = await freshSqlite();
    try {
      await withPractice(made.url, async ({ volumes, visit }) => {
        const temporary = `.tmp-volume-${uuid()}.${uuid()}`;
        await writeFile(join(volumes, temporary), 'x');
        const server = await openDatabase(made.url, { as: 'server' });
        assert.deepEqual((await visit({ repair: true })).swept, []);
        await server.close();
        assert.deepEqual((await visit()).swept, []);
        assert.deepEqual((await visit({ repair: true })).swept, [`${HOST}: ${temporary}`]);
        assert.equal(existsSync(join(volumes, temporary)), false);
      });
    } finally {
      await made.remove();
    }
  });

  test('names a volume that its backend has and cannot serve, and none that is another’s', async (context) => {
    const made = await freshSqlite();
    const database = await openDatabase(made.url, { as: 'server' });
    const { driver, thick, cleanup } = await falseLvmWorld(falsePrograms);
    context.after(async () => {
      await database.close();
      await made.remove();
      await cleanup();
    });
    const [here, elsewhere] = [
      await makeVolume(database, { host: 'n1@lvm#lvm' }),
      await makeVolume(database, { host: 'n1@other#lvm' }),
    ];
    for (const id of [here.id, elsewhere.id, uuid()]) await thick(`volume-${id}`, 1024 ** 3);
    const config = parseConfig({ directory: '/nowhere' });
    const patient = { db: database, config, patienceMs: 0, signal: NEVER };
    const found = await backends.examine({ ...patient, backends: [{ host: 'n1@lvm', driver }] });
    assert.deepEqual(
      found.map(({ about, says }) => `${about} ${says}`),
      [`volume:${here.id} is available, and its volume-${here.id} on n1@lvm is not in thin pool cinder-volumes-pool`],
    );
  });

  test('shows what it found as it is kept here', () => {
    const out = captured(80);
    const remedy = { says: 'usage is counted again', apply: async () => true };
    const finding = {
      key: '',
      about: 'project cafe',
      says: 'gigabytes is kept as 7, counted 5; volumes is kept as 2, counted 1',
    };
    const stuck = {
      key: '',
      about: 'volume:v',
      says: 'delete_volume 1b6c is stuck',
      advice: 'pumice flows resume 1b6c tries it again',
      repaired: false,
    };
    const reports = [
      { check: quota, findings: [{ ...finding, remedy, repaired: false }] },
      { check: motion, findings: [stuck] },
    ];
    const repaired = [
      { check: quota, findings: [{ ...finding, remedy, repaired: true }] },
      { check: motion, findings: [] },
    ];
    const given = {
      key: '',
      about: 'n1@file',
      says: 'volume-v (1073741824 bytes) lies here, unmanaged since 2026-01-31 12:00 UTC',
      advice: 'cinder manage n1@file#file volume-v takes it back',
      isNote: true,
      repaired: false,
    } as const;
    for (const [each, swept] of [
      [reports, []],
      [repaired, ['n1@file: .tmp-x']],
      [[{ check: motion, findings: [] }], []],
      [[{ check: backends, findings: [given] }], []],
    ] as const)
      out.terminal.lines([...reportLines(out.terminal, each, swept), '---']);
    assertGolden('doctor.txt', out.text);
  });
});
