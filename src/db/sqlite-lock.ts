/**
 * One server per SQLite database: a second, tiny SQLite file beside it, held in an open exclusive transaction for as long
 * as the server lives. The operating system lets go of it when the process dies, however it dies; there is no stale lock.
 *
 * The command line opens the database without this lock.
 */
import { DatabaseSync } from 'node:sqlite';
import { isBusy } from './sqlite.ts';

export class DatabaseInUse extends Error {
  override readonly name = 'DatabaseInUse';
}

export interface FileLock {
  release(): void;
}

export function lockFile(databasePath: string): FileLock {
  const path = `${databasePath}.lock`;
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (!isBusy(error)) throw error;
    throw new DatabaseInUse(`Another Pumice server uses the database ${databasePath} (it holds ${path}).`, {
      cause: error,
    });
  }
  return {
    release: () => {
      if (database.isOpen) database.close();
    },
  };
}
