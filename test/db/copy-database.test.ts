import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { copyDatabase } from '../../src/db/copy-database.ts';
import { type Database, openDatabase } from '../../src/db/database.ts';
import type { PostgresqlConnection, SqliteConnection } from '../../src/db/sql/connection.ts';
import { freshPostgresql, freshSqlite } from '../databases.ts';
import { makeVolume } from './rows.ts';

const { signal } = new AbortController();
const MANY = 1_203;
const TEXT = `ä "\\' 🪨 \n`;

async function pair(context: TestContext): Promise<readonly [source: Database, target: Database] | undefined> {
  const there = await freshPostgresql();
  if ('missing' in there) return context.skip(`PostgreSQL: ${there.missing}`) as undefined;
  const here = await freshSqlite();
  const source = await openDatabase(here.url, { as: 'server' });
  const target = await openDatabase(there.url, { as: 'server' });
  context.after(async () => {
    await Promise.all([source.close(), target.close()]);
    await Promise.all([here.remove(), there.remove()]);
  });
  return [source, target];
}

const copy = (source: Database, target: Database, until = signal) =>
  target.write(({ connection }) =>
    copyDatabase(source.reader as SqliteConnection, connection as PostgresqlConnection, until),
  );

async function tables({ reader }: Database): Promise<readonly string[]> {
  const rows = await reader.query<{ name: string }>(
    `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'schema_version'`,
  );
  return rows.map(({ name }) => name);
}

async function rowsOf({ reader }: Database, table: string): Promise<readonly string[]> {
  const rows = await reader.query<Record<string, unknown>>(`SELECT * FROM ${table}`);
  return rows.map(({ xid, ...row }) => JSON.stringify(Object.entries(row).sort())).sort();
}

/** A row in every table. All texts are one, so that each row points to one that is there; numbers are the largest there are. */
async function fill(source: Database): Promise<void> {
  await source.write(async ({ connection }) => {
    await connection.run('PRAGMA defer_foreign_keys = ON');
    const all = await tables(source);
    for (const table of all) await connection.run(`DELETE FROM ${table}`);
    for (const table of all) {
      const columns = await connection.query<{ name: string; type: string }>(
        `SELECT name, type FROM pragma_table_info('${table}')`,
      );
      const values = columns.map(({ type }) => (type === 'INTEGER' ? Number.MAX_SAFE_INTEGER : TEXT));
      const names = columns.map(({ name }) => name);
      await connection.execute(
        `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
        values,
      );
    }
    for (let seq = 0; seq < MANY; seq++)
      await connection.execute(
        `INSERT INTO flow_step (flow_id, seq, node, event, attempt, data, at) VALUES (?, ?, 'n', 'done', 1, NULL, 'a')`,
        [TEXT, seq],
      );
  });
}

describe('the copy of a SQLite database to PostgreSQL', () => {
  it('has every row of every table, and gives no number of an event again', async (context) => {
    const both = await pair(context);
    if (both === undefined) return;
    const [source, target] = both;
    await fill(source);
    // The newest event was forgotten, as events are that every sink has had.
    await source.write(({ connection }) =>
      connection.run(
        "DELETE FROM outbox_delivered; UPDATE outbox SET seq = 7; INSERT INTO outbox_delivered VALUES ('s', 7)",
      ),
    );
    const counts = await copy(source, target);
    const all = await tables(source);
    assert.deepEqual([...counts.keys()].sort(), [...all].sort());
    assert.equal(counts.get('flow_step'), MANY + 1);
    for (const table of all) assert.deepEqual(await rowsOf(target, table), await rowsOf(source, table), table);
    const [next] = await target.reader.query<{ last: number }>('SELECT last_value AS last FROM outbox_seq_seq');
    assert.equal(next?.last, Number.MAX_SAFE_INTEGER);
  });

  it('is whole or not there: nothing of one that was ended', async (context) => {
    const both = await pair(context);
    if (both === undefined) return;
    const [source, target] = both;
    await fill(source);
    const before = await rowsOf(target, 'volume_type');
    const stop = new AbortController();
    let asked = 0;
    const half = {
      dialect: 'sqlite',
      query: (...args: Parameters<SqliteConnection['query']>) => {
        asked += 1;
        if (asked === 20) stop.abort(new Error('It was ended.'));
        return source.reader.query(...args);
      },
    } as unknown as SqliteConnection;
    const copied = target.write(({ connection }) =>
      copyDatabase(half, connection as PostgresqlConnection, stop.signal),
    );
    await assert.rejects(copied, /It was ended/);
    assert.deepEqual(await rowsOf(target, 'volume_type'), before);
    assert.deepEqual(await rowsOf(target, 'flow_step'), []);
    await copy(source, target);
  });

  it('is refused where there is something already, which stays', async (context) => {
    const both = await pair(context);
    if (both === undefined) return;
    const [source, target] = both;
    const { id } = await makeVolume(target);
    await assert.rejects(copy(source, target), { name: 'TargetNotEmpty' });
    assert.deepEqual(
      (await target.read.selectFrom('volume').select('id').execute()).map((row) => row.id),
      [id],
    );
  });
});
