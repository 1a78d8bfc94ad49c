/**
 * The query builder over one connection: Kysely, which knows our tables and the connection's dialect.
 *
 * What runs for every request is written by hand and goes to the connection itself.
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
import type { Connection } from './connection.ts';
import type { Tables } from './schema.ts';

export class Db extends Kysely<Tables> {
  /** Statements by hand go here. */
  readonly direct: Connection;

  constructor(connection: Connection) {
    super({ dialect: dialectOver(connection) });
    this.direct = connection;
  }
}

function dialectOver(connection: Connection): KyselyDialect {
  return connection.dialect === 'sqlite' ? overSqlite(connection) : overPostgresql(connection);
}

function overSqlite(connection: Connection): KyselyDialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new ConnectionDriver(connection),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

function overPostgresql(connection: Connection): KyselyDialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new ConnectionDriver(connection),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
}

/** Transactions belong to the writer alone (`writer.ts`), so Kysely is given none. */
class ConnectionDriver implements Driver {
  readonly #connection: DatabaseConnection;

  constructor(connection: Connection) {
    this.#connection = {
      async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
        const { rows, changes } = await connection.execute<R>(query.sql, query.parameters);
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
