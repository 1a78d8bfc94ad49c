/** A database has the tables and columns that `schema.ts` says, and every migration is applied to it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { sql } from 'kysely';
import type { Database } from '../../../src/db/database.ts';
import { proveStore } from '../../prove-store.ts';

/** `volume.name?` for each column, with the question mark where it may be null. */
function declared(): string[] {
  const source = readFileSync('src/db/sql/schema.ts', 'utf8');
  const bodies = new Map<string, string>();
  for (const [, name = '', body = ''] of source.matchAll(/^export interface (\w+) \{\n(.*?)^\}/gms))
    bodies.set(name, body);
  const columns = (body: string, prefix: string): string[] =>
    [...body.matchAll(/(?:^|[;{\n])\s*(\w+): ([^;\n]+?)(?=[;\n]|$)/g)].map(
      ([, column, type = '']) => `${prefix}.${column}${/\bnull\b/.test(type) ? '?' : ''}`,
    );
  return [...(bodies.get('Tables') ?? '').matchAll(/^ {2}(\w+): (?:(\w+)|\{(.*)\});$/gm)]
    .flatMap(([, table = '', named = '', inline]) => columns(inline ?? bodies.get(named) ?? '', table))
    .sort();
}

async function found({ read, reader }: Database): Promise<string[]> {
  const query =
    reader.dialect === 'sqlite'
      ? sql<Column>`SELECT t.name AS "table", c.name AS "column", c."notnull" = 0 AND c.pk = 0 AS "nullable"
          FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'`
      : sql<Column>`SELECT table_name AS "table", column_name AS "column", is_nullable = 'YES' AS "nullable"
          FROM information_schema.columns WHERE table_schema = current_schema()`;
  const { rows } = await query.execute(read);
  return rows.map(({ table, column, nullable }) => `${table}.${column}${nullable ? '?' : ''}`).sort();
}

interface Column {
  readonly table: string;
  readonly column: string;
  readonly nullable: boolean | number;
}

proveStore('the schema', (test) => {
  test('has the columns that schema.ts says, each null where it may be', async ({ database }) => {
    assert.deepEqual(await found(database), declared());
  });

  test('is what all migrations make', async ({ database }) => {
    const files = readdirSync('src/db/sql/migrations').filter((file) => /^\d/.test(file));
    const applied = await database.read.selectFrom('schema_version').select('name').orderBy('version').execute();
    assert.deepEqual(
      applied.map(({ name }) => name),
      files.map((file) => basename(file, '.ts')).sort(),
    );
  });
});
