/**
 * The data version of a database: a value that changes whenever anyone commits anything. As long as it is the same, every
 * answer of the database is the same (the validator of the response cache, `api/response-cache.ts`). Take it first and read
 * afterwards: the rows may then be younger than their version, never older.
 *
 * SQLite counts commits for each connection, of this process and of others (`PRAGMA data_version`).
 *
 * On PostgreSQL it is the snapshot (`pg_current_snapshot`): the lowest transaction that has not ended, the first number above all
 * that have, and those between that run. Two equal ones see the same rows:
 * - a transaction that ends leaves the list of those that run or raises a bound, and no number is given twice, so a text that
 *   was left never comes back;
 * - readers see its end before whoever committed it is told, so a version that is asked for after that answer is another one;
 * - who only reads has no number and changes nothing; what a subtransaction wrote is seen with its transaction, which has one;
 * - a server that was restored or replaced by another may give numbers again that were lost, so the time at which it
 *   started is part of the version.
 * Commits in other databases of the server change it as well, which costs a miss. It would not do on a hot standby, whose
 * list is always empty; nobody reads from one here.
 */
import type { StatementSync } from 'node:sqlite';
import type { Connection, PostgresqlConnection } from './connection.ts';
import { onceATurn } from './once-a-turn.ts';

export type DataVersion = number | string;

/** At once on SQLite; on PostgreSQL one question for all who ask in one turn of the event loop. */
export function dataVersionOf(reader: Connection): () => DataVersion | Promise<DataVersion> {
  if (reader.dialect === 'postgresql') return onceATurn(() => snapshotOf(reader));
  // Asked too often to be looked up each time.
  let count: StatementSync | undefined;
  return () => {
    count ??= reader.statement('PRAGMA data_version');
    return (count.get() as { data_version: number }).data_version;
  };
}

const SNAPSHOT = `SELECT concat(pg_postmaster_start_time(), ' ', pg_current_snapshot()) AS version`;

async function snapshotOf(reader: PostgresqlConnection): Promise<string> {
  const [row] = await reader.prepared<{ readonly version: string }>('data-version', SNAPSHOT, []);
  if (row === undefined) throw new Error('PostgreSQL told no snapshot.');
  return row.version;
}
