import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import pg from 'pg';
import { openDatabase } from '../../../src/db/database.ts';
import { DatabaseInUse } from '../../../src/db/sql/sqlite-lock.ts';
import { parseConfig } from '../../../src/lib/config/read-config.ts';
import { freshPostgresql, freshSqlite } from '../../databases.ts';
import { proveStore } from '../../prove-store.ts';
import { withProcess } from '../processes.ts';
import { cuttingProxy } from './cutting-proxy.ts';

proveStore('ownership', (test) => {
  test('a name is taken, held and given back', async ({ database: { ownership } }) => {
    assert.equal(await ownership.take('host:n@b'), true);
    assert.equal(await ownership.take('host:n@b'), true);
    assert.deepEqual(await ownership.held(['host:n@b', 'host:n@c']), new Set(['host:n@b']));
    await ownership.release('host:n@b');
    assert.deepEqual(await ownership.held(['host:n@b']), new Set());
  });

  test('listeners of a channel are woken until they stop', async ({ database: { ownership } }) => {
    const woken: string[] = [];
    const heard = (channel: string): Promise<void> =>
      new Promise((resolve) => {
        void ownership.listen(channel, () => {
          woken.push(channel);
          resolve();
        });
      });
    const a = heard('a "quoted" lane');
    const stop = await ownership.listen('b', () => woken.push('b'));
    stop();
    const last = heard('last');
    // Notifications arrive in the order they were sent, so the last tells that the others have been.
    await ownership.listen('z', () => {});
    ownership.notify('b');
    ownership.notify('a "quoted" lane');
    ownership.notify('last');
    await Promise.all([a, last]);
    assert.deepEqual(woken, ['a "quoted" lane', 'last']);
  });
});

describe('the lock of a SQLite database', () => {
  it('refuses a second server, names the file, and lets tools in', async () => {
    const fresh = await freshSqlite();
    const first = await openDatabase(fresh.url, { as: 'server' });
    await assert.rejects(openDatabase(fresh.url, { as: 'server' }), (error: unknown) => {
      assert.ok(error instanceof DatabaseInUse);
      assert.match(error.message, /Another Pumice server uses the database .*\.db/);
      return true;
    });
    const tool = await openDatabase(fresh.url, { as: 'tool' });
    await tool.write(({ db }) =>
      db.insertInto('pool_usage').values({ pool: 'a', allocated_gib: 0, provisioned_gib: 0, volumes: 0 }).execute(),
    );
    assert.equal((await first.read.selectFrom('pool_usage').selectAll().execute()).length, 1);
    await tool.close();
    await first.close();
    await (await openDatabase(fresh.url, { as: 'server' })).close();
    await fresh.remove();
  });

  it('is gone with a process that was killed', async () => {
    const fresh = await freshSqlite();
    await withProcess('own.ts', [fresh.url, 'host:n@b'], async (child) => {
      assert.equal(await child.line(), 'taken');
      await assert.rejects(openDatabase(fresh.url, { as: 'server' }), DatabaseInUse);
      await child.kill();
      await (await openDatabase(fresh.url, { as: 'server' })).close();
    });
    await fresh.remove();
  });
});

describe('ownership between processes on PostgreSQL', () => {
  const world = (body: (url: string) => Promise<void>) => async (context: TestContext) => {
    const fresh = await freshPostgresql();
    if ('missing' in fresh) return context.skip(`PostgreSQL: ${fresh.missing}`);
    await body(fresh.url).finally(() => fresh.remove());
  };

  it(
    'a name has one owner, and is free when its process was killed',
    world(async (url) => {
      const database = await openDatabase(url, { as: 'server' });
      await withProcess('own.ts', [url, 'host:n@b'], async (child) => {
        assert.equal(await child.line(), 'taken');
        assert.equal(await database.ownership.take('host:n@b'), false);
        assert.deepEqual(await database.ownership.held(['host:n@b']), new Set(['host:n@b']));
        await child.kill();
        while (!(await database.ownership.take('host:n@b')));
      });
      await database.close();
    }),
  );

  it(
    'what a frozen process owned is free when it has said nothing for long, and it knows when it is thawed',
    world(async (url) => {
      const database = await openDatabase(url, { as: 'server' });
      const { ownership } = database;
      // An operator may have given its sessions a name of his own.
      const named = new URL(url);
      named.searchParams.set('application_name', 'mine');
      await withProcess('own.ts', [named.href, 'host:n@b', 'says'], async (child) => {
        assert.equal(await child.line(), 'taken');
        // One that says that it lives is left alone, however often it is looked at.
        for (let times = 0; times < 5; times++) {
          assert.equal(await child.line(), 'lives');
          assert.equal(await ownership.endSilent(2_000), 0);
        }
        child.freeze();
        while ((await ownership.endSilent(500)) === 0);
        while (!(await ownership.take('host:n@b')));
        child.thaw();
        while ((await child.line()) !== 'lost');
      });
      await database.close();
    }),
  );

  it(
    'a process that is frozen in mid-transaction holds its rows no longer than its names',
    world(async (url) => {
      const database = await openDatabase(url, { as: 'server' });
      const setting = `SELECT setting::int AS ms FROM pg_settings WHERE name = 'idle_in_transaction_session_timeout'`;
      const [row] = await database.write(({ connection }) => connection.query<{ ms: number }>(setting));
      const { process_down_time: seconds } = parseConfig({}).services;
      assert.ok(row !== undefined && row.ms > 0 && row.ms <= seconds * 1000, JSON.stringify(row));
      await database.close();
    }),
  );

  it(
    'a process whose database does not answer gives its session up',
    world(async (url) => {
      const proxy = await cuttingProxy(url);
      const database = await openDatabase(proxy.url, { as: 'server' });
      const lost = new Promise<void>((resolve) => database.ownership.onLost(resolve));
      assert.equal(await database.ownership.endSilent(60_000), 0);
      proxy.silence();
      await assert.rejects(database.ownership.endSilent(50), { name: 'ConnectionLost' });
      await lost;
      assert.ok(database.ownership.lost);
      await proxy.close();
      await database.close();
    }),
  );

  it(
    'a listener in another process is woken',
    world(async (url) => {
      const [here, there] = await Promise.all([openDatabase(url, { as: 'server' }), openDatabase(url, { as: 'tool' })]);
      const woken = new Promise<void>(
        (resolve) => void here.ownership.listen('lane', resolve).then(() => there.ownership.notify('lane')),
      );
      await woken;
      await Promise.all([here.close(), there.close()]);
    }),
  );

  it(
    'the loss of the session is told, once',
    world(async (url) => {
      const database = await openDatabase(url, { as: 'server' });
      let told = 0;
      const lost = new Promise<void>((resolve) =>
        database.ownership.onLost(() => {
          told += 1;
          resolve();
        }),
      );
      await database.ownership.take('host:n@b');
      const admin = new pg.Client({ connectionString: url });
      await admin.connect();
      await admin.query(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`);
      await lost;
      await admin.end();
      await database.close();
      assert.equal(told, 1);
    }),
  );
});
