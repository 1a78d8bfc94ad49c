/**
 * Rows that are brought over from another database, and brought over again: what differs is written, what is equal is not, whatever has
 * gone there goes here. Only for a database that nobody serves: it goes past the caches of rows.
 *
 * A table is filled in batches by rising ids. What a batch ought to hold and does not is noted (`import_gone`) and removed at the end, children
 * before what they hang on.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Connection } from './sql/connection.ts';
import type { Tables } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

export type FilledTable = keyof Tables & string;
export type FilledRow = Readonly<Record<string, string | number | null>>;

/** What tells a row of a table from others; of all other tables it is the id. */
const KEYS: { readonly [T in FilledTable]?: readonly (keyof Tables[T] & string)[] } = {
  volume_type_encryption: ['encryption_id'],
  volume_type_access: ['volume_type_id', 'project_id'],
  group_type_access: ['group_type_id', 'project_id'],
  default_volume_type: ['project_id'],
  quota_limit: ['project_id', 'resource'],
  quota_class_limit: ['class_name', 'resource'],
  service: ['host', 'binary'],
  image_cache: ['pool', 'id'],
};

const keysOf = (table: FilledTable): readonly string[] => KEYS[table] ?? ['id'];

/** Each change of a row raises its revision. */
const REVISED: ReadonlySet<string> = new Set([
  'volume',
  'snapshot',
  'volume_attachment',
  'volume_group',
  'group_snapshot',
  'backup',
] satisfies FilledTable[]);

/** Numbers; all other columns are text. */
const WHOLE: ReadonlySet<string> = new Set([
  'size_gib',
  'volume_size_gib',
  'bootable',
  'multiattach',
  'use_quota',
  'is_public',
  'taken_over',
  'no_snapshots',
  'key_size',
  'hard_limit',
  'object_count',
  'epoch',
  'disabled',
  'frozen',
]);

const ROWS_A_TURN = 100;

/** Rows of one table, all with the same columns. Resolves with how many were new, or other than before. */
export async function fillRows({ connection }: Tx, table: FilledTable, rows: readonly FilledRow[]): Promise<number> {
  const [first] = rows;
  if (first === undefined) return 0;
  const columns = Object.keys(first);
  const values = rows.map((row) => columns.map((column) => row[column] ?? null));
  const write = upsert(table, columns);
  if (connection.dialect === 'sqlite') {
    const places = columns.map(() => '?').join(', ');
    const statement = connection.statement(write(`VALUES (${places}${REVISED.has(table) ? ', 1' : ''})`));
    let changes = 0;
    for (const [index, each] of values.entries()) {
      changes += Number(statement.run(...each).changes);
      // Whoever reads what comes next gets on meanwhile: its server works beside this process.
      if (index % ROWS_A_TURN === ROWS_A_TURN - 1) await nextTurn();
    }
    return changes;
  }
  const arrays = columns.map((column, place) => `$${place + 1}::${WHOLE.has(column) ? 'bigint[]' : 'text[]'}`);
  const text = write(`SELECT *${REVISED.has(table) ? ', 1' : ''} FROM unnest(${arrays.join(', ')})`);
  const { changes } = await connection.execute(
    text,
    columns.map((_, place) => values.map((each) => each[place])),
  );
  return changes;
}

function upsert(table: FilledTable, columns: readonly string[]): (values: string) => string {
  const keys = keysOf(table);
  const others = columns.filter((column) => !keys.includes(column)).map(quoted);
  const set = others.map((column) => `${column} = excluded.${column}`);
  if (REVISED.has(table)) set.push(`revision = ${quoted(table)}.revision + 1`);
  const ours = others.map((column) => `${quoted(table)}.${column}`);
  const theirs = others.map((column) => `excluded.${column}`);
  const change =
    others.length === 0
      ? 'DO NOTHING'
      : `DO UPDATE SET ${set.join(', ')} WHERE (${ours.join(', ')}) IS DISTINCT FROM (${theirs.join(', ')})`;
  const all = [...columns, ...(REVISED.has(table) ? ['revision'] : [])];
  const into = `INSERT INTO ${quoted(table)} (${all.map(quoted).join(', ')})`;
  return (values) => `${into} ${values} ON CONFLICT (${keys.map(quoted).join(', ')}) ${change}`;
}

const quoted = (name: string): string => `"${name}"`;

/** A span of ids, compared byte by byte, as they are here. Null: from the first, to the last. */
export interface IdSpan {
  readonly after: string | null;
  readonly upTo: string | null;
}

/**
 * What a table has of a span (of its ids, or of those in another column) and is not there any more is noted. Those that are there have been written
 * before.
 */
export async function noteGone(
  { connection }: Tx,
  table: FilledTable,
  span: IdSpan,
  there: readonly string[],
  by = 'id',
): Promise<void> {
  const { where, values } = within(span, by);
  // What is there was written just now, so no more than these are none but these. An index alone says so.
  if ((await countSpan({ connection }, table, span, by)) === there.length) return;
  const found = await ask<{ id: string }>(connection, `SELECT id FROM ${quoted(table)}${where}`, values);
  const known = new Set(there);
  const gone = found.filter(({ id }) => !known.has(id));
  for (const { id } of gone)
    await ask(connection, 'INSERT INTO import_gone (step, id) VALUES (?, ?) ON CONFLICT DO NOTHING', [table, id]);
}

/** How many rows a table has of a span. */
export async function countSpan(
  { connection }: Pick<Tx, 'connection'>,
  table: FilledTable,
  span: IdSpan,
  by: string,
): Promise<number> {
  const { where, values } = within(span, by);
  const [row] = await ask<{ n: number }>(connection, `SELECT count(*) AS n FROM ${quoted(table)}${where}`, values);
  return Number(row?.n ?? 0);
}

/** The first letters of all its ids, each once. */
export async function idPrefixes(
  { connection }: Pick<Tx, 'connection'>,
  table: FilledTable,
  letters: number,
): Promise<ReadonlySet<string>> {
  const rows = await ask<{ p: string }>(
    connection,
    `SELECT DISTINCT substr(id, 1, ${letters}) AS p FROM ${quoted(table)}`,
    [],
  );
  return new Set(rows.map(({ p }) => p));
}

function within({ after, upTo }: IdSpan, by: string): { readonly where: string; readonly values: readonly string[] } {
  const bounds = [
    [`${by} > ?`, after],
    [`${by} <= ?`, upTo],
  ].filter((bound): bound is [string, string] => bound[1] !== null);
  const where = bounds.length === 0 ? '' : ` WHERE ${bounds.map(([text]) => text).join(' AND ')}`;
  return { where, values: bounds.map(([, value]) => value) };
}

/** Resolves with how many were removed. */
export async function removeGone({ connection }: Tx, table: FilledTable): Promise<number> {
  const gone = 'SELECT id FROM import_gone WHERE step = ?';
  const { changes } = await run(connection, `DELETE FROM ${quoted(table)} WHERE id IN (${gone})`, [table]);
  await run(connection, 'DELETE FROM import_gone WHERE step = ?', [table]);
  return changes;
}

export async function forgetGone({ connection }: Tx): Promise<void> {
  await run(connection, 'DELETE FROM import_gone', []);
}

/** A table becomes these rows, all of them at hand: for one of which there are few, and on which nothing hangs. */
export async function fillWhole(
  tx: Tx,
  table: FilledTable,
  rows: readonly FilledRow[],
): Promise<{ readonly written: number; readonly removed: number }> {
  const keys = keysOf(table);
  const keyOf = (row: FilledRow): string => JSON.stringify(keys.map((key) => row[key]));
  const wanted = new Set(rows.map(keyOf));
  const found = await ask<FilledRow>(tx.connection, `SELECT ${keys.map(quoted).join(', ')} FROM ${quoted(table)}`, []);
  const gone = found.filter((row) => !wanted.has(keyOf(row)));
  const is = keys.map((key) => `${quoted(key)} = ?`).join(' AND ');
  for (const row of gone)
    await run(
      tx.connection,
      `DELETE FROM ${quoted(table)} WHERE ${is}`,
      keys.map((key) => row[key]),
    );
  return { written: await fillRows(tx, table, rows), removed: gone.length };
}

/**
 * The types of volumes or of groups, or QoS specs: a table whose names are unique and whose rows others hang on. A row that has gone is noted,
 * and gives its name free at once; one of `always` is ours where the other side has none of that name. Resolves with how many were written.
 */
export async function fillNamed(
  tx: Tx,
  table: 'volume_type' | 'group_type' | 'qos_specs',
  rows: readonly (FilledRow & { readonly id: string; readonly name: string })[],
  always: readonly string[] = [],
): Promise<number> {
  const found = await ask<{ id: string; name: string }>(tx.connection, `SELECT id, name FROM ${table}`, []);
  const [byId, names] = [new Map(rows.map((row) => [row.id, row])), new Set(rows.map(({ name }) => name))];
  for (const { id, name } of found) {
    const row = byId.get(id);
    if (row === undefined && always.includes(name) && !names.has(name)) continue;
    if (row === undefined)
      await run(tx.connection, 'INSERT INTO import_gone (step, id) VALUES (?, ?) ON CONFLICT DO NOTHING', [table, id]);
    // Two may have changed their names with each other.
    if (row?.name !== name)
      await run(tx.connection, `UPDATE ${table} SET name = ? WHERE id = ?`, [`${table} ${id}`, id]);
  }
  return fillRows(tx, table, rows);
}

/** Of two rows that may not have the same in one column the one that is not wanted goes. */
export async function removeRivals(
  { connection }: Tx,
  table: 'transfer' | 'volume_type_encryption',
  unique: string,
  rows: readonly FilledRow[],
): Promise<void> {
  const [key = ''] = keysOf(table);
  for (const row of rows)
    await run(connection, `DELETE FROM ${table} WHERE ${unique} = ? AND ${key} <> ?`, [row[unique], row[key]]);
}

/** Which of these ids the table has. */
export async function amongIds({ connection }: Tx, table: FilledTable, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const rows =
    connection.dialect === 'sqlite'
      ? await connection.query<{ id: string }>(
          `SELECT id FROM ${quoted(table)} WHERE id IN (SELECT value FROM json_each(?))`,
          [JSON.stringify(ids)],
        )
      : await connection.query<{ id: string }>(`SELECT id FROM ${quoted(table)} WHERE id = ANY ($1::text[])`, [ids]);
  return new Set(rows.map(({ id }) => id));
}

/** `?` for each value, on both databases. */
function run(connection: Connection, text: string, values: readonly unknown[]) {
  return connection.execute(placed(connection, text), values);
}

function ask<R>(connection: Connection, text: string, values: readonly unknown[]): Promise<R[]> {
  return connection.query<R>(placed(connection, text), values);
}

function placed({ dialect }: Connection, text: string): string {
  if (dialect === 'sqlite') return text;
  let place = 0;
  return text.replaceAll('?', () => {
    place += 1;
    return `$${place}`;
  });
}

/** Rows that are there and not noted as gone. */
export async function countFilled({ connection }: Tx, table: FilledTable): Promise<number> {
  const gone = `SELECT 1 FROM import_gone WHERE step = '${table}' AND import_gone.id = ${quoted(table)}.id`;
  const [row] = await ask<{ n: number }>(
    connection,
    `SELECT count(*) AS n FROM ${quoted(table)} WHERE NOT EXISTS (${gone})`,
    [],
  );
  return Number(row?.n ?? 0);
}

export async function areEmpty({ connection }: Tx, tables: readonly FilledTable[]): Promise<boolean> {
  for (const table of tables)
    if ((await connection.query(`SELECT 1 FROM ${quoted(table)} LIMIT 1`)).length > 0) return false;
  return true;
}
