/** Every row of every table, in one order. */
import type { Database } from '../../src/db/database.ts';

const TABLES = {
  sqlite: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
  postgresql: "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename",
} as const;

export async function allRows({ reader }: Database): Promise<Readonly<Record<string, readonly object[]>>> {
  const tables = await reader.query<{ name: string }>(TABLES[reader.dialect]);
  const all: Record<string, readonly object[]> = {};
  for (const { name } of tables) {
    const rows = await reader.query<object>(`SELECT * FROM ${name}`);
    all[name] = rows.map((row) => ({ ...row })).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  return all;
}
