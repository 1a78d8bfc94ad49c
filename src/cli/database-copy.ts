/**
 * `pumice database copy --from FILE`: all that a SQLite database holds goes into the configured database, which is one of PostgreSQL and empty.
 * No server may run on either: the file is kept from servers meanwhile, and a target that one has served from is refused.
 */
import { existsSync } from 'node:fs';
import { copyDatabase, TargetNotEmpty } from '../db/copy-database.ts';
import { openDatabase, sqlitePath } from '../db/database.ts';
import { DatabaseInUse } from '../db/sql/sqlite-lock.ts';
import { type ConfigFlags, configurationOf } from './configuration.ts';
import type { CliContext } from './context.ts';
import { Complaint, EXIT } from './exit-codes.ts';

export interface DatabaseCopyOptions extends ConfigFlags {
  readonly from: string;
}

export async function databaseCopy(options: DatabaseCopyOptions, { out, signal }: CliContext): Promise<number> {
  const config = configurationOf(options);
  const path = sqlitePath(options.from);
  if (!existsSync(path)) throw new Complaint(`There is no file ${path}.`, EXIT.usage);
  const target = await openDatabase(config.database.url, { as: 'server', signal });
  try {
    if (target.dialect !== 'postgresql')
      throw new Complaint('database.url of the configuration must be one of PostgreSQL.', EXIT.usage);
    // As a server it keeps others off, and brings an older schema forward.
    const source = await openDatabase(path, { as: 'server', signal }).catch((error: unknown) => {
      throw error instanceof DatabaseInUse ? new Complaint(`${error.message} Stop it first.`) : error;
    });
    try {
      const counts = await target.write(async ({ connection }) => {
        if (source.reader.dialect !== 'sqlite' || connection.dialect !== 'postgresql') throw new TypeError();
        return copyDatabase(source.reader, connection, signal);
      });
      for (const [table, rows] of counts) if (rows > 0) out.line(`${String(rows).padStart(10)}  ${table}`);
      out.line('All rows were copied. Serve from the new database alone: start nothing on the file again.');
      return EXIT.ok;
    } catch (error) {
      throw error instanceof TargetNotEmpty ? new Complaint(error.message, EXIT.failed, { cause: error }) : error;
    } finally {
      await source.close();
    }
  } finally {
    await target.close();
  }
}
