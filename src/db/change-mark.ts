/**
 * A number that is another one as soon as anyone has committed anything: what was read while it was the same is still so.
 *
 * SQLite counts commits for each connection, of this process and of others. PostgreSQL has nothing as cheap, so there is no
 * mark there and everything is read again. Take the mark first and read afterwards: what was read may then be younger than
 * its mark, never older.
 */
import type { Connection } from './connection.ts';

export function changeMark(reader: Connection): number | undefined {
  if (reader.dialect !== 'sqlite') return undefined;
  const row = reader.statement('PRAGMA data_version').get() as { data_version: number };
  return row.data_version;
}
