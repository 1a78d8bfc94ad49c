/**
 * The data version of a database: a number that changes whenever anyone commits anything. As long as it is the same, every
 * answer of the database is the same (the validator of the response cache, `api/response-cache.ts`).
 *
 * SQLite counts commits for each connection, of this process and of others (`PRAGMA data_version`). PostgreSQL has nothing as
 * cheap, so there is no number there and everything is read again. Take it first and read afterwards: the rows may then be
 * younger than their mark, never older.
 */
import type { Connection } from './connection.ts';

export function dataVersion(reader: Connection): number | undefined {
  if (reader.dialect !== 'sqlite') return undefined;
  const row = reader.statement('PRAGMA data_version').get() as { data_version: number };
  return row.data_version;
}
