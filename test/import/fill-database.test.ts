/** An import fills a database as one run does, however often it is run, wherever it is broken off, and whatever the databases are. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type Database, openDatabase } from '../../src/db/database.ts';
import type { CinderDatabase } from '../../src/import/cinder/cinder-database.ts';
import { mapWorld } from '../../src/import/map/map-world.ts';
import type { ImportFinding, ImportRefusal } from '../../src/import/map/verdict.ts';
import { type FillOptions, fillDatabase } from '../../src/import/run/fill-database.ts';
import { CONSISTENCY_GROUP_TYPE } from '../../src/model/group-type.ts';
import { freshPostgresql, freshSqlite } from '../databases.ts';
import { withProcess } from '../db/processes.ts';
import { allRows } from './all-rows.ts';
import { deletedRow, id, PROJECT, snapshotRow, typeRow, volumeRow } from './cinder-rows.ts';
import { type CinderDialect, type CinderWorld, cinderWorld, DIALECTS } from './cinder-world.ts';
import { HOSTS, smallCinder, VOLUMES } from './small-cinder.ts';

const NOW = '2026-06-01T00:00:00.000000';

interface FillWorld {
  readonly cinder: CinderWorld;
  readonly db: Database;
  fill(options?: Partial<FillOptions>): ReturnType<typeof fillDatabase>;
  readonly told: (ImportFinding | ImportRefusal)[];
}

async function fillWorld(
  context: TestContext,
  from: CinderDialect,
  into: 'sqlite' | 'postgresql',
): Promise<FillWorld | undefined> {
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
  const told: (ImportFinding | ImportRefusal)[] = [];
  const fill = async (options: Partial<FillOptions> = {}) => {
    const opened: CinderDatabase = await cinder.open();
    const world = await mapWorld(opened, { hosts: HOSTS, adoptType: null, revive: false, now: NOW });
    if ('noType' in world) return assert.fail(world.noType);
    const all = {
      source: 'somewhere',
      batch: 5,
      resume: true,
      recount: { snapshotGigabytes: true },
      told: (each: ImportFinding | ImportRefusal) => void told.push(each),
    };
    return fillDatabase(opened, world, db, { ...all, signal: new AbortController().signal, ...options });
  };
  return { cinder, db, fill, told };
}

for (const from of DIALECTS) {
  for (const into of ['sqlite', 'postgresql'] as const) {
    describe(`an import of ${from} into ${into}`, () => {
      it('brings over all that lives, and the second time writes nothing', async (context) => {
        const world = await fillWorld(context, from, into);
        if (world === undefined) return;
        await smallCinder(world.cinder);
        const first = await world.fill();
        assert.deepEqual(world.told, []);
        assert.partialDeepStrictEqual(first, {
          rows: {
            volume: VOLUMES,
            volume_attachment: 6,
            snapshot: 8,
            transfer: 1,
            backup: 1,
            message: 1,
            volume_group: 1,
            group_snapshot: 1,
            service: 1,
          },
          refused: 0,
          resumed: false,
        });
        const before = await allRows(world.db);
        const volumes = before.volume as { id: string; name: string; host: string; metadata: string }[];
        assert.deepEqual(
          volumes.map((row) => row.id),
          Array.from({ length: VOLUMES }, (_, n) => id('a', n + 1)),
        );
        assert.ok(volumes.every(({ host }) => host === 'node@file#rbd1'));
        assert.deepEqual(JSON.parse(volumes[0]?.metadata ?? ''), { stage: 's1', Owner: 'somebody' });
        const usage = before.quota_usage as { project_id: string; resource: string; in_use: number }[];
        const used = (resource: string) =>
          usage.find((row) => row.project_id === PROJECT && row.resource === resource)?.in_use;
        assert.deepEqual(['volumes', 'gigabytes_fast', 'snapshots', 'groups', 'backups'].map(used), [12, 96, 4, 1, 1]);
        const again = await world.fill();
        assert.deepEqual([again.written, again.removed], [0, 0]);
        assert.deepEqual(withoutTimes(await allRows(world.db)), withoutTimes(before));
      });

      it('reads no volume and no snapshot again that is as it was, and each of which something is to be told', async (context) => {
        const world = await fillWorld(context, from, into);
        if (world === undefined) return;
        await smallCinder(world.cinder);
        await world.fill();
        const steps: string[] = [];
        const read = async () => {
          await world.fill({ filled: (step) => void steps.push(step) });
          return steps.splice(0).filter((step) => step === 'volumes' || step === 'snapshots');
        };
        assert.deepEqual(await read(), []);
        const volume = volumeRow({ id: id('e', 1), volume_type_id: id('d', 1), created_at: null });
        await world.cinder.insert('volumes', volume);
        assert.deepEqual(await read(), ['volumes']);
        assert.deepEqual(await read(), ['volumes']);
        assert.deepEqual(
          world.told.map(({ code }) => code),
          ['created-unknown', 'created-unknown'],
        );
      });

      it('notices any value that changes of a volume, of a snapshot, or of what hangs on them', async (context) => {
        const world = await fillWorld(context, from, into);
        if (world === undefined) return;
        const { cinder, fill } = world;
        await smallCinder(cinder);
        await fill();
        const key = from === 'mysql' ? '`key`' : 'key';
        for (const [table, change, where] of [
          ['volumes', "display_description = 'other'", `id = '${id('a', 2)}'`],
          ['volumes', 'size = 17', `id = '${id('a', 3)}'`],
          ['volumes', "host = 'control1@rbd1#other'", `id = '${id('a', 4)}'`],
          ['volume_metadata', "value = ''", `volume_id = '${id('a', 5)}' AND ${key} = 'stage'`],
          ['volume_attachment', "mountpoint = '/dev/sdz'", `id = '${id('b', 13)}'`],
          ['snapshots', "display_name = 'other'", `id = '${id('c', 9)}'`],
          ['transfers', "display_name = 'other'", `id = '${id('4', 1)}'`],
        ] as const) {
          await cinder.run(`UPDATE ${table} SET ${change} WHERE ${where}`);
          assert.equal((await fill()).written, 1, `${table} ${change}`);
        }
      });

      it('follows what is changed, made and removed there', async (context) => {
        const world = await fillWorld(context, from, into);
        if (world === undefined) return;
        const { cinder, db, fill } = world;
        await smallCinder(cinder);
        await fill();
        const yes = from === 'mysql' ? '1' : 'true';
        await cinder.run(`UPDATE volumes SET display_name = 'renamed' WHERE id = '${id('a', 7)}'`);
        await cinder.run(
          `UPDATE volume_metadata SET value = 'changed' WHERE volume_id = '${id('a', 8)}' AND ${from === 'mysql' ? '`key`' : 'key'} = 'stage'`,
        );
        for (const [table, row] of [
          ['volumes', id('a', 9)],
          ['snapshots', id('c', 9)],
          ['volume_attachment', id('b', 13)],
          ['transfers', id('4', 1)],
          ['messages', id('2', 1)],
          ['backups', id('3', 1)],
          ['group_snapshots', id('5', 1)],
        ] as const)
          await cinder.run(`UPDATE ${table} SET deleted = ${yes} WHERE id = '${row}'`);
        await cinder.run(
          `UPDATE volumes SET status = 'available', attach_status = 'detached' WHERE id = '${id('a', 13)}'`,
        );
        await cinder.run(`UPDATE quotas SET deleted = ${yes} WHERE resource = 'volumes'`);
        await cinder.insert('volume_types', typeRow({ id: id('d', 2), name: 'new' }));
        await cinder.insert(
          'volumes',
          volumeRow({ id: id('a', 99), volume_type_id: id('d', 2) }),
          deletedRow(volumeRow({ id: id('a', 98), volume_type_id: id('d', 2) })),
        );
        await cinder.insert(
          'snapshots',
          snapshotRow({ id: id('c', 99), volume_id: id('a', 99), volume_type_id: id('d', 2) }),
        );
        const followed = await fill();
        const rows = await allRows(db);
        const fresh = await fillWorld(context, from, into);
        if (fresh === undefined) return;
        const opened = await cinder.open();
        const map = await mapWorld(opened, { hosts: HOSTS, adoptType: null, revive: false, now: NOW });
        if ('noType' in map) return assert.fail();
        const options = {
          source: 'somewhere',
          resume: true,
          recount: { snapshotGigabytes: true },
          told: () => {},
          signal: new AbortController().signal,
        };
        await fillDatabase(opened, map, fresh.db, options);
        // But for how often a row was written.
        assert.deepEqual(withoutTimes(rows, ['revision']), withoutTimes(await allRows(fresh.db), ['revision']));
        assert.ok(followed.written >= 4 && followed.written < 12, String(followed.written));
        assert.equal(followed.removed, 9);
      });

      it('removes what has gone though nothing else there has an id that begins so', async (context) => {
        const world = await fillWorld(context, from, into);
        if (world === undefined) return;
        const { cinder, db, fill } = world;
        await smallCinder(cinder);
        const type = id('d', 1);
        const told = { created_at: null, updated_at: null, scheduled_at: null, launched_at: null };
        await cinder.insert(
          'volumes',
          volumeRow({ id: id('e', 1), volume_type_id: type }),
          volumeRow({ id: id('f', 1), volume_type_id: type, ...told }),
        );
        await cinder.insert('snapshots', snapshotRow({ id: id('e', 1), volume_id: id('a', 1), volume_type_id: type }));
        await fill();
        const yes = from === 'mysql' ? '1' : 'true';
        for (const table of ['volumes', 'snapshots'])
          await cinder.run(`UPDATE ${table} SET deleted = ${yes} WHERE id IN ('${id('e', 1)}', '${id('f', 1)}')`);
        assert.equal((await fill()).removed, 3);
        const left = await db.read.selectFrom('volume').select('id').where('id', '>', id('b', 0)).execute();
        assert.deepEqual(left, []);
        assert.equal((await fill()).removed, 0);
      });

      it('is the same when its process was killed behind any batch, or anywhere, and it went on', async (context) => {
        const world = await fillWorld(context, from, into);
        if (world === undefined) return;
        await smallCinder(world.cinder);
        const batch = into === 'sqlite' ? 5 : 12;
        let batches = 0;
        const counting = (): void => {
          batches += 1;
        };
        await world.fill({ batch, filled: counting });
        const whole = withoutTimes(await allRows(world.db));
        assert.ok(batches >= 8, String(batches));
        const places = Array.from({ length: batches }, (_, index) => index + 1).filter(
          (place) => place % 4 === batches % 4,
        );
        for (const last of [...places, 'anywhere'] as const) {
          const target = await emptyTarget(context, into);
          const fill = [world.cinder.url, target, String(batch)];
          await withProcess('../../import/programs/fill.ts', [...fill, String(last)], async (child) => {
            if (last !== 'anywhere') for (let said = ''; said !== `batch ${last}`; ) said = await child.line();
            else for (let lines = Math.trunc(Math.random() * batches); lines >= 0; lines--) await child.line();
          });
          await withProcess('../../import/programs/fill.ts', fill, async (child) => {
            for (let said = ''; said !== 'done'; ) said = await child.line();
          });
          const db = await openDatabase(target, { as: 'tool' });
          assert.deepEqual(withoutTimes(await allRows(db)), whole, `killed behind batch ${last}`);
          await db.close();
        }
      });
    });
  }
}

async function emptyTarget(context: TestContext, into: 'sqlite' | 'postgresql'): Promise<string> {
  const target = await (into === 'sqlite' ? freshSqlite() : freshPostgresql());
  if ('missing' in target) return assert.fail();
  context.after(() => target.remove());
  return target.url;
}

/** But for when the import began and ended, what only spares the next run work, and what a new database makes for itself. */
function withoutTimes(rows: Awaited<ReturnType<typeof allRows>>, also: readonly string[] = []): object {
  const left = new Set(['began_at', 'filled_at', ...also]);
  const tables = Object.entries(rows).filter(([table]) => table !== 'schema_version' && table !== 'import_span');
  const isOurs = (row: object): boolean => 'name' in row && row.name === CONSISTENCY_GROUP_TYPE;
  return Object.fromEntries(
    tables.map(([table, all]) => [
      table,
      all
        .filter((row) => !isOurs(row))
        .map((row) => Object.fromEntries(Object.entries(row).filter(([column]) => !left.has(column)))),
    ]),
  );
}
