/** The sync of a directory (fsync). */
import { open } from 'node:fs/promises';

/** Makes the names in a directory durable: after a power cut a new or renamed file is only there when this was done. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
