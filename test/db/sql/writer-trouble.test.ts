/** What the writer does when transactions meet and connections break. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { describe, it, type TestContext } from 'node:test';
import pg from 'pg';
import { type Database, type DatabaseOptions, openDatabase, sqlitePath } from '../../../src/db/database.ts';
import { CommitInDoubt } from '../../../src/db/sql/transactor.ts';
import type { Tx } from '../../../src/db/sql/tx.ts';
import { freshPostgresql, freshSqlite } from '../../databases.ts';
import { type CuttingProxy, cuttingProxy } from './cutting-proxy.ts';

const put = ({ db }: Tx, id: string) =>
  db.insertInto('pool_usage').values({ pool: id, allocated_gib: 0, provisioned_gib: 0, volumes: 0 }).execute();

const ids = async (database: Database): Promise<string[]> =>
  (await database.read.selectFrom('pool_usage').select('pool').orderBy('pool').execute()).map((row) => row.pool);

describe('the writer on SQLite', () => {
  it('waits for another process and lets its own go on meanwhile', async () => {
    const fresh = await freshSqlite();
    const database = await openDatabase(fresh.url, { as: 'server' });
    const other = new DatabaseSync(sqlitePath(fresh.url));
    other.exec('BEGIN IMMEDIATE');
    const written = database.write((tx) => put(tx, 'a'));
    while (database.stats.reruns === 0) await new Promise((resolve) => setImmediate(resolve));
    other.exec('ROLLBACK');
    await written;
    assert.deepEqual(await ids(database), ['a']);
    other.close();
    await database.close();
    await fresh.remove();
  });

  it('gives up in the end, and can be used again', async () => {
    const fresh = await freshSqlite();
    const database = await openDatabase(fresh.url, { as: 'server', patienceMs: 1 });
    const other = new DatabaseSync(sqlitePath(fresh.url));
    other.exec('BEGIN IMMEDIATE');
    await assert.rejects(
      database.write((tx) => put(tx, 'a')),
      /locked/,
    );
    other.exec('ROLLBACK');
    other.close();
    await database.write((tx) => put(tx, 'b'));
    assert.deepEqual(await ids(database), ['b']);
    await database.close();
    await fresh.remove();
  });
});

describe('the writer on a full disk', () => {
  it('refuses what does not fit and keeps what does', async () => {
    const fresh = await freshSqlite();
    const database = await openDatabase(fresh.url, { as: 'server' });
    await database.write(async ({ connection }) => {
      const [pages] = await connection.query<{ page_count: number }>('PRAGMA page_count');
      await connection.query(`PRAGMA max_page_count = ${(pages?.page_count ?? 0) + 2}`);
    });
    const huge = 'x'.repeat(1_000_000);
    const results = await Promise.allSettled(['a', huge, 'c'].map((id) => database.write((tx) => put(tx, id))));
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    await assert.rejects(
      database.write((tx) => put(tx, huge)),
      /full/,
    );
    assert.deepEqual(await ids(database), ['a', 'c']);
    await database.close();
    await fresh.remove();
  });
});

interface World {
  readonly database: Database;
  readonly proxy: CuttingProxy;
  /** The database without the proxy. */
  readonly direct: pg.Client;
}

describe('the writer on PostgreSQL', () => {
  const world =
    (options: Partial<DatabaseOptions>, body: (world: World) => Promise<void>) => async (context: TestContext) => {
      const fresh = await freshPostgresql();
      if ('missing' in fresh) return context.skip(`PostgreSQL: ${fresh.missing}`);
      const proxy = await cuttingProxy(fresh.url);
      const direct = new pg.Client({ connectionString: fresh.url });
      await direct.connect();
      const database = await openDatabase(proxy.url, { as: 'server', ...options });
      try {
        await body({ database, proxy, direct });
      } finally {
        proxy.refuse(false);
        await database.close();
        await direct.end();
        await proxy.close();
        await fresh.remove();
      }
    };

  it(
    'goes on with a new session when its statements no longer fit the schema',
    world({}, async ({ database, direct }) => {
      const services = () => database.write(({ db }) => db.selectFrom('service').selectAll().execute());
      await services();
      await direct.query('ALTER TABLE service ADD COLUMN later text');
      await services();
      assert.equal(database.stats.reruns, 1);
      await services();
      assert.equal(database.stats.reruns, 1);
    }),
  );

  it(
    'runs the whole batch again when it lost a deadlock',
    world({}, async ({ database, direct }) => {
      await database.write(async (tx) => {
        await put(tx, 'x');
        await put(tx, 'y');
      });
      // The other side is the older and waits longer before it looks for a deadlock: the writer is the one to lose.
      await direct.query(`SET deadlock_timeout = '60s'`);
      await direct.query('BEGIN');
      await direct.query(`UPDATE pool_usage SET volumes = 2 WHERE pool = 'x'`);
      let otherDone: Promise<unknown> = Promise.resolve();
      let runs = 0;
      const told: string[] = [];
      await Promise.all([
        database.write(async (tx) => {
          runs += 1;
          await put(tx, 'first');
          tx.onCommit(() => told.push('first'));
        }),
        database.write(async (tx) => {
          await tx.db.updateTable('pool_usage').set({ volumes: 1 }).where('pool', '=', 'y').execute();
          if (runs === 1) {
            otherDone = direct
              .query(`UPDATE pool_usage SET volumes = 2 WHERE pool = 'y'`)
              .then(() => direct.query('COMMIT'));
          }
          await tx.db.updateTable('pool_usage').set({ volumes: 1 }).where('pool', '=', 'x').execute();
        }),
      ]);
      await otherDone;
      assert.equal(runs, 2);
      assert.deepEqual(told, ['first']);
      assert.deepEqual(await ids(database), ['first', 'x', 'y']);
      assert.equal(database.stats.reruns, 1);
    }),
  );

  it(
    'finds out that a commit whose answer was lost stands',
    world({}, async ({ database, proxy }) => {
      proxy.cut('after', 'COMMIT');
      let runs = 0;
      const told: string[] = [];
      await database.write(async (tx) => {
        runs += 1;
        await put(tx, 'a');
        tx.onCommit(() => told.push('a'));
      });
      assert.equal(proxy.cuts, 1);
      assert.equal(runs, 1);
      assert.deepEqual(told, ['a']);
      assert.deepEqual(await ids(database), ['a']);
    }),
  );

  it(
    'finds out that a commit never arrived, and runs the batch again',
    world({}, async ({ database, proxy }) => {
      proxy.cut('before', 'COMMIT');
      let runs = 0;
      await database.write(async (tx) => {
        runs += 1;
        await put(tx, 'a');
      });
      assert.equal(proxy.cuts, 1);
      assert.equal(runs, 2);
      assert.deepEqual(await ids(database), ['a']);
    }),
  );

  it(
    'runs the batch again when the connection breaks before the commit',
    world({}, async ({ database, proxy }) => {
      proxy.cut('before', 'SAVEPOINT');
      await Promise.all([database.write((tx) => put(tx, 'a')), database.write((tx) => put(tx, 'b'))]);
      assert.equal(proxy.cuts, 1);
      assert.deepEqual(await ids(database), ['a', 'b']);
    }),
  );

  it(
    'survives that the server ends its session',
    world({}, async ({ database, direct }) => {
      await database.write((tx) => put(tx, 'a'));
      await direct.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      await database.write((tx) => put(tx, 'b'));
      assert.deepEqual(await ids(database), ['a', 'b']);
    }),
  );

  it(
    'says so when it cannot find out',
    world({ doubtMs: 50 }, async ({ database, proxy }) => {
      await database.write((tx) => put(tx, 'a'));
      proxy.cut('after', 'COMMIT');
      const doubtful = database.write(async (tx) => {
        await put(tx, 'b');
        proxy.refuse(true);
      });
      await assert.rejects(doubtful, CommitInDoubt);
      proxy.refuse(false);
      await database.write((tx) => put(tx, 'c'));
      assert.deepEqual(await ids(database), ['a', 'b', 'c']);
    }),
  );
});
