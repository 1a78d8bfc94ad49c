/** A row that nobody else changes before the transaction ends. SQLite has one writer; PostgreSQL locks the row. */
import { sql } from 'kysely';
import type { Tx } from './tx.ts';

export type Lockable = 'volume_type' | 'qos_specs' | 'group_type' | 'backup_schedule';

/** Whether it is there is not asked. */
export async function lockRow({ db }: Tx, table: Lockable, id: string): Promise<void> {
  if (db.direct.dialect === 'sqlite') return;
  await sql`SELECT 1 FROM ${sql.table(table)} WHERE id = ${id} FOR UPDATE`.execute(db);
}
