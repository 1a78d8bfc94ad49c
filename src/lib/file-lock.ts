/**
 * A file that one process holds at a time. The operating system lets go of it when the process dies, however it dies, so there
 * is no stale lock; a process that is frozen goes on holding it.
 *
 * It is an exclusive transaction of SQLite on an empty file: Node has no other way to lock one.
 */
import { DatabaseSync } from 'node:sqlite';

export interface FileLock {
  release(): void;
}

const BUSY = 5;

/** Makes the file when it is not there. Null when another process, or another lock of this one, holds it. */
export function lockFile(path: string): FileLock | null {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === BUSY) return null;
    throw error;
  }
  return {
    release: () => {
      if (database.isOpen) database.close();
    },
  };
}
