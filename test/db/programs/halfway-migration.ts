/** Brings a schema forward, says so after the first index of the lists is made, and goes no further. */
import { sqlitePath } from '../../../src/db/database.ts';
import type { Connection } from '../../../src/db/sql/connection.ts';
import { migrate } from '../../../src/db/sql/migrate.ts';
import { PostgresqlTransactor } from '../../../src/db/sql/postgresql-transactor.ts';
import { openSqliteWriter } from '../../../src/db/sql/sqlite.ts';
import { SqliteTransactor } from '../../../src/db/sql/sqlite-transactor.ts';
import type { Tx } from '../../../src/db/sql/tx.ts';
import { Writer } from '../../../src/db/sql/writer.ts';

const [url = ''] = process.argv.slice(2);
const transactor = url.startsWith('postgresql:')
  ? new PostgresqlTransactor(url, 60_000)
  : new SqliteTransactor(await openSqliteWriter(sqlitePath(url), false, new AbortController().signal));

await new Writer(transactor).write((tx) => {
  const { db, connection } = tx;
  const run = async (text: string): Promise<void> => {
    if (!text.includes('CREATE INDEX volume_name')) return connection.run(text);
    await connection.run(text.split(';')[0] ?? '');
    console.log('halfway');
    await new Promise(() => setInterval(() => {}, 60_000));
  };
  const query: Connection['query'] = (text, params) => connection.query(text, params);
  return migrate({ db, connection: { dialect: connection.dialect, query, run } as Connection } as Tx);
});
