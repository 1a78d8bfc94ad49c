/**
 * SQLite by way of `node:sqlite`: in WAL, with a sync of the file in every commit, so a commit that was acknowledged
 * survives the power as well as the process.
 *
 * Readers get a connection of their own: on the writer's they would see what an open transaction has not yet committed
 * and may still undo.
 *
 * Everything here is synchronous and holds the event loop while it runs. So the writer waits for another process's lock
 * (the command line's) no longer than `BUSY_MS` at a time and tries again between turns (`writer.ts`).
 */
import { existsSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { elapsed, pause } from '../../lib/clock.ts';
import type { Result, SqliteConnection } from './connection.ts';

const BUSY_MS = 25;
const OPEN_DEADLINE_MS = 30_000;
/** Texts with lists of varying length would fill memory; the hot ones are used too often to be the oldest. */
const KEPT_STATEMENTS = 300;

interface Kept {
  readonly statement: StatementSync;
  readonly returnsRows: boolean;
}

export class SqliteFile implements SqliteConnection {
  readonly dialect = 'sqlite';
  /** The last statement that failed; the writer clears it. */
  failure: unknown = undefined;
  readonly #database: DatabaseSync;
  readonly #kept = new Map<string, Kept>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** False when SQLite has ended the transaction itself, as it does when the disk is full. */
  get inTransaction(): boolean {
    return this.#database.isTransaction;
  }

  statement(sql: string): StatementSync {
    return this.#prepare(sql).statement;
  }

  async execute<R>(sql: string, params: readonly unknown[] = []): Promise<Result<R>> {
    try {
      const { statement, returnsRows } = this.#prepare(sql);
      const values = params as readonly (string | number | null)[];
      if (returnsRows) {
        const rows = statement.all(...values) as R[];
        return { rows, changes: rows.length };
      }
      return { rows: [], changes: Number(statement.run(...values).changes) };
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }

  async query<R>(sql: string, params?: readonly unknown[]): Promise<R[]> {
    return (await this.execute<R>(sql, params)).rows;
  }

  async run(sql: string): Promise<void> {
    this.#database.exec(sql);
  }

  close(): void {
    this.#kept.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #prepare(sql: string): Kept {
    const known = this.#kept.get(sql);
    if (known !== undefined) {
      this.#kept.delete(sql);
      this.#kept.set(sql, known);
      return known;
    }
    const statement = this.#database.prepare(sql);
    const kept = { statement, returnsRows: statement.columns().length > 0 };
    this.#kept.set(sql, kept);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT_STATEMENTS && oldest !== undefined) this.#kept.delete(oldest);
    return kept;
  }
}

/** Only a server makes a database; a tool wants one that is there. */
export class DatabaseMissing extends Error {
  override readonly name = 'DatabaseMissing';
}

/**
 * For a fill of a whole database. A power cut may take the last commits, in their order and none from the middle; whatever closes the file, or
 * `FULL`, makes all durable. More pages are kept, more commits share one way of the log into the file, and what is sorted goes to disk.
 */
const BULK =
  'PRAGMA synchronous = NORMAL; PRAGMA cache_size = -12288; PRAGMA wal_autocheckpoint = 25000; PRAGMA temp_store = FILE';

/** Opens the file for writing; makes it when it is not there, if `create` says so. */
export async function openSqliteWriter(
  path: string,
  create: boolean,
  signal: AbortSignal,
  bulk = false,
): Promise<SqliteFile> {
  if (!create && !existsSync(path)) throw new DatabaseMissing(`There is no database at ${path}.`);
  const database = new DatabaseSync(path, { timeout: BUSY_MS, enableForeignKeyConstraints: true });
  try {
    // Turning a new file to WAL wants it alone, and SQLite does not wait for that by itself.
    await whileBusy(() => database.exec('PRAGMA journal_mode = WAL'), signal);
    database.exec('PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864');
    if (bulk) database.exec(BULK);
    return new SqliteFile(database);
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Opens a second connection to a file that the writer has opened, which sees what is committed and writes nothing. */
export function openSqliteReader(path: string): SqliteFile {
  return new SqliteFile(new DatabaseSync(path, { readOnly: true, timeout: 5000 }));
}

/** Another connection holds the lock. */
export function isBusy(error: unknown): boolean {
  const BUSY = 5;
  const LOCKED = 6;
  if (!(error instanceof Error && 'errcode' in error && typeof error.errcode === 'number')) return false;
  const primary = error.errcode & 0xff;
  return primary === BUSY || primary === LOCKED;
}

async function whileBusy(attempt: () => void, signal: AbortSignal): Promise<void> {
  const start = elapsed();
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || elapsed() - start > OPEN_DEADLINE_MS) throw error;
      await pause(5 + Math.random() * 20, signal, { ref: true });
    }
  }
}
