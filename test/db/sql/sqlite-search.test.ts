/** Searches on SQLite: in a thread, with the answers of the reader on the main thread. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import { sql } from 'kysely';
import { type Database, openDatabase } from '../../../src/db/database.ts';
import { ConnectionLost } from '../../../src/db/sql/connection.ts';
import { SqliteSearch } from '../../../src/db/sql/sqlite-search.ts';
import { freshSqlite } from '../../databases.ts';

describe('a search on SQLite', () => {
  it('is answered as a read is, with whatever was committed before it', async (context) => {
    const { database } = await opened(context);
    for (let number = 1; number <= 20; number += 1) {
      await database.write(({ db }) =>
        db
          .insertInto('trouble')
          .values({ process: 'p', upkeep: 'u', about: `${number} ☃`, node: 'n', reason: '', since: '2026' })
          .execute(),
      );
      const found = await database.search.selectFrom('trouble').selectAll().orderBy('about').execute();
      assert.equal(found.length, number);
      const read = await database.read.selectFrom('trouble').selectAll().orderBy('about').execute();
      assert.deepEqual(found, plain(read));
    }
    const values = sql<object>`SELECT NULL AS absent, 1.5 AS real, ${2 ** 40} AS whole, ${"it's"} AS text`;
    assert.deepEqual((await values.execute(database.search)).rows, plain((await values.execute(database.read)).rows));
  });

  it('does not hold the event loop', async (context) => {
    const { database } = await opened(context);
    const order: string[] = [];
    const long = counting(500_000).execute(database.search);
    const searched = long.then(() => order.push('search'));
    await database.read.selectFrom('volume').selectAll().execute();
    order.push('read');
    await searched;
    assert.deepEqual(order, ['read', 'search']);
    assert.deepEqual((await long).rows, [{ count: 500_000 }]);
  });

  it('fails as a read does', async (context) => {
    const { database } = await opened(context);
    const wrong = sql`SELECT * FROM nowhere`;
    const read = await wrong.execute(database.read).catch((error: Error) => error);
    const searched = await wrong.execute(database.search).catch((error: Error) => error);
    assert.ok(read instanceof Error && searched instanceof Error);
    assert.deepEqual(
      [searched.message, (searched as { errcode?: unknown }).errcode],
      [read.message, (read as { errcode?: unknown }).errcode],
    );
  });

  it('that cannot begin fails whoever asks, and the next one begins again', async (context) => {
    const { path } = await opened(context);
    const later = `${path}-later`;
    const search = new SqliteSearch(later);
    const ask = () => search.execute('SELECT count(*) AS count FROM volume');
    await assert.rejects(ask(), ConnectionLost);
    await copyFile(path, later);
    assert.deepEqual((await ask()).rows, [{ count: 0 }]);
    await search.close();
  });

  it('ends with its database, whose log is then in the file', async (context) => {
    const { database, path } = await opened(context);
    await counting(10).execute(database.search);
    const long = assert.rejects(counting(1_000_000).execute(database.search), ConnectionLost);
    await database.close();
    await long;
    await assert.rejects(counting(1).execute(database.search), ConnectionLost);
    assert.equal(existsSync(`${path}-wal`), false);
  });
});

/** Rows of the reader have no prototype. */
const plain = (rows: readonly object[]) => rows.map((row) => ({ ...row }));

const counting = (to: number) =>
  sql`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${to}) SELECT count(*) AS count FROM n`;

async function opened(context: TestContext): Promise<{ readonly database: Database; readonly path: string }> {
  const { url, remove } = await freshSqlite();
  const database = await openDatabase(url, { as: 'server' });
  context.after(async () => {
    await database.close();
    await remove();
  });
  return { database, path: url.slice('sqlite:'.length) };
}
