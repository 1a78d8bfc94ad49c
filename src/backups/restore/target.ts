/**
 * Where a backup is restored to: a raw file or a block device.
 *
 * It is made blank first, from where it is not done yet to its end, by giving its blocks back; then only what holds something is written,
 * and what is restored is as sparse as what was backed up. Where that cannot be done all zeroes are written.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errno } from '../../lib/errno.ts';
import { CommandFailed, CommandMissing, DIES_WITH_US, type Exec } from '../../lib/exec.ts';
import { BackendFull, BackupFailed } from '../../model/errors.ts';
import type { RestoreTarget } from '../backups.ts';
import { pathOf } from '../copy/source.ts';
import { CHUNK_BYTES } from '../format/segment.ts';

/** Zeroes of this length, at a place that is a multiple of it, are not written. */
const RUN_BYTES = 64 * 1024;
const ZEROES = Buffer.alloc(CHUNK_BYTES);
const ZERO_RUN = ZEROES.subarray(0, RUN_BYTES);
/** To give back blocks may take as long as to write them. */
const BLANK_LIMIT_MS = 12 * 3600 * 1000;

export class FileTarget {
  readonly #file: FileHandle;
  readonly #bytes: number;
  /** What is not written is zero. */
  isBlank = false;

  private constructor(file: FileHandle, bytes: number) {
    this.#file = file;
    this.#bytes = bytes;
  }

  static async open({ uri, bytes }: RestoreTarget): Promise<FileTarget> {
    const path = pathOf(uri);
    const file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW).catch((error: unknown) => {
      throw new BackupFailed(`What is to be restored to cannot be opened (${path}).`, { cause: error });
    });
    const found = await file.stat();
    if (!found.isFile() || found.size === bytes) return new FileTarget(file, bytes);
    await file.close();
    throw new BackupFailed(`What is to be restored to has ${found.size} bytes in place of ${bytes}.`);
  }

  /** From here to its end it is zeroes, or they will have to be written. */
  async makeBlank(exec: Exec, { uri, isEmpty }: RestoreTarget, at: number, signal: AbortSignal): Promise<void> {
    this.isBlank = isEmpty || at === this.#bytes;
    if (this.isBlank) return;
    const range = ['--offset', String(at), '--length', String(this.#bytes - at)];
    const punch = ['fallocate', '--punch-hole', ...range, '--', pathOf(uri)];
    try {
      await exec([...DIES_WITH_US, ...punch], { signal, timeoutMs: BLANK_LIMIT_MS });
      this.isBlank = true;
    } catch (error) {
      if (!(error instanceof CommandFailed || error instanceof CommandMissing)) throw error;
    }
  }

  async write(place: number, data: Buffer): Promise<void> {
    const at = place * CHUNK_BYTES;
    if (!this.isBlank) return this.#write(data, at);
    for (const [from, to] of runs(data)) await this.#write(data.subarray(from, to), at + from);
  }

  async writeZeroes(place: number): Promise<void> {
    await this.#write(ZEROES, place * CHUNK_BYTES);
  }

  /** All zeroes from here to its end. */
  async writeTail(at: number, signal: AbortSignal): Promise<void> {
    for (let from = at; from < this.#bytes; from += CHUNK_BYTES) {
      signal.throwIfAborted();
      await this.#write(ZEROES.subarray(0, Math.min(CHUNK_BYTES, this.#bytes - from)), from);
    }
  }

  async sync(): Promise<void> {
    await this.#doing(() => this.#file.datasync());
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #write(data: Buffer, at: number): Promise<void> {
    return this.#doing(async () => {
      for (let done = 0; done < data.length; ) {
        const { bytesWritten } = await this.#file.write(data, done, data.length - done, at + done);
        done += bytesWritten;
      }
    });
  }

  async #doing(body: () => Promise<void>): Promise<void> {
    try {
      await body();
    } catch (error) {
      const full = errno(error) === 'ENOSPC' || errno(error) === 'EDQUOT';
      if (full) throw new BackendFull('No space is left where the volume is restored to.', { cause: error });
      throw new BackupFailed(`What is restored could not be written (${errno(error)}).`, { cause: error });
    }
  }
}

/** Where a chunk holds something. */
function* runs(data: Buffer): Generator<readonly [from: number, to: number]> {
  let from: number | null = null;
  for (let at = 0; at < data.length; at += RUN_BYTES) {
    const isZero = data.subarray(at, at + RUN_BYTES).equals(ZERO_RUN);
    if (!isZero) from ??= at;
    else if (from !== null) {
      yield [from, at];
      from = null;
    }
  }
  if (from !== null) yield [from, data.length];
}
