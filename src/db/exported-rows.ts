/** Rows as they are kept, for another database: those of some ids, and all of a table by rising ids. */
import { sql } from 'kysely';
import type { Db } from './sql/db.ts';
import type { Tables } from './sql/schema.ts';

export type ExportedTable = keyof Tables & string;
export type ExportedRow = Readonly<Record<string, string | number | null>>;

/** Those whose column has one of these values, in no order. */
export async function rowsAmong(
  db: Db,
  table: ExportedTable,
  column: string,
  values: readonly string[],
): Promise<readonly ExportedRow[]> {
  if (values.length === 0) return [];
  const { rows } = await sql<ExportedRow>`
    SELECT * FROM ${sql.table(table)} WHERE ${sql.ref(column)} IN (${sql.join(values)})`.execute(db);
  return rows;
}

/** In the order of the column, which tells rows apart. */
export async function* rowsInBatches(
  db: Db,
  table: ExportedTable,
  by: string,
  limit: number,
): AsyncGenerator<readonly ExportedRow[]> {
  for (let after = ''; ; ) {
    const { rows } = await sql<ExportedRow>`
      SELECT * FROM ${sql.table(table)} WHERE ${sql.ref(by)} > ${after} ORDER BY ${sql.ref(by)} LIMIT ${limit}`.execute(
      db,
    );
    if (rows.length > 0) yield rows;
    if (rows.length < limit) return;
    after = String(rows.at(-1)?.[by]);
  }
}

/** All of a table of which there are few. */
export async function allRowsOf(db: Db, table: ExportedTable): Promise<readonly ExportedRow[]> {
  const { rows } = await sql<ExportedRow>`SELECT * FROM ${sql.table(table)}`.execute(db);
  return rows;
}

/** Flows that have not ended, stuck ones too. */
export async function unfinishedFlows(
  db: Db,
): Promise<readonly { readonly id: string; readonly name: string; readonly state: string }[]> {
  return db
    .selectFrom('flow')
    .select(['id', 'name', 'state'])
    .where('ended_at', 'is', null)
    .orderBy('created_at')
    .execute();
}
