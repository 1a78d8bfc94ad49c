/** The orders of moving in and back, as an operator types them: run, rehearse, compare, turn, serve, export. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { Complaint } from '../../src/cli/exit-codes.ts';
import { exportToCinder } from '../../src/cli/import/export-cinder.ts';
import { compare } from '../../src/cli/import/import-compare.ts';
import { run } from '../../src/cli/import/import-run.ts';
import { turn } from '../../src/cli/import/import-turn.ts';
import { openDatabase } from '../../src/db/database.ts';
import { findImport } from '../../src/db/import-progress.ts';
import { updateVolume } from '../../src/db/volumes.ts';
import { parseConfig } from '../../src/lib/config/read-config.ts';
import { silentLog } from '../../src/lib/logging.ts';
import { wire } from '../../src/wiring.ts';
import { capturedCommand } from '../cli/captured.ts';
import { freshSqlite } from '../databases.ts';
import { makeVolume } from '../db/rows.ts';
import { id, PROJECT, USER } from './cinder-rows.ts';
import { type CinderWorld, cinderWorld, DIALECTS } from './cinder-world.ts';
import { smallCinder, VOLUMES } from './small-cinder.ts';

const READER = 'reader_of_cinder';

interface Moving {
  readonly cinder: CinderWorld;
  readonly database: string;
  readonly flags: {
    readonly set: readonly string[];
    readonly mapHost: readonly (readonly [from: string, to: string])[];
    readonly from: string;
  };
  /** The exit code, and what was said. */
  said(
    does: (around: ReturnType<typeof capturedCommand>['around']) => Promise<number>,
  ): Promise<readonly [number, string]>;
  /** Its user can only read from now on. */
  readOnly(): Promise<void>;
}

async function moving(context: TestContext, dialect: (typeof DIALECTS)[number]): Promise<Moving | undefined> {
  const cinder = await cinderWorld(dialect);
  if ('missing' in cinder) return void context.skip(cinder.missing);
  const target = await freshSqlite({ empty: true });
  const directory = mkdtempSync(join(tmpdir(), 'pumice-moving-'));
  await smallCinder(cinder);
  const url = new URL(cinder.url);
  url.username = READER;
  const database = url.pathname.slice(1);
  if (dialect === 'mysql') {
    await cinder.run(`DROP USER IF EXISTS ${READER}@127.0.0.1`);
    await cinder.run(`CREATE USER ${READER}@127.0.0.1`);
    await cinder.run(`GRANT ALL PRIVILEGES ON \`${database}\`.* TO ${READER}@127.0.0.1`);
  } else {
    await cinder.run(`DO $$ BEGIN CREATE ROLE ${READER} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
    await cinder.run(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${READER}`);
    await cinder.run(`GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ${READER}`);
  }
  context.after(async () => {
    if (dialect === 'mysql') await cinder.run(`DROP USER ${READER}@127.0.0.1`);
    else await cinder.run(`DROP OWNED BY ${READER}`);
    await cinder.remove();
    await target.remove();
    rmSync(directory, { recursive: true });
  });
  return {
    cinder,
    database: target.url,
    flags: {
      from: url.href,
      mapHost: [['control1@rbd1', 'node@file']],
      set: [`database.url=${target.url}`, `data_directory=${directory}`, 'node_name=node'],
    },
    async said(does) {
      const { around, out, err } = capturedCommand();
      const code = await does(around);
      return [code, out.text + err.text];
    },
    async readOnly() {
      if (dialect === 'mysql') {
        await cinder.run(`REVOKE ALL PRIVILEGES ON \`${database}\`.* FROM ${READER}@127.0.0.1`);
        await cinder.run(`GRANT SELECT ON \`${database}\`.* TO ${READER}@127.0.0.1`);
      } else await cinder.run(`REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public FROM ${READER}`);
    },
  };
}

for (const dialect of DIALECTS) {
  describe(`moving in from ${dialect}, and back`, () => {
    const scene = (body: (scene: Moving, context: TestContext) => Promise<void>) => async (context: TestContext) => {
      const found = await moving(context, dialect);
      if (found !== undefined) await body(found, context);
    };

    test(
      'is run again and again, rehearsed, turned when Cinder is at rest and shut out, served, and brought back',
      scene(async ({ cinder, database, flags, said, readOnly }) => {
        const runOptions = { ...flags, batch: 5 };
        const [code, text] = await said((around) => run(runOptions, around));
        assert.equal(code, 0, text);
        assert.match(text, new RegExp(`${VOLUMES} volume`));
        assert.match(text, /quota: volumes of project \w+ was kept as 99, and is 12 by its rows/);
        assert.ok(!text.includes('planted'));
        // What was decided need not be typed again.
        const [, again] = await said((around) => run({ ...runOptions, mapHost: [] }, around));
        assert.match(again, /^0 rows were written, 0 removed;/m);

        const turning = () => said((around) => turn({ ...flags, mapHost: [], acceptFindings: true }, around));
        await assert.rejects(turning(), /may still write into its database/);
        await readOnly();
        await assert.rejects(
          said((around) => turn({ ...flags, mapHost: [['control1@rbd1', 'other@file']], revive: true }, around)),
          /made otherwise: --map-host control1@rbd1=other@file \(it was node@file\), --revive \(it was not given\)\. /,
        );
        await cinder.run(`UPDATE volumes SET status = 'deleting' WHERE id = '${id('a', 7)}'`);
        await assert.rejects(turning(), /is not at rest \(1 found\)/);
        await cinder.run(`UPDATE volumes SET status = 'available' WHERE id = '${id('a', 7)}'`);
        await cinder.insert('workers', {
          resource_type: 'Volume',
          resource_id: id('a', 7),
          status: 'deleting',
          deleted: false,
          race_preventer: 0,
        });
        await assert.rejects(turning(), /is not at rest \(1 found\)/);
        await cinder.run(`DELETE FROM workers WHERE resource_type = 'Volume'`);
        // The backend is not there: the doctor says so, and nothing is turned without the operator's word.
        const [refused, why] = await said((around) => turn(flags, around));
        assert.equal(refused, 3);
        assert.match(why, /Not turned: the doctor found something/);
        const [turned, told] = await turning();
        assert.equal(turned, 0, told);
        await assert.rejects(
          said((around) => run(runOptions, around)),
          /has been served since/,
        );
        await assert.rejects(turning(), /has been served since/);

        const db = await openDatabase(database, { as: 'server' });
        assert.ok((await findImport(db.read))?.turnedAt);
        await db.write((tx) => updateVolume(tx, id('a', 7), { name: 'renamed here' }));
        await db.close();
        const back = (more: object = {}) =>
          said((around) => exportToCinder(cinder.url, { ...flags, mapHost: [], to: 'cinder', ...more }, around));
        assert.match((await back({ dryRun: true }))[1], /^It would write 1 volumes, \d+ quota_usages\.$/m);
        assert.match((await back())[1], /^Written: 1 volumes, \d+ quota_usages\.$/m);
        assert.match((await back())[1], /^Written: nothing\.$/m);
        const [row] = await cinder.run(`SELECT display_name FROM volumes WHERE id = '${id('a', 7)}'`);
        assert.equal(row?.display_name, 'renamed here');
      }),
    );

    test(
      'is refused where it would lose something',
      scene(async ({ cinder, database, flags, said }) => {
        const db = await openDatabase(database, { as: 'server' });
        await makeVolume(db);
        const running = () => said((around) => run({ ...flags, batch: 5 }, around));
        await assert.rejects(running(), { name: 'DatabaseInUse' });
        const back = () => said((around) => exportToCinder(cinder.url, { ...flags, to: 'cinder' }, around));
        await db.close();
        await assert.rejects(running(), /has rows of its own \(volume\)/);
        await assert.rejects(back(), /was imported from no Cinder/);
        const other = await openDatabase(database, { as: 'server' });
        await other.write(({ db }) => db.deleteFrom('volume').execute());
        await other.close();
        assert.equal((await running())[0], 0);
        await assert.rejects(back(), /is still the one that is served/);
        const third = await openDatabase(database, { as: 'server' });
        await third.write(({ db }) =>
          db.updateTable('imported_from').set({ source: 'mysql://elsewhere:1/c' }).execute(),
        );
        await third.close();
        await assert.rejects(running(), /is filled from mysql:\/\/elsewhere:1\/c, not from/);
        await assert.rejects(back(), Complaint);
      }),
    );
  });
}

describe('compare', () => {
  async function served(context: TestContext, set: readonly string[], name: string | null) {
    const database = await freshSqlite();
    const directory = mkdtempSync(join(tmpdir(), 'pumice-compared-'));
    const all = [`database.url=${database.url}`, `data_directory=${directory}`, 'node_name=node', 'api.port=0', ...set];
    const service = await wire(parseConfig({ directory, set: all }), silentLog);
    context.after(async () => {
      await service.stop();
      await database.remove();
      rmSync(directory, { recursive: true });
    });
    await service.start();
    for (let n = 1; n <= 3; n++)
      await makeVolume(service.db, {
        id: id('a', n),
        projectId: PROJECT,
        userId: USER,
        name: n === 2 ? name : `v${n}`,
        createdAt: `2026-01-01T00:00:0${n}.000000`,
      });
    return { service, url: `${await service.listen()}/v3/${PROJECT}` };
  }

  test('tells fields, rows and orders that differ, and what is known to apart', async (context) => {
    const [cinder, pumice] = [await served(context, [], 'there'), await served(context, [], null)];
    const directory = mkdtempSync(join(tmpdir(), 'pumice-token-'));
    context.after(() => rmSync(directory, { recursive: true }));
    const tokenFile = join(directory, 'token');
    writeFileSync(tokenFile, `${USER}:${PROJECT}\n`);
    const compared = async (a: string, b: string) => {
      const { around, out } = capturedCommand();
      const code = await compare({ cinder: a, pumice: b, tokenFile, allProjects: true, json: true }, around);
      return [code, JSON.parse(out.text)] as const;
    };
    const [same, none] = await compared(cinder.url, cinder.url);
    assert.deepEqual([same, none.differences], [0, []]);
    assert.ok(none.lists.length > 20 && none.version === '3.71');
    await makeVolume(pumice.service.db, { id: id('b', 1), projectId: PROJECT, userId: USER });
    const [code, { differences }] = await compared(cinder.url, pumice.url);
    assert.equal(code, 3);
    // Each service has types of its own ids.
    const ofVolumes = differences.filter(
      ({ list, field }: { list: string; field: string }) => list === '/volumes/detail' && field !== 'volume_type_id',
    );
    assert.deepEqual(ofVolumes, [
      { list: '/volumes/detail', id: id('a', 2), field: 'name', cinder: 'there', pumice: null },
      { list: '/volumes/detail', id: id('b', 1), field: '(row)', pumice: 'there' },
    ]);
    await assert.rejects(compared('http://127.0.0.1:1', pumice.url), /ends with \/v3\/PROJECT/);
    assert.equal(
      await (async () => {
        const { around } = capturedCommand();
        return compare({ cinder: `http://127.0.0.1:1/v3/${PROJECT}`, pumice: pumice.url, tokenFile }, around);
      })(),
      1,
    );
  });
});
