/**
 * The query builder over one connection: Kysely, which knows our tables and the connection's dialect.
 *
 * In a transaction it has a cache (`transaction-cache.ts`): each statement that is built here comes after what was put off, and what
 * it writes past the cache is forgotten there. Statements by hand that ask cached rows, or tables that are never put off, go to the
 * connection itself.
 */
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  type Dialect as KyselyDialect,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { Connection, Executing } from './connection.ts';
import type { Tables } from './schema.ts';
import type { TransactionCache } from './transaction-cache.ts';

export class Db extends Kysely<Tables> {
  /** Statements by hand go here. */
  readonly direct: Connection;
  /** Of a transaction; a reader has none. */
  readonly cache: TransactionCache | undefined;
  /** The same connection past the cache. */
  readonly #past: Db;

  constructor(connection: Connection, cache?: TransactionCache) {
    super({ dialect: dialectOver(connection, cache) });
    this.direct = connection;
    this.cache = cache;
    this.#past = cache === undefined ? this : new Db(connection);
  }

  /** Where a transaction puts off what it changes. Throws outside of one: it would be lost. */
  get writeBehind(): TransactionCache {
    if (this.cache === undefined) throw new Error('Rows are changed in a transaction.');
    return this.cache;
  }

  /**
   * A look-up that the units of a transaction repeat: made once, until something is written. Only of tables that are written at once: it
   * does not see what was put off.
   */
  once<T>(key: string, look: (db: Db) => Promise<T>): Promise<T> {
    return this.cache === undefined ? look(this) : this.cache.once(key, () => look(this.#past));
  }
}

/** The builder alone, over what only has to execute: it has neither a cache nor statements by hand. */
export type Queries = Kysely<Tables>;

export const queriesOver = (connection: Executing): Queries => new Kysely({ dialect: dialectOver(connection) });

/** Where committed rows are read. */
export interface Readers {
  readonly read: Queries;
  /**
   * For a statement that may look at many more rows than it returns. SQLite would hold the event loop meanwhile, so it is asked in a thread
   * of its own (`sqlite-search.ts`); to PostgreSQL it is the same as `read`.
   */
  readonly search: Queries;
}

/** One place for both: a transaction, or a process that has nothing else to do. */
export const onlyIn = (db: Queries): Readers => ({ read: db, search: db });

function dialectOver(connection: Executing, cache?: TransactionCache): KyselyDialect {
  const driver = new ConnectionDriver(connection, cache);
  return connection.dialect === 'sqlite' ? overSqlite(driver) : overPostgresql(driver);
}

function overSqlite(driver: Driver): KyselyDialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => driver,
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

function overPostgresql(driver: Driver): KyselyDialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => driver,
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
}

/** Transactions belong to the writer alone (`writer.ts`), so Kysely is given none. */
class ConnectionDriver implements Driver {
  readonly #connection: DatabaseConnection;

  constructor(connection: Executing, cache: TransactionCache | undefined) {
    this.#connection = {
      async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
        await cache?.flush();
        const { rows, changes } = await connection.execute<R>(query.sql, query.parameters);
        if (query.query.kind !== 'SelectQueryNode') cache?.forget();
        return { rows, numAffectedRows: BigInt(changes) };
      },
      streamQuery() {
        throw new Error('Queries are not streamed: lists are paged.');
      },
    };
  }

  async init(): Promise<void> {}
  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#connection;
  }
  async releaseConnection(): Promise<void> {}
  async beginTransaction(): Promise<void> {
    throw new Error('Transactions are made by Database.write alone.');
  }
  async commitTransaction(): Promise<void> {}
  async rollbackTransaction(): Promise<void> {}
  async destroy(): Promise<void> {}
}
