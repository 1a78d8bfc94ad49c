/**
 * A store in a directory: objects are files, their names are paths.
 *
 * A file gets its name when all of it is on the disk, and the directory is synced after it (atomic rename); a directory that was made
 * for it is synced in the one above. What a killed put leaves lies in `tmp` until it has not been touched for a day; a put that slept
 * longer fails, and is made again.
 */
import { constants, type Stats } from 'node:fs';
import { link, mkdir, open, readdir, rename, rmdir, stat, statfs, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { millis, now, uuid } from '../../lib/clock.ts';
import { errno } from '../../lib/errno.ts';
import { syncDirectory } from '../../lib/sync-directory.ts';
import {
  BackupDamaged,
  BackupFailed,
  BackupMissing,
  BackupStoreFull,
  BackupStoreRefused,
  BackupStoreUnavailable,
  PumiceError,
} from '../../model/errors.ts';
import { STORE_FILE } from '../format/names.ts';
import type { BackupStore, StoredObject, StoreRange } from './store.ts';

/** Two of them are in memory. With 32 MiB a copy takes 30 MiB more, no less of CPU, and loses twice as much when it is killed. */
const PACK_BYTES = 16 * 1024 ** 2;
const TEMPORARIES = 'tmp';
const ABANDONED_MS = 24 * 3600 * 1000;

export class DirectoryStore implements BackupStore {
  readonly packBytes: number;
  readonly #root: string;
  readonly #mark: string | null;

  /** `mark`: the object by which the store is known to be there; null: another program has made it, and nothing says so. */
  constructor(path: string, packBytes = PACK_BYTES, mark: string | null = STORE_FILE) {
    this.#root = path;
    this.#mark = mark;
    this.packBytes = packBytes;
  }

  get(name: string, signal: AbortSignal, range?: StoreRange): Promise<Buffer> {
    return this.#doing(`read ${name}`, signal, async () => {
      const file = await open(join(this.#root, name), constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        const { at, bytes } = range ?? { at: 0, bytes: (await file.stat()).size };
        const body = Buffer.allocUnsafe(bytes);
        for (let done = 0; done < bytes; ) {
          signal.throwIfAborted();
          const { bytesRead } = await file.read(body, done, bytes - done, at + done);
          if (bytesRead === 0) throw new BackupDamaged(`${name} has ${at + done} bytes, and there should be more.`);
          done += bytesRead;
        }
        return body;
      } finally {
        await file.close();
      }
    });
  }

  put(name: string, body: Buffer, signal: AbortSignal): Promise<void> {
    return this.#doing(`write ${name}`, signal, () => this.#write(name, body, (from, to) => rename(from, to)));
  }

  putNew(name: string, body: Buffer, signal: AbortSignal): Promise<boolean> {
    return this.#doing(`write ${name}`, signal, async () => {
      try {
        await this.#write(name, body, async (from, to) => {
          await link(from, to);
          await unlink(from);
        });
        return true;
      } catch (error) {
        if (errno(error) !== 'EEXIST') throw error;
        // Whoever put it may not have come to this.
        await syncDirectory(dirname(join(this.#root, name)));
        return false;
      }
    });
  }

  head(name: string, signal: AbortSignal): Promise<number | null> {
    return this.#doing(`look at ${name}`, signal, async () => {
      try {
        return (await stat(join(this.#root, name))).size;
      } catch (error) {
        if (errno(error) !== 'ENOENT') throw error;
        await this.#findStore();
        return null;
      }
    });
  }

  delete(name: string, signal: AbortSignal): Promise<void> {
    return this.#doing(`delete ${name}`, signal, async () => {
      const path = join(this.#root, name);
      try {
        await unlink(path);
        await syncDirectory(dirname(path));
      } catch (error) {
        if (errno(error) !== 'ENOENT') throw error;
        await this.#findStore();
      }
      // The directory of a backup's packs goes with the last of them.
      await rmdir(dirname(path)).catch(() => {});
    });
  }

  async *list(prefix: string, signal: AbortSignal): AsyncGenerator<StoredObject, void, undefined> {
    const files = await this.#doing('list the store', signal, () =>
      readdir(this.#root, { recursive: true, withFileTypes: true }),
    );
    for (const file of files) {
      const path = join(file.parentPath, file.name);
      const name = path.slice(join(this.#root, '/').length);
      if (!file.isFile() || name.startsWith(`${TEMPORARIES}/`) || !name.startsWith(prefix)) continue;
      const bytes = await this.head(name, signal);
      if (bytes !== null) yield { name, bytes };
    }
  }

  tidy(signal: AbortSignal): Promise<void> {
    return this.#doing('tidy up', signal, async () => {
      await this.#findRoot();
      const directory = join(this.#root, TEMPORARIES);
      for (const name of await readdir(directory).catch(() => [])) {
        const path = join(directory, name);
        const touched = await stat(path).catch(() => null);
        if (touched !== null && millis(now()) - touched.mtimeMs > ABANDONED_MS) await unlink(path).catch(() => {});
      }
    });
  }

  freeBytes(signal: AbortSignal): Promise<number> {
    return this.#doing('look for room', signal, async () => {
      const { bavail, bsize } = await statfs(this.#root);
      return bavail * bsize;
    });
  }

  async #write(name: string, body: Buffer, publish: (from: string, to: string) => Promise<void>): Promise<void> {
    // What says that it is a store is itself put into what is none yet.
    await (name === STORE_FILE ? this.#findRoot() : this.#findStore());
    const path = join(this.#root, name);
    const temporary = join(this.#root, TEMPORARIES, uuid());
    await this.#makeDirectory(dirname(temporary));
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(body);
        await file.sync();
      } finally {
        await file.close();
      }
      await this.#makeDirectory(dirname(path));
      // Whoever deletes the last of a directory takes that away, maybe just now.
      await publish(temporary, path).catch(async (error: unknown) => {
        if (errno(error) !== 'ENOENT') throw error;
        await this.#makeDirectory(dirname(path));
        await publish(temporary, path);
      });
    } catch (error) {
      await unlink(temporary).catch(() => {});
      throw error;
    }
    await syncDirectory(dirname(path));
  }

  /** With those above it, but never that of the store, which may have gone just now. */
  async #makeDirectory(path: string): Promise<void> {
    if (path === this.#root) return this.#findRoot();
    try {
      await mkdir(path, { mode: 0o700 });
    } catch (error) {
      if (errno(error) === 'EEXIST') return;
      if (errno(error) !== 'ENOENT') throw error;
      await this.#makeDirectory(dirname(path));
      return this.#makeDirectory(path);
    }
    await syncDirectory(dirname(path));
  }

  async #findRoot(): Promise<void> {
    if (!(await statsOf(this.#root))?.isDirectory())
      throw new BackupStoreRefused(`The backup store ${this.#root} is not there.`);
  }

  /** The directory alone is none: it may be where the store is not mounted. */
  async #findStore(): Promise<void> {
    await this.#findRoot();
    if (this.#mark !== null && !(await statsOf(join(this.#root, this.#mark)))?.isFile())
      throw new BackupStoreRefused(
        `No backup store is in ${this.#root}: it has no ${this.#mark}. It may not be mounted.`,
      );
  }

  async #doing<Result>(doing: string, signal: AbortSignal, body: () => Promise<Result>): Promise<Result> {
    try {
      signal.throwIfAborted();
      return await body();
    } catch (error) {
      throw signal.aborted ? signal.reason : await this.#explained(doing, error);
    }
  }

  async #explained(doing: string, error: unknown): Promise<unknown> {
    if (error instanceof PumiceError) return error;
    const could = `The backup store ${this.#root} could not ${doing}`;
    const cause = { cause: error };
    switch (errno(error)) {
      case undefined:
        return error;
      case 'ENOENT':
        return await this.#findStore().then(
          () => new BackupMissing(`${could}: it is not there.`, cause),
          (failure: unknown) => this.#explained(doing, failure),
        );
      case 'ENOSPC':
      case 'EDQUOT':
        return new BackupStoreFull(`${could}: it is full.`, cause);
      case 'EACCES':
      case 'EPERM':
        return new BackupStoreRefused(`${could}: the service may not do this there (permission denied).`, cause);
      case 'EROFS':
        return new BackupStoreRefused(`${could}: it is read-only.`, cause);
      case 'EIO':
      case 'ESTALE':
      case 'ETIMEDOUT':
      case 'EMFILE':
      case 'ENFILE':
        return new BackupStoreUnavailable(`${could}: ${errno(error)}.`, cause);
      default:
        return new BackupFailed(`${could}: ${error instanceof Error ? error.message : String(error)}`, cause);
    }
  }
}

/** Null when nothing is there. */
async function statsOf(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    if (errno(error) === 'ENOENT' || errno(error) === 'ENOTDIR') return null;
    throw error;
  }
}
