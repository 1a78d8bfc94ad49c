/** The way back: what did not change is not touched, what did is as Cinder would have written it, and a second time writes nothing. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { deleteAttachmentRow, insertAttachment } from '../../src/db/attachments.ts';
import { insertBackup } from '../../src/db/backups.ts';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { countQuota } from '../../src/db/quotas.ts';
import { deleteSnapshotRow, insertSnapshot } from '../../src/db/snapshots.ts';
import { insertTransfer } from '../../src/db/transfers.ts';
import { addVolumeTypeAccess, insertVolumeType, updateVolumeType } from '../../src/db/volume-types.ts';
import { deleteVolumeRow, insertVolume, updateVolume } from '../../src/db/volumes.ts';
import { writeBack } from '../../src/import/back/write-back.ts';
import { cinderAddress } from '../../src/import/cinder/cinder-address.ts';
import { openSession } from '../../src/import/cinder/open-cinder.ts';
import { mapWorld } from '../../src/import/map/map-world.ts';
import { fillDatabase } from '../../src/import/run/fill-database.ts';
import { newAuthKey } from '../../src/model/auth-key.ts';
import { freshPostgresql, freshSqlite } from '../databases.ts';
import { id, PROJECT, USER } from './cinder-rows.ts';
import { type CinderDialect, type CinderWorld, cinderWorld, DIALECTS } from './cinder-world.ts';
import { HOSTS, OTHER_PROJECT, smallCinder } from './small-cinder.ts';

const NOW = '2026-06-01T00:00:00.000000';
const settings = { hosts: HOSTS, adoptType: null, revive: false, now: NOW };

interface BackWorld {
  readonly cinder: CinderWorld;
  readonly db: Database;
  back(): ReturnType<typeof writeBack>;
  /** Every row of the Cinder database, by table. */
  dump(): Promise<Readonly<Record<string, readonly Record<string, unknown>[]>>>;
  /** Of a table, one. */
  row(table: string, where: string): Promise<Record<string, unknown>>;
}

/** Imported, and turned. */
async function backWorld(
  context: TestContext,
  from: CinderDialect,
  into: 'sqlite' | 'postgresql',
): Promise<BackWorld | undefined> {
  const cinder = await cinderWorld(from);
  if ('missing' in cinder) return void context.skip(`${from}: ${cinder.missing}`);
  context.after(() => cinder.remove());
  const target = await (into === 'sqlite' ? freshSqlite() : freshPostgresql());
  if ('missing' in target) return void context.skip(`PostgreSQL: ${target.missing}`);
  const db = await openDatabase(target.url, { as: 'server' });
  context.after(async () => {
    await db.close();
    await target.remove();
  });
  await smallCinder(cinder);
  const opened = await cinder.open();
  const world = await mapWorld(opened, settings);
  if ('noType' in world) return assert.fail();
  const options = { source: 'somewhere', resume: true, recount: { snapshotGigabytes: true }, told: () => {} };
  await fillDatabase(opened, world, db, { ...options, signal: new AbortController().signal });
  await opened.close();
  const tables = (
    await cinder.run(
      from === 'mysql'
        ? 'SELECT table_name AS t FROM information_schema.tables WHERE table_schema = database()'
        : "SELECT tablename AS t FROM pg_tables WHERE schemaname = 'public'",
    )
  ).map(({ t }) => String(t));
  return {
    cinder,
    db,
    async back() {
      const opened = await openSession(cinderAddress(cinder.url), { toWrite: true });
      try {
        const now = await mapWorld(opened.cinder, settings);
        if ('noType' in now) return assert.fail();
        const written = await writeBack(opened, now, db);
        await opened.session.ask('COMMIT');
        return written;
      } finally {
        await opened.cinder.close();
      }
    },
    async dump() {
      const all: Record<string, readonly Record<string, unknown>[]> = {};
      for (const table of tables.sort()) {
        const rows = await cinder.run(`SELECT * FROM ${from === 'mysql' ? `\`${table}\`` : `"${table}"`}`);
        all[table] = rows
          .map((row) => JSON.parse(JSON.stringify(row)))
          .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
      }
      return all;
    },
    async row(table, where) {
      const rows = await cinder.run(`SELECT * FROM ${from === 'mysql' ? `\`${table}\`` : `"${table}"`} WHERE ${where}`);
      assert.equal(rows.length, 1, `${table} where ${where}`);
      return rows[0] ?? {};
    },
  };
}

const isTrue = (value: unknown): boolean => value === true || value === 1;

for (const from of DIALECTS) {
  for (const into of ['sqlite', 'postgresql'] as const) {
    describe(`the way back from ${into} to ${from}`, () => {
      it('changes no row but usage when nothing was changed, and none the second time', async (context) => {
        const world = await backWorld(context, from, into);
        if (world === undefined) return;
        const before = await world.dump();
        const { counts, unheld } = await world.back();
        assert.deepEqual(unheld, []);
        assert.deepEqual(Object.keys(counts), ['quota_usages']);
        const { quota_usages: usage, ...after } = await world.dump();
        const { quota_usages: _, ...was } = before;
        assert.deepEqual(after, was);
        const volumes = usage?.find(({ resource, project_id }) => resource === 'volumes' && project_id === PROJECT);
        assert.partialDeepStrictEqual(volumes, { in_use: 12, reserved: 0 });
        assert.deepEqual((await world.back()).counts, {});
      });

      it('writes what was changed, made and removed, and nothing the second time', async (context) => {
        const world = await backWorld(context, from, into);
        if (world === undefined) return;
        const { db, row } = world;
        const mine = {
          id: id('a', 90),
          projectId: PROJECT,
          userId: USER,
          sizeGiB: 7,
          status: 'available',
          host: 'node@file#rbd1',
        } as const;
        const type = await db.write((tx) =>
          insertVolumeType(tx, { id: id('d', 9), name: 'made here', extraSpecs: { k: 'v' }, isPublic: false }),
        );
        await db.write(async (tx) => {
          await addVolumeTypeAccess(tx, type.id, OTHER_PROJECT);
          await insertVolume(tx, {
            ...mine,
            volumeTypeId: type.id,
            name: 'new',
            metadata: { a: 'b' },
            launchedAt: '2026-07-01T10:00:00.123456',
          });
          await countQuota(tx, PROJECT, { volumes: 1, gigabytes: 7 });
        });
        await db.write(async (tx) => {
          await insertSnapshot(tx, {
            id: id('c', 90),
            projectId: PROJECT,
            userId: USER,
            volumeId: mine.id,
            volumeTypeId: type.id,
            volumeSizeGiB: 7,
            status: 'available',
          });
          await insertAttachment(tx, {
            id: id('b', 90),
            projectId: PROJECT,
            volumeId: mine.id,
            attachMode: 'rw',
            attachStatus: 'attached',
            instanceId: id('e', 9),
            connector: { host: 'c9' },
            connectionInfo: { driver_volume_type: 'rbd', data: { name: 'x' } },
          });
          await updateVolume(tx, id('a', 7), {
            name: 'renamed',
            sizeGiB: 70,
            metadata: { stage: 'other', fresh: '1' },
          });
          await deleteAttachmentRow(tx, id('b', 5));
          await updateVolume(tx, id('a', 5), { status: 'available', attachStatus: 'detached', adminMetadata: {} });
          await deleteSnapshotRow(tx, id('c', 9));
          await updateVolumeType(tx, id('d', 1), {
            description: 'changed',
            extraSpecs: { volume_backend_name: 'rbd2' },
          });
          await tx.db.updateTable('quota_limit').set({ hard_limit: 51 }).where('resource', '=', 'volumes').execute();
          await tx.db.updateTable('service').set({ disabled: 0, disabled_reason: null }).execute();
        });
        await db.write(async (tx) => {
          await deleteVolumeRow(tx, id('a', 9));
        });
        const { unheld } = await world.back();
        assert.deepEqual(unheld, []);
        const q = (text: string): string => (from === 'mysql' ? `\`${text}\`` : `"${text}"`);
        const renamed = await row('volumes', `id = '${id('a', 7)}'`);
        assert.partialDeepStrictEqual(renamed, { display_name: 'renamed', size: 70, status: 'available' });
        assert.partialDeepStrictEqual(
          await row('volume_metadata', `volume_id = '${id('a', 7)}' AND ${q('key')} = 'stage'`),
          { value: 'other' },
        );
        assert.ok(
          isTrue((await row('volume_metadata', `volume_id = '${id('a', 7)}' AND ${q('key')} = 'Owner'`)).deleted),
        );
        assert.partialDeepStrictEqual(
          await row('volume_metadata', `volume_id = '${id('a', 7)}' AND ${q('key')} = 'fresh'`),
          { value: '1' },
        );
        const made = await row('volumes', `id = '${mine.id}'`);
        assert.partialDeepStrictEqual(made, {
          display_name: 'new',
          size: 7,
          host: 'control1@rbd1#rbd1',
          service_uuid: id('1', 1),
          volume_type_id: type.id,
        });
        assert.ok(!isTrue(made.deleted) && !isTrue(made.shared_targets) && isTrue(made.use_quota));
        const gone = await row('volumes', `id = '${id('a', 9)}'`);
        assert.ok(
          isTrue(gone.deleted) && gone.status === 'deleted' && gone.deleted_at !== null && gone.terminated_at !== null,
        );
        assert.ok(
          isTrue((await row('volume_metadata', `volume_id = '${id('a', 9)}' AND ${q('key')} = 'stage'`)).deleted),
        );
        assert.ok(isTrue((await row('snapshots', `id = '${id('c', 9)}'`)).deleted));
        const detached = await row('volume_attachment', `id = '${id('b', 5)}'`);
        assert.ok(isTrue(detached.deleted) && detached.attach_status === 'detached' && detached.detach_time !== null);
        assert.deepEqual(
          JSON.parse(String((await row('volume_attachment', `id = '${id('b', 90)}'`)).connection_info)),
          { name: 'x', driver_volume_type: 'rbd', attachment_id: id('b', 90) },
        );
        assert.partialDeepStrictEqual(await row('volume_types', `id = '${id('d', 1)}'`), { description: 'changed' });
        assert.partialDeepStrictEqual(await row('volume_type_extra_specs', `volume_type_id = '${id('d', 1)}'`), {
          value: 'rbd2',
        });
        assert.partialDeepStrictEqual(await row('volume_type_projects', `volume_type_id = '${type.id}'`), {
          project_id: OTHER_PROJECT,
        });
        assert.partialDeepStrictEqual(await row('quotas', "resource = 'volumes'"), { hard_limit: 51 });
        assert.ok(!isTrue((await row('services', `uuid = '${id('1', 1)}'`)).disabled));
        assert.deepEqual((await world.back()).counts, {});
      });

      it('tells keys apart that differ in case alone, as a MySQL by itself would not', async (context) => {
        const world = await backWorld(context, from, into);
        if (world === undefined) return;
        const { db } = world;
        const { id: volumeId } = await db.read.selectFrom('volume').select('id').executeTakeFirstOrThrow();
        const living = async (): Promise<Readonly<Record<string, unknown>>> => {
          const { volume_metadata: rows = [] } = await world.dump();
          const of = rows.filter((row) => row.volume_id === volumeId && !isTrue(row.deleted));
          return Object.fromEntries(of.map(({ key, value }) => [String(key), value]));
        };
        for (const metadata of [{ Mode: '1', mode: '2' }, { Mode: '3', mode: '2' }, { mode: '2' }]) {
          await db.write((tx) => updateVolume(tx, volumeId, { metadata }));
          await world.back();
          assert.deepEqual(await living(), metadata);
        }
      });

      it('names what Cinder cannot hold', async (context) => {
        const world = await backWorld(context, from, into);
        if (world === undefined) return;
        const { db, row } = world;
        await db.write(async (tx) => {
          await updateVolume(tx, id('a', 1), { status: 'awaiting-transfer' });
          await insertTransfer(tx, {
            volumeId: id('a', 1),
            name: null,
            noSnapshots: false,
            projectId: PROJECT,
            kept: newAuthKey().kept,
          });
          await insertBackup(tx, {
            id: id('3', 9),
            projectId: PROJECT,
            userId: USER,
            volumeId: id('a', 1),
            sizeGiB: 1,
            status: 'available',
          });
          await insertAttachment(tx, {
            id: id('b', 91),
            projectId: PROJECT,
            volumeId: id('a', 3),
            attachMode: 'rw',
            attachStatus: 'attached',
            connector: { host: 'c9' },
            connectionInfo: { driver_volume_type: 'iscsi', data: {} },
          });
        });
        const { unheld } = await world.back();
        assert.deepEqual(unheld.map(({ resource }) => resource).sort(), ['attachment', 'backup', 'transfer']);
        assert.equal((await row('volumes', `id = '${id('a', 1)}'`)).status, 'available');
      });
    });
  }
}
