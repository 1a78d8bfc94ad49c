/**
 * A connection to one database, the same for SQLite and PostgreSQL.
 *
 * Queries are written with Kysely (`db.ts`); the few statements that run for every step of every flow are written by
 * hand, one file a dialect, and reach for what only that dialect has: SQLite's synchronous prepared statements,
 * PostgreSQL's named ones. `dialect` tells the two apart, for the compiler too.
 */
import type { StatementSync } from 'node:sqlite';

export type Dialect = 'sqlite' | 'postgresql';

export interface Result<R> {
  readonly rows: R[];
  /** Rows inserted, updated or deleted. */
  readonly changes: number;
}

interface AnyConnection {
  /** One statement. Placeholders are the dialect's own: `?` or `$1`. */
  execute<R>(sql: string, params?: readonly unknown[]): Promise<Result<R>>;
  /** The rows of one statement. */
  query<R>(sql: string, params?: readonly unknown[]): Promise<R[]>;
  /** Several statements in one text, without parameters and without rows. */
  run(sql: string): Promise<void>;
}

export interface SqliteConnection extends AnyConnection {
  readonly dialect: 'sqlite';
  /** Prepared once, kept, synchronous. For a fixed set of texts. */
  statement(sql: string): StatementSync;
}

export interface PostgresqlConnection extends AnyConnection {
  readonly dialect: 'postgresql';
  /** Prepared once a session under `name`. For a fixed set of texts. */
  prepared<R>(name: string, sql: string, params: readonly unknown[]): Promise<R[]>;
}

/**
 * For a statement of a transaction whose answer nobody needs: what is sent next on the connection runs after it, and fails if
 * it failed. Saves a round trip.
 */
export function unawaited(sent: Promise<unknown>): void {
  sent.catch(() => {});
}

export type Connection = SqliteConnection | PostgresqlConnection;

/** As much of a connection as Kysely needs. */
export type Executing = Pick<Connection, 'dialect' | 'execute'>;

/** The connection broke. What had not been committed is undone; a commit whose answer was on its way is in doubt. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}
