/**
 * One database for all tests of a `describe`, emptied between them: a tenth of what a fresh one costs. For suites whose
 * tests end all they began.
 */
import { after } from 'node:test';
import { type Database, openDatabase } from '../src/db/database.ts';
import type { FreshDatabase } from './databases.ts';
import type { NoServer } from './postgresql-server.ts';

type Opened = FreshDatabase & { readonly database: Database };

/** Inside a `describe`. Opened by the first test that asks, closed after the last. */
export function openOnce(fresh: () => Promise<FreshDatabase | NoServer>): () => Promise<Opened | NoServer> {
  let opened: Promise<Opened | NoServer> | undefined;
  after(async () => {
    const place = await opened;
    if (place === undefined || 'missing' in place) return;
    await place.database.close();
    await place.remove();
  });
  return () => {
    opened ??= open(fresh);
    return opened;
  };
}

async function open(fresh: () => Promise<FreshDatabase | NoServer>): Promise<Opened | NoServer> {
  const made = await fresh();
  return 'missing' in made ? made : { ...made, database: await openDatabase(made.url, { as: 'server' }) };
}

/** As a test begins: nothing but the schema and the types that always exist. */
export async function emptyDatabase(database: Database): Promise<void> {
  await database.write(async ({ connection }) => {
    const sqlite = connection.dialect === 'sqlite';
    const tables = await connection.query<{ name: string }>(
      sqlite
        ? "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        : "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
    );
    const emptied = tables.filter(({ name }) => !['schema_version', 'volume_type', 'group_type'].includes(name));
    await connection.run(
      [
        sqlite ? 'PRAGMA defer_foreign_keys = ON' : 'SET LOCAL session_replication_role = replica',
        ...emptied.map(({ name }) => `DELETE FROM ${name}`),
        "DELETE FROM volume_type WHERE name <> '__DEFAULT__'",
        "DELETE FROM group_type WHERE name <> 'default_cgsnapshot_type'",
      ].join('; '),
    );
  });
}
