/**
 * Indexes that wait until tables are full. Each row of a first fill lands at random places of each of them: kept meanwhile, they cost four times
 * what the rows themselves cost, made from full tables a fraction. Which ones wait stands in `imported_from`, in the transaction that drops or makes
 * them, so nobody's death loses one; a newer release makes them before it brings the schema forward, so no migration finds one missing.
 */
import type { Connection } from './connection.ts';
import type { Tx } from './tx.ts';

/** Drops the indexes of empty tables that only make reading quick: what is unique stays. `imported_from` has its row. */
export async function letIndexesWait({ connection }: Tx, tables: readonly string[]): Promise<void> {
  const all = [...(await waiting(connection))];
  for (const { name, statement } of await indexesOf(connection))
    if (tables.some((table) => isOn(statement, table)) && !/^CREATE UNIQUE/i.test(statement)) {
      all.push(statement);
      await connection.run(`DROP INDEX "${name}"`);
    }
  await keep(connection, all);
}

export async function indexesWait({ connection }: Pick<Tx, 'connection'>): Promise<boolean> {
  return (await waiting(connection)).length > 0;
}

/** Makes one of them. Resolves with whether there was one. */
export async function makeWaitingIndex({ connection }: Tx): Promise<boolean> {
  const [first, ...others] = await waiting(connection);
  if (first === undefined) return false;
  await connection.run(first);
  await keep(connection, others);
  return true;
}

interface KnownIndex {
  readonly name: string;
  readonly statement: string;
}

const indexesOf = (connection: Connection): Promise<KnownIndex[]> =>
  connection.query<KnownIndex>(
    connection.dialect === 'sqlite'
      ? "SELECT name, sql AS statement FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"
      : 'SELECT indexname AS name, indexdef AS statement FROM pg_indexes WHERE schemaname = current_schema() ORDER BY indexname',
  );

/** `CREATE INDEX volume_host ON volume (host)`; PostgreSQL names the schema too. */
const isOn = (statement: string, table: string): boolean =>
  new RegExp(`\\bON (?:\\w+\\.)?"?${table}"?[\\s(]`, 'i').test(statement);

async function waiting(connection: Connection): Promise<readonly string[]> {
  const [row] = await connection.query<{ waiting_indexes: string }>('SELECT waiting_indexes FROM imported_from');
  return row === undefined ? [] : (JSON.parse(row.waiting_indexes) as string[]);
}

async function keep(connection: Connection, statements: readonly string[]): Promise<void> {
  const place = connection.dialect === 'sqlite' ? '?' : '$1';
  await connection.execute(`UPDATE imported_from SET waiting_indexes = ${place}`, [JSON.stringify(statements)]);
}
