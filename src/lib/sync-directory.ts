/** The sync of a directory (fsync). */
import { closeSync, fsync, open } from 'node:fs';
import { promisify } from 'node:util';

/** Makes the names in a directory durable: after a power cut a new or renamed file is only there when this was done. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await promisify(open)(path, 'r');
  try {
    await promisify(fsync)(directory);
  } finally {
    // It waits for nothing, and a way through the thread pool costs more.
    closeSync(directory);
  }
}
