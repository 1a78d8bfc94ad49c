/**
 * Copies all rows of a SQLite database into one of PostgreSQL, for a service that has outgrown its machine.
 *
 * The target has the latest schema and no rows but those that every new database has, which are replaced. Everything is one transaction
 * there: whatever ends it, the target is as it was. Rows are read in the order of their keys, a batch at a time, so that a
 * journal of millions needs no memory. Flows that have not ended go on from the target, as after a crash.
 *
 * Left behind is what only the server itself can say: the transaction in which an event was written (`outbox.xid`).
 */
import type { Connection, PostgresqlConnection, SqliteConnection } from './sql/connection.ts';

/** Rows at once. */
const BATCH = 500;
const SCHEMA_VERSION = 'schema_version';
/** What a service that has served has rows in; a new database has none. */
const SERVED = ['volume', 'snapshot', 'backup', 'flow', 'outbox', 'service'] as const;

/** The target has rows of its own. */
export class TargetNotEmpty extends Error {
  override readonly name = 'TargetNotEmpty';
}

interface Table {
  readonly name: string;
  readonly columns: readonly string[];
  /** Of its primary key, in order. */
  readonly key: readonly string[];
}

/** Resolves with the number of rows of each table. Rejects with `TargetNotEmpty`. `source` must not be written to meanwhile. */
export async function copyDatabase(
  source: SqliteConnection,
  target: PostgresqlConnection,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  for (const table of SERVED) {
    if ((await target.query(`SELECT 1 FROM ${table} LIMIT 1`)).length > 0)
      throw new TargetNotEmpty(`The target has rows in ${table}: a database that nobody has served from is wanted.`);
  }
  const tables = inOrder(await tablesOf(source), await referencesOf(target));
  await target.run(`TRUNCATE ${tables.map(({ name }) => name).join(', ')}`);
  const counts = new Map<string, number>();
  for (const table of tables) counts.set(table.name, await copyTable(source, target, table, signal));
  const [last] = await source.query<{ seq: number }>(`SELECT seq FROM sqlite_sequence WHERE name = 'outbox'`);
  // A number that was given once is not given again, though its event may be forgotten.
  if (last !== undefined) await target.query(`SELECT setval(pg_get_serial_sequence('outbox', 'seq'), $1)`, [last.seq]);
  return counts;
}

async function tablesOf(source: SqliteConnection): Promise<readonly Table[]> {
  const rows = await source.query<{ table: string; column: string; pk: number }>(
    `SELECT t.name AS "table", c.name AS "column", c.pk FROM sqlite_schema t JOIN pragma_table_info(t.name) c
     WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name <> '${SCHEMA_VERSION}' ORDER BY t.name, c.cid`,
  );
  return [...Map.groupBy(rows, ({ table }) => table)].map(([name, columns]) => ({
    name,
    columns: columns.map(({ column }) => column).filter((column) => name !== 'outbox' || column !== 'xid'),
    key: columns
      .filter(({ pk }) => pk > 0)
      .sort((a, b) => a.pk - b.pk)
      .map(({ column }) => column),
  }));
}

async function referencesOf(target: PostgresqlConnection): Promise<readonly { from: string; to: string }[]> {
  return target.query(
    `SELECT conrelid::regclass::text AS "from", confrelid::regclass::text AS "to" FROM pg_constraint
     WHERE contype = 'f' AND conrelid <> confrelid AND connamespace = current_schema()::regnamespace`,
  );
}

/** Those that others point to come first. */
function inOrder(tables: readonly Table[], references: readonly { from: string; to: string }[]): readonly Table[] {
  const ordered: Table[] = [];
  for (let left = tables; left.length > 0; ) {
    const waits = new Set(references.filter(({ to }) => left.some(({ name }) => name === to)).map(({ from }) => from));
    const next = left.filter(({ name }) => !waits.has(name));
    if (next.length === 0) throw new TypeError('Tables point to each other in a circle.');
    ordered.push(...next);
    left = left.filter((table) => !next.includes(table));
  }
  return ordered;
}

async function copyTable(
  source: Connection,
  target: Connection,
  { name, columns, key }: Table,
  signal: AbortSignal,
): Promise<number> {
  const [list, order] = [columns.map(quoted).join(', '), key.map(quoted).join(', ')];
  let count = 0;
  let after: readonly unknown[] | undefined;
  for (;;) {
    signal.throwIfAborted();
    const from = after === undefined ? '' : `WHERE (${order}) > (${key.map(() => '?').join(', ')})`;
    const rows: Readonly<Record<string, unknown>>[] = await source.query(
      `SELECT ${list} FROM ${name} ${from} ORDER BY ${order} LIMIT ${BATCH}`,
      after,
    );
    if (rows.length === 0) return count;
    await target.execute(
      `INSERT INTO ${name} (${list}) OVERRIDING SYSTEM VALUE SELECT ${list} FROM json_populate_recordset(NULL::${name}, $1)`,
      [JSON.stringify(rows)],
    );
    count += rows.length;
    after = key.map((column) => rows.at(-1)?.[column]);
  }
}

const quoted = (name: string): string => `"${name}"`;
