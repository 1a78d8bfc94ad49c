/**
 * Fresh databases for tests, on SQLite and on PostgreSQL.
 *
 * PostgreSQL is `TEST_DATABASE_URL` (a server where databases may be created) or one started for this process
 * (`postgresql-server.ts`), at the first test that asks. Each database is cloned from a template that was migrated once.
 */
import { rmSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import pg from 'pg';
import { openDatabase } from '../src/db/database.ts';
import { type NoServer, startPostgresql, type TestServer } from './postgresql-server.ts';
import { scratchDirectory } from './scratch.ts';

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
  const directory = await mkdtemp(join(scratchDirectory(), `pumice-test-${process.pid}-`));
  files += 1;
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
}

let server: Promise<Server | NoServer> | undefined;
let databases = 0;

/** The reason, when there is no PostgreSQL. */
export async function freshPostgresql({ empty = false }: FreshOptions = {}): Promise<FreshDatabase | NoServer> {
  server ??= prepareServer();
  const found = await server;
  if ('missing' in found) return found;
  databases += 1;
  const name = `${found.template}_${databases}`;
  await administer(
    found.base,
    `CREATE DATABASE ${name}${empty ? '' : ` TEMPLATE ${found.template} STRATEGY FILE_COPY`}`,
  );
  return {
    url: databaseUrl(found.base, name),
    remove: () => administer(found.base, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

async function prepareServer(): Promise<Server | NoServer> {
  const given = process.env.TEST_DATABASE_URL;
  const started: TestServer | NoServer = given === undefined ? await startPostgresql() : { url: given };
  if ('missing' in started) return started;
  const template = `pumice_test_${process.pid}_${Math.trunc(Math.random() * 1e9)}`;
  await administer(started.url, `CREATE DATABASE ${template}`);
  await (await openDatabase(databaseUrl(started.url, template), { as: 'server' })).close();
  if (given !== undefined) after(() => administer(started.url, `DROP DATABASE IF EXISTS ${template} WITH (FORCE)`));
  return { base: started.url, template };
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
