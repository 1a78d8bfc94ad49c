/** `rehearsal`: what was imported is shown, and nothing is changed, in the database or on a backend. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { insertAttachment } from '../../src/db/attachments.ts';
import { openDatabase } from '../../src/db/database.ts';
import { beginFill, ImportUnfinished, markTurned } from '../../src/db/import-progress.ts';
import { now, uuid } from '../../src/lib/clock.ts';
import { parseConfig } from '../../src/lib/config/read-config.ts';
import { silentLog } from '../../src/lib/logging.ts';
import { wire } from '../../src/wiring.ts';
import { baseFor, everyRoute } from '../api/every-route.ts';
import { dump, freshWorld, PROJECT, type World, type WorldOptions } from '../api/world.ts';
import { type FreshDatabase, freshPostgresql, freshSqlite } from '../databases.ts';
import { makeVolume } from '../db/rows.ts';

const HOST = 'node@file';
const CONNECTED = {
  connector: { host: 'compute1' },
  connectionInfo: { driver_volume_type: 'local', data: { device_path: '/nowhere' } },
} as const;

async function imported(database: FreshDatabase): Promise<string> {
  const db = await openDatabase(database.url, { as: 'server' });
  const volume = await makeVolume(db, {
    projectId: PROJECT,
    host: `${HOST}#file`,
    status: 'in-use',
    attachStatus: 'attached',
  });
  await db.write(async (tx) => {
    await insertAttachment(tx, {
      id: uuid(),
      projectId: PROJECT,
      volumeId: volume.id,
      attachMode: 'rw',
      attachStatus: 'attached',
      ...CONNECTED,
    });
    const began = { beganAt: now(), decisions: null };
    await beginFill(tx, { source: 'mysql://h:3306/cinder', revision: 'r', ...began }, 'volume');
  });
  await db.close();
  return volume.id;
}

const rehearsing = (context: TestContext, options: WorldOptions): Promise<World> =>
  freshWorld(context, { running: true, ...options, set: ['rehearsal=true', ...(options.set ?? [])] });

/** Path, size and time of whatever is there. */
const filesOf = (directory: string): readonly string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const { size, mtimeMs } = statSync(join(directory, name));
      return `${name} ${size} ${mtimeMs}`;
    });

for (const [dialect, fresh] of [
  ['SQLite', freshSqlite],
  ['PostgreSQL', freshPostgresql],
] as const) {
  describe(`a rehearsal on ${dialect}`, () => {
    const world =
      (body: (context: TestContext, database: FreshDatabase) => Promise<void>) => async (context: TestContext) => {
        const made = await fresh();
        if ('missing' in made) return context.skip(`PostgreSQL: ${made.missing}`);
        await body(context, made);
      };

    it(
      'shows what is there, refuses every change, and begins no flow',
      world(async (context, database) => {
        const id = await imported(database);
        const backend = mkdtempSync(join(tmpdir(), 'pumice-rehearsal-'));
        context.after(() => rmSync(backend, { recursive: true }));
        // What a sweep would remove, and an export that no row knows.
        mkdirSync(join(backend, 'deep'));
        writeFileSync(join(backend, `.export-${uuid()}`), '');
        writeFileSync(join(backend, `.new-volume-${uuid()}`), 'half a copy');
        const before = filesOf(backend);
        const { service, ask, get } = await rehearsing(context, {
          database,
          set: ['backends.file.driver=file', `backends.file.path=${backend}`],
        });
        assert.equal((await get(`/volumes/${id}`)).body.volume.status, 'in-use');
        const rows = await dump({ service } as World);
        const changing = everyRoute.filter(({ method, open }) => method !== 'GET' && !open);
        assert.ok(changing.length > 100);
        for (const route of changing) {
          const path = `/${baseFor(route, PROJECT)}${route.path.replaceAll(/:\w+/g, id)}`;
          const body = route.action === undefined ? {} : { [route.action]: {} };
          const answer = await ask(route.method, path, { version: 'latest', body });
          assert.equal(answer.status, 503, `${route.method} ${path} ${route.action}: ${answer.text}`);
          assert.match(answer.body.serviceUnavailable.message, /is a rehearsal/);
        }
        for (const loop of service.upkeep) await loop.work(new AbortController().signal);
        assert.deepEqual([...new Set(service.upkeep.map(({ upkeep }) => upkeep))], ['heartbeat']);
        const after = await dump({ service } as World);
        // The heartbeat is what says that backends are up.
        const [{ service: _before, ...was }, { service: _after, ...is }] = [rows, after];
        assert.deepEqual(is, was);
        assert.deepEqual(await service.db.read.selectFrom('flow').selectAll().execute(), []);
        assert.deepEqual(filesOf(backend), before);
      }),
    );

    it(
      'makes no directory that is missing',
      world(async (context, database) => {
        await imported(database);
        const { service, config } = await rehearsing(context, { database });
        assert.match(service.backends[0]?.failure ?? '', /volumes/);
        assert.ok(!readdirSync(config.data_directory).includes('volumes'));
      }),
    );

    it(
      'is what a database that is being filled is served as, and no other',
      world(async (context, database) => {
        context.after(() => database.remove());
        const starts = async (rehearsal: boolean): Promise<void> => {
          const directory = mkdtempSync(join(tmpdir(), 'pumice-rehearsal-'));
          context.after(() => rmSync(directory, { recursive: true }));
          const set = [`database.url=${database.url}`, `data_directory=${directory}`, `rehearsal=${rehearsal}`];
          const service = await wire(parseConfig({ directory, set }), silentLog);
          await service.start().finally(() => service.stop());
        };
        await assert.rejects(starts(true), ImportUnfinished);
        await imported(database);
        await assert.rejects(starts(false), /is being filled from mysql:\/\/h:3306\/cinder/);
        await starts(true);
        const db = await openDatabase(database.url, { as: 'tool' });
        await db.write(markTurned);
        await db.close();
        await assert.rejects(starts(true), ImportUnfinished);
        await starts(false);
      }),
    );
  });
}
