/**
 * A Cinder database to read from: the schema that Cinder's own migrations made (`fixtures/`), on a real MariaDB or PostgreSQL, and the rows
 * that a test writes into it. Rows are said by what is particular of them; the rest is as Cinder's clients leave it
 * (`cinder-rows.ts`).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { cinderAddress } from '../../src/import/cinder/cinder-address.ts';
import type { CinderDatabase } from '../../src/import/cinder/cinder-database.ts';
import { type CinderAccess, openCinder } from '../../src/import/cinder/open-cinder.ts';
import { freshPostgresql } from '../databases.ts';
import { startMariadb } from '../mariadb-server.ts';
import type { NoServer, TestServer } from '../postgresql-server.ts';
import { newerRevisions } from './fixtures/newer-revisions.ts';

export const DIALECTS = ['mysql', 'postgresql'] as const;
export type CinderDialect = (typeof DIALECTS)[number];

/** Of Zed, and of September 2026. */
export const [ZED, NEWEST] = ['c92a3e68beed', '385d1313da9a'];

type Value = string | number | boolean | null;
export type RawCinderRow = Readonly<Record<string, Value>>;

export interface CinderWorld {
  readonly dialect: CinderDialect;
  /** As `--from` wants it. */
  readonly url: string;
  /** Statements of whoever runs that Cinder. */
  run(sql: string): Promise<readonly Record<string, unknown>[]>;
  insert(table: string, ...rows: readonly RawCinderRow[]): Promise<void>;
  /** Closed with the world. */
  open(access?: CinderAccess): Promise<CinderDatabase>;
  remove(): Promise<void>;
}

/** The reason, where there is no such server. */
export async function cinderWorld(dialect: CinderDialect, revision: string = ZED): Promise<CinderWorld | NoServer> {
  const place = dialect === 'mysql' ? await freshMariadb() : await freshPostgresql({ empty: true });
  if ('missing' in place) return place;
  const client = dialect === 'mysql' ? await mysqlClient(place.url) : await postgresqlClient(place.url);
  const opened: CinderDatabase[] = [];
  const world: CinderWorld = {
    dialect,
    url: place.url,
    run: client.run,
    insert: async (table, ...rows) => {
      for (const row of rows) await client.insert(table, row);
    },
    open: async (access) => {
      const database = await openCinder(cinderAddress(place.url), access);
      opened.push(database);
      return database;
    },
    remove: async () => {
      for (const database of opened) await database.close();
      await client.end();
      await place.remove();
    },
  };
  for (const statement of statementsOf(dialect)) await world.run(statement);
  if (revision !== ZED) await upgrade(world, revision);
  return world;
}

async function upgrade({ dialect, run }: CinderWorld, revision: string): Promise<void> {
  for (const { id, statements } of newerRevisions(dialect)) {
    if (revision === '921e1a36b076') break;
    for (const statement of statements) await run(statement);
    if (id === revision) break;
  }
  await run(`UPDATE alembic_version SET version_num = '${revision}'`);
}

/** No statement of the dumps has a semicolon within it. */
const statementsOf = (dialect: CinderDialect): string[] =>
  readFileSync(join(import.meta.dirname, 'fixtures', `zed-${dialect}.sql`), 'utf8')
    .split(/;\n/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');

interface Client {
  run(sql: string): Promise<readonly Record<string, unknown>[]>;
  insert(table: string, row: RawCinderRow): Promise<void>;
  end(): Promise<void>;
}

let mariadb: Promise<TestServer | NoServer> | undefined;
let databases = 0;

async function freshMariadb() {
  mariadb ??= startMariadb();
  const server = await mariadb;
  if ('missing' in server) return server;
  databases += 1;
  const name = `cinder_${databases}`;
  const administer = async (sql: string): Promise<void> => {
    const connection = await mysql.createConnection({ uri: server.url });
    await connection.query(sql).finally(() => connection.end());
  };
  await administer(`CREATE DATABASE ${name} DEFAULT CHARACTER SET utf8mb3`);
  return { url: `${server.url}${name}`, remove: () => administer(`DROP DATABASE ${name}`) };
}

async function mysqlClient(url: string): Promise<Client> {
  const connection = await mysql.createConnection({ uri: url, dateStrings: true });
  // What a dump's own comments would say, and Cinder's clients have lived with: tables in the order of their names.
  await connection.query('SET SESSION foreign_key_checks = 0');
  return {
    run: async (sql) => (await connection.query(sql))[0] as Record<string, unknown>[],
    insert: async (table, row) => {
      const columns = Object.keys(row).map((column) => `\`${column}\``);
      await connection.query(`INSERT INTO \`${table}\` (${columns.join(', ')}) VALUES (?)`, [Object.values(row)]);
    },
    end: () => connection.end(),
  };
}

async function postgresqlClient(url: string): Promise<Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('SET session_replication_role = replica');
  return {
    run: async (sql) => (await client.query(sql)).rows as Record<string, unknown>[],
    insert: async (table, row) => {
      const columns = Object.keys(row).map((column) => `"${column}"`);
      const places = columns.map((_, index) => `$${index + 1}`);
      await client.query(
        `INSERT INTO "${table}" (${columns.join(', ')}) VALUES (${places.join(', ')})`,
        Object.values(row),
      );
    },
    end: () => client.end(),
  };
}
