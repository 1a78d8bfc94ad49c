/**
 * One server per SQLite database: a file beside it (`lib/file-lock.ts`) is held for as long as the server lives.
 *
 * The command line opens the database without this lock.
 */
import { type FileLock, lockFile } from '../../lib/file-lock.ts';

export class DatabaseInUse extends Error {
  override readonly name = 'DatabaseInUse';
}

export function lockDatabase(databasePath: string): FileLock {
  const path = `${databasePath}.lock`;
  const lock = lockFile(path);
  if (lock === null)
    throw new DatabaseInUse(`Another Pumice server uses the database ${databasePath} (it holds ${path}).`);
  return lock;
}
