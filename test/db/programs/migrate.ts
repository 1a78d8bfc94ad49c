/** Migrates a SQLite file without the lock that keeps a second server out, to meet others in the migration itself. */

import { sqlitePath } from '../../../src/db/database.ts';
import { migrate } from '../../../src/db/sql/migrate.ts';
import { openSqliteWriter } from '../../../src/db/sql/sqlite.ts';
import { SqliteTransactor } from '../../../src/db/sql/sqlite-transactor.ts';
import { Writer } from '../../../src/db/sql/writer.ts';

const file = await openSqliteWriter(sqlitePath(process.argv[2] ?? ''), true, new AbortController().signal);
const writer = new Writer(new SqliteTransactor(file));
await writer.write(migrate);
await writer.close();
console.log('migrated');
