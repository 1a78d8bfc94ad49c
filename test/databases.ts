/**
 * Fresh databases for tests, on SQLite and on PostgreSQL.
 *
 * PostgreSQL is `TEST_DATABASE_URL` (a server where databases may be created) or one started for this process
 * (`postgresql-server.ts`), at the first test that asks. Each database is cloned from a template that was migrated once.
 * On PostgreSQL a clone costs a hundred milliseconds and emptying one a tenth of that, so a migrated database that a
 * test has done with is emptied for the next.
 */
import { rmSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import pg from 'pg';
import { openDatabase } from '../src/db/database.ts';
import { type NoServer, startPostgresql, type TestServer } from './postgresql-server.ts';
import { removeAbandoned, scratchDirectory } from './scratch.ts';

export interface FreshDatabase {
  readonly url: string;
  /** After everything that used it was closed. */
  remove(): Promise<void>;
}

/** Migrated, unless `empty`. */
export interface FreshOptions {
  readonly empty?: boolean;
}

let files = 0;
let template: Promise<string> | undefined;

export async function freshSqlite({ empty = false }: FreshOptions = {}): Promise<FreshDatabase> {
  if (files === 0) await removeAbandoned(/^pumice-test-(\d+)-/);
  files += 1;
  const directory = await mkdtemp(join(scratchDirectory(), `pumice-test-${process.pid}-`));
  const path = join(directory, `${files}.db`);
  if (!empty) {
    template ??= sqliteTemplate();
    await copyFile(await template, path);
  }
  return { url: `sqlite:${path}`, remove: () => rm(directory, { recursive: true, force: true }) };
}

async function sqliteTemplate(): Promise<string> {
  const { url } = await freshSqlite({ empty: true });
  const path = url.slice('sqlite:'.length);
  // Closing the last connection moves everything from the log into the file.
  await (await openDatabase(url, { as: 'server' })).close();
  process.once('exit', () => rmSync(dirname(path), { recursive: true, force: true }));
  return path;
}

interface Server {
  readonly base: string;
  readonly template: string;
  /** Of the template (`emptiedSchema`). */
  readonly schema: string | undefined;
}

let server: Promise<Server | NoServer> | undefined;
let databases = 0;
/** Ready to be used again. */
const emptied: string[] = [];

/** The reason, when there is no PostgreSQL. */
export async function freshPostgresql({ empty = false }: FreshOptions = {}): Promise<FreshDatabase | NoServer> {
  server ??= prepareServer();
  const found = await server;
  if ('missing' in found) return found;
  const { base } = found;
  const name = (empty ? undefined : emptied.pop()) ?? (await createDatabase(found, empty));
  const remove = async (): Promise<void> => {
    if (!empty && (await emptiedSchema(databaseUrl(base, name))) === found.schema) emptied.push(name);
    else await administer(base, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  };
  return { url: databaseUrl(base, name), remove };
}

async function createDatabase({ base, template }: Server, empty: boolean): Promise<string> {
  databases += 1;
  const name = `${template}_${databases}`;
  await administer(base, `CREATE DATABASE ${name}${empty ? '' : ` TEMPLATE ${template} STRATEGY FILE_COPY`}`);
  return name;
}

/** Whatever a test may have left but the schema and the types that always exist. */
const EMPTY = `
  SET session_replication_role = replica;
  SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
  DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('schema_version', 'volume_type', 'group_type')
    LOOP EXECUTE format('DELETE FROM %I', name); END LOOP;
  END $$;
  DELETE FROM volume_type WHERE name <> '__DEFAULT__';
  DELETE FROM group_type WHERE name <> 'default_cgsnapshot_type';
  SELECT setval(pg_get_serial_sequence('outbox', 'seq'), 1, false);
  SELECT count(*)::int AS kept, (
    SELECT sum(hashtext(concat_ws(' ', relname, attname, atttypid, attnotnull)))::text
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace
  ) AS schema
  FROM volume_type, group_type
  WHERE volume_type.is_public = 1 AND extra_specs = '{}' AND volume_type.updated_at IS NULL
  AND group_type.is_public = 1 AND group_type.updated_at IS NULL`;

/** Empties it. A number that stands for its tables, columns and indexes; undefined when rows that stay are not as they were. */
async function emptiedSchema(url: string): Promise<string | undefined> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    const results: unknown = await client.query(EMPTY);
    const last = (results as readonly pg.QueryResult<{ kept: number; schema: string }>[]).at(-1)?.rows[0];
    return last?.kept === 1 ? last.schema : undefined;
  } catch {
    return undefined;
  } finally {
    await client.end().catch(() => {});
  }
}

/** A server that was given keeps nothing of ours; one that was started ends with all it has. */
if (process.env.TEST_DATABASE_URL !== undefined) {
  after(async () => {
    const used = await server;
    if (used === undefined || 'missing' in used) return;
    for (const name of [...emptied, used.template])
      await administer(used.base, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  });
}

async function prepareServer(): Promise<Server | NoServer> {
  const given = process.env.TEST_DATABASE_URL;
  const started: TestServer | NoServer = given === undefined ? await startPostgresql() : { url: given };
  if ('missing' in started) return started;
  const template = `pumice_test_${process.pid}_${Math.trunc(Math.random() * 1e9)}`;
  await administer(started.url, `CREATE DATABASE ${template}`);
  const url = databaseUrl(started.url, template);
  await (await openDatabase(url, { as: 'server' })).close();
  return { base: started.url, template, schema: await emptiedSchema(url) };
}

async function administer(base: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl(base, 'postgres') });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

function databaseUrl(base: string, name: string): string {
  const url = new URL(base);
  url.pathname = `/${name}`;
  return url.href;
}
