/**
 * The marker file of a backend's directory: it tells the backend from the empty directory beneath an unmounted one.
 *
 * A backend's directory carries a marker, `.pumice-backend`, with an id. It is written once, by a start with `create`
 * (which makes the directory too). A start without `create` demands it, so a service that comes up before its file
 * system is mounted refuses to work instead of filling the disk below. While it runs, each operation compares the
 * marker with the one seen at the start, and nothing is ever written into a directory that took its place.
 *
 * The process that serves the backend also holds a lock in it, which no database can give to another while this process
 * lives: a process that was frozen after its look would act on it when it is thawed, long after its flow was taken over.
 *
 * With `create` left on for good, only the second protection holds. That is meant for a trial, not for a mount point.
 */
import { lstat, mkdir, readFile, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { uuid } from '../../lib/clock.ts';
import { errno } from '../../lib/errno.ts';
import { type FileLock, lockFile } from '../../lib/file-lock.ts';
import { SharedCall } from '../../lib/shared-call.ts';
import { syncDirectory } from '../../lib/sync-directory.ts';
import { DriverNotInitialized } from '../../model/errors.ts';
import { temporary } from './names.ts';
import { publish, removeIfThere } from './publish.ts';

export const MARKER = '.pumice-backend';
/** Held by who serves the backend. */
const LOCK = '.pumice-lock';

export interface Space {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

export class BackendDirectory {
  readonly path: string;
  readonly #create: boolean;
  readonly #looks = new SharedCall(() => this.#inode());
  readonly #syncs = new SharedCall(() => syncDirectory(this.path));
  #seen: { readonly id: string; readonly inode: string } | undefined;
  #held: { readonly lock: FileLock; readonly inode: string } | undefined;

  constructor(path: string, create: boolean) {
    this.path = path;
    this.#create = create;
  }

  async start(): Promise<void> {
    // What was there once is not made again.
    if (this.#create && this.#seen === undefined) await mkdir(this.path, { recursive: true, mode: 0o750 });
    const found = await stat(this.path).catch((error: unknown) => {
      if (errno(error) !== 'ENOENT') throw error;
      throw new DriverNotInitialized(`The directory ${this.path} does not exist.`, { cause: error });
    });
    if (!found.isDirectory()) throw new DriverNotInitialized(`${this.path} is not a directory.`);
    let id = await this.#readMarker();
    if (id === null && this.#create && this.#seen === undefined) {
      await this.#writeMarker();
      id = await this.#readMarker();
    }
    if (id === null) {
      throw new DriverNotInitialized(
        `${this.path} has no ${MARKER}: either its file system is not mounted, or it is new and wants one start with "create".`,
      );
    }
    if (this.#seen !== undefined && this.#seen.id !== id) throw this.#replaced();
    this.#seen = { id, inode: await this.#inode() };
  }

  /** False when another process has it. */
  async hold(): Promise<boolean> {
    const path = join(this.path, LOCK);
    if (this.#held !== undefined && this.#held.inode === (await inodeOf(path))) return true;
    this.release();
    const lock = lockFile(path);
    if (lock === null) return false;
    this.#held = { lock, inode: await inodeOf(path) };
    return true;
  }

  release(): void {
    this.#held?.lock.release();
    this.#held = undefined;
  }

  /** Rejects unless the directory is there and the one that was started on. */
  async check(): Promise<void> {
    if (this.#seen === undefined) throw new DriverNotInitialized(`The backend in ${this.path} has not been started.`);
    if ((await this.#looks.run()) !== this.#seen.inode) throw this.#replaced();
  }

  /** Makes durable which names there are. Whoever comes while a sync is under way shares the next one. */
  sync(): Promise<void> {
    return this.#syncs.run();
  }

  async space(): Promise<Space> {
    const { bsize, blocks, bavail } = await statfs(this.path);
    return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
  }

  #replaced(): DriverNotInitialized {
    return new DriverNotInitialized(`${this.path} is not the directory this backend was started on; is it mounted?`);
  }

  async #inode(): Promise<string> {
    const { dev, ino } = await lstat(join(this.path, MARKER)).catch((error: unknown) => {
      if (errno(error) !== 'ENOENT' && errno(error) !== 'ENOTDIR') throw error;
      throw new DriverNotInitialized(`${this.path} is gone or has lost its ${MARKER}; is it mounted?`, {
        cause: error,
      });
    });
    return `${dev}:${ino}`;
  }

  async #readMarker(): Promise<string | null> {
    try {
      const marker: unknown = JSON.parse(await readFile(join(this.path, MARKER), 'utf8'));
      if (typeof marker === 'object' && marker !== null && 'id' in marker && typeof marker.id === 'string') {
        return marker.id;
      }
    } catch (error) {
      if (errno(error) === 'ENOENT') return null;
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw new DriverNotInitialized(`${join(this.path, MARKER)} is not a marker of ours.`);
  }

  async #writeMarker(): Promise<void> {
    const made = join(this.path, temporary(MARKER));
    try {
      await writeFile(made, `${JSON.stringify({ id: uuid() })}\n`, { flag: 'wx', mode: 0o600, flush: true });
      await publish(made, join(this.path, MARKER));
    } catch (error) {
      // Two processes may start at once: the first marker stays.
      if (errno(error) !== 'EEXIST') throw error;
    } finally {
      await removeIfThere(made);
    }
    await this.sync();
  }
}

async function inodeOf(path: string): Promise<string> {
  const found = await lstat(path).catch((error: unknown) => {
    if (errno(error) !== 'ENOENT') throw error;
    return null;
  });
  return found === null ? 'none' : `${found.dev}:${found.ino}`;
}
