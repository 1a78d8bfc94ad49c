/**
 * Runs each test of a store on SQLite and on PostgreSQL, with a fresh, migrated database for every test.
 *
 *     proveStore('volumes', (test) => {
 *       test('are found by id', async ({ database }) => { … });
 *     });
 */
import { describe, it, type TestContext } from 'node:test';
import { type Database, openDatabase } from '../src/db/database.ts';
import { type FreshDatabase, freshPostgresql, freshSqlite } from './databases.ts';
import type { NoServer } from './postgresql-server.ts';

export interface StoreWorld {
  readonly database: Database;
  readonly url: string;
  /** Another process's view of the same database; closed by itself at the end. */
  open(): Promise<Database>;
  readonly context: TestContext;
}

export type StoreTest = (name: string, body: (world: StoreWorld) => Promise<void>) => void;

const DIALECTS: readonly [name: string, fresh: () => Promise<FreshDatabase | NoServer>][] = [
  ['SQLite', freshSqlite],
  ['PostgreSQL', freshPostgresql],
];

export function proveStore(name: string, suite: (test: StoreTest) => void): void {
  for (const [dialect, fresh] of DIALECTS) {
    describe(`${name} on ${dialect}`, () => {
      suite((sentence, body) => {
        it(sentence, async (context) => {
          const made = await fresh();
          if ('missing' in made) return context.skip(`PostgreSQL: ${made.missing}`);
          const opened: Database[] = [];
          const open = async (as: 'server' | 'tool'): Promise<Database> => {
            const database = await openDatabase(made.url, { as });
            opened.push(database);
            return database;
          };
          try {
            const database = await open('server');
            await body({ database, url: made.url, open: () => open('tool'), context });
          } finally {
            await Promise.all(opened.map((database) => database.close()));
            await made.remove();
          }
        });
      });
    });
  }
}
