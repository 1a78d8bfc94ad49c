/** A source as it is read: a raw file or a block device that nobody writes to, chunk by chunk, without its holes. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dataExtents } from '../../lib/data-extents.ts';
import { CommandFailed, CommandMissing, type Exec } from '../../lib/exec.ts';
import type { DataExtent } from '../../lib/file-content.ts';
import { BackupFailed } from '../../model/errors.ts';
import type { BackupSource } from '../backups.ts';
import { CHUNK_BYTES } from '../format/segment.ts';

export class FileSource {
  readonly chunks: number;
  readonly #path: string;
  readonly #bytes: number;
  readonly #file: FileHandle;

  private constructor(path: string, bytes: number, file: FileHandle) {
    this.#path = path;
    this.#bytes = bytes;
    this.#file = file;
    this.chunks = bytes / CHUNK_BYTES;
  }

  /** Rejects with `BackupFailed`. */
  static async open({ uri, bytes }: BackupSource): Promise<FileSource> {
    if (bytes % CHUNK_BYTES !== 0) throw new BackupFailed(`${bytes} bytes are no whole number of MiB.`);
    const path = pathOf(uri);
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: unknown) => {
      throw new BackupFailed(`What is to be backed up cannot be opened (${path}).`, { cause: error });
    });
    const found = await file.stat();
    if (!found.isFile() || found.size === bytes) return new FileSource(path, bytes, file);
    await file.close();
    throw new BackupFailed(`What is to be backed up has ${found.size} bytes in place of ${bytes}.`);
  }

  async extents(exec: Exec, signal: AbortSignal): Promise<readonly DataExtent[]> {
    try {
      const told = await dataExtents(exec, this.#path, signal);
      return (told ?? [{ at: 0, bytes: this.#bytes }]).filter(({ at }) => at < this.#bytes);
    } catch (error) {
      if (!(error instanceof CommandFailed || error instanceof CommandMissing)) throw error;
      throw new BackupFailed('Where the volume has data could not be found out.', { cause: error });
    }
  }

  /** Fills `buffer`, a chunk. */
  async read(index: number, buffer: Buffer): Promise<Buffer> {
    for (let done = 0; done < CHUNK_BYTES; ) {
      const at = index * CHUNK_BYTES + done;
      const { bytesRead } = await this.#file.read(buffer, done, CHUNK_BYTES - done, at).catch((error: unknown) => {
        throw new BackupFailed(`What is to be backed up cannot be read at ${at}.`, { cause: error });
      });
      if (bytesRead === 0)
        throw new BackupFailed(`What is to be backed up ends at ${at}, and has ${this.#bytes} bytes.`);
      done += bytesRead;
    }
    return buffer;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** Throws `BackupFailed` for anything but a file. */
export function pathOf(uri: string): string {
  if (!uri.startsWith('file:/'))
    throw new BackupFailed(`${uri.split(':')[0]} is no kind of source or target that is known.`);
  return uri.slice('file:'.length);
}
