/**
 * Files with full names in one directory: look, act, publish.
 *
 * The file under the full name decides whether anything is left to do. The work happens under a temporary name that is
 * removed on every way out, so a failure leaves nothing and a crash leaves only a temporary for `sweep`.
 *
 * Whatever changes names ends with a sync of the directory, also where nothing was left to do: the call before it may have
 * been killed between the change and its sync.
 *
 * A file matches a size in GiB when its bytes, rounded up to whole GiB, are that size. No file is ever shortened.
 */

import type { Stats } from 'node:fs';
import { lstat, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errno } from '../../lib/errno.ts';
import type { Exec } from '../../lib/exec.ts';
import { BackendFull, BackendObjectMismatch, DriverFailed } from '../../model/errors.ts';
import type { DriverCall } from '../driver.ts';
import type { BackendDirectory } from './backend-directory.ts';
import { COPY_LIMIT_MS, canReflink, isReflinkProbe, reflink, sparseCopy, syncFile } from './file-copy.ts';
import { translated } from './file-errors.ts';
import { doomed, type Names, unmanagedMark } from './names.ts';
import { publish, removeIfThere, replace, setLength, withTemporary } from './publish.ts';
import { Semaphore } from './semaphore.ts';

export const GIB = 1024 ** 3;
export const inGiB = (bytes: number): number => Math.ceil(bytes / GIB);

export interface FileStoreOptions {
  readonly directory: BackendDirectory;
  readonly names: Names;
  readonly exec: Exec;
  readonly copiesAtOnce: number;
}

export class FileStore {
  readonly names: Names;
  readonly #directory: BackendDirectory;
  readonly #exec: Exec;
  readonly #copies: Semaphore;
  /** Undefined until it could be tried: on a full disk it cannot. */
  #reflinks: boolean | undefined;

  constructor({ directory, names, exec, copiesAtOnce }: FileStoreOptions) {
    this.names = names;
    this.#directory = directory;
    this.#exec = exec;
    this.#copies = new Semaphore(copiesAtOnce);
  }

  /** Whether copies share blocks, as far as is known. */
  get reflinks(): boolean {
    return this.#reflinks ?? false;
  }

  start(signal: AbortSignal): Promise<void> {
    return translated(`start the backend in ${this.#directory.path}`, signal, async () => {
      await this.#directory.start();
      await this.learnReflinks();
    });
  }

  /** False when another process has the backend. */
  hold(signal: AbortSignal): Promise<boolean> {
    return this.doing('hold the backend', signal, () => this.#directory.hold());
  }

  release(): void {
    this.#directory.release();
  }

  /** Every operation passes here: the directory is the right one, and errors say what was being done. */
  doing<Result>(doing: string, signal: AbortSignal, body: () => Promise<Result>): Promise<Result> {
    return translated(doing, signal, async () => {
      await this.#directory.check();
      return await body();
    });
  }

  path(name: string): string {
    return join(this.#directory.path, name);
  }

  async list(): Promise<string[]> {
    return (await readdir(this.#directory.path)).sort();
  }

  async stat(name: string): Promise<Stats | null> {
    return lstat(this.path(name)).catch((error: unknown) => {
      if (errno(error) === 'ENOENT') return null;
      throw error;
    });
  }

  /** Bytes of the file with this full name; null when there is none. */
  async look(full: string): Promise<number | null> {
    const found = await this.stat(full);
    if (found === null) return null;
    if (!found.isFile()) throw new BackendObjectMismatch(`${full} is on the backend, but is not a regular file.`);
    return found.size;
  }

  /** Bytes of the file with this full name, which is there and has the size that is expected. */
  async demand(full: string, sizeGiB: number): Promise<number> {
    const bytes = await this.look(full);
    if (bytes === null) throw new DriverFailed(`${full} is not on the backend.`);
    requireSize(full, bytes, sizeGiB);
    return bytes;
  }

  /** Names of what unfinished operations left for this full name. */
  async temporaries(full: string): Promise<string[]> {
    const owner = this.names.owner(full);
    return (await this.list()).filter((name) => {
      const found = this.names.temporaryOwner(name);
      return found !== null && found.kind === owner?.kind && found.id === owner.id;
    });
  }

  /** Waits until what names there are is on disk. */
  syncNames(): Promise<void> {
    return this.#directory.sync();
  }

  space(): ReturnType<BackendDirectory['space']> {
    return this.#directory.space();
  }

  async learnReflinks(): Promise<boolean> {
    this.#reflinks ??= await canReflink(this.#directory.path).catch((error: unknown) => {
      if (errno(error) === 'ENOSPC' || errno(error) === 'EDQUOT') return undefined;
      throw error;
    });
    return this.reflinks;
  }

  async sameFileSystem(file: string): Promise<boolean> {
    const [there, here] = await Promise.all([stat(file), stat(this.#directory.path)]);
    return there.isFile() && there.dev === here.dev;
  }

  /** A file of this name and size, made by `fill` out of an empty one, unless it is there. */
  async make(full: string, sizeGiB: number, signal: AbortSignal, fill: (path: string) => Promise<void>): Promise<void> {
    const there = await this.look(full);
    if (there !== null) {
      requireSize(full, there, sizeGiB);
      // Made by a call that was killed before it took the other name away: a file of two names cannot be managed.
      await this.#dropTemporaries(full);
    } else {
      await this.#withTemporary(full, async (path) => {
        await fill(path);
        signal.throwIfAborted();
        await publish(path, this.path(full)).catch(async (error: unknown) => {
          if (errno(error) !== 'EEXIST') throw error;
          await this.demand(full, sizeGiB);
        });
      });
    }
    await this.syncNames();
  }

  /** A file of this name and size whose content is what `fill` wrote, whatever was there. False: `fill` could not. */
  async refill(
    full: string,
    sizeGiB: number,
    signal: AbortSignal,
    fill: (path: string) => Promise<boolean>,
  ): Promise<boolean> {
    const there = await this.look(full);
    if (there !== null) requireSize(full, there, sizeGiB);
    let filled = false;
    await this.#withTemporary(full, async (path) => {
      filled = await fill(path);
      if (!filled) return;
      await syncFile(this.#exec, path, signal);
      await setLength(path, sizeGiB * GIB);
      signal.throwIfAborted();
      await replace(path, this.path(full));
    });
    if (filled) await this.syncNames();
    return filled;
  }

  /** The content of the file `source` into the empty one at `path`, synced, then zeroes up to `bytes`. */
  async copy(source: string, sourceGiB: number, path: string, bytes: number, call: DriverCall): Promise<void> {
    const sourceBytes = await this.demand(source, sourceGiB);
    if (!(await this.share(this.path(source), path, call.signal))) {
      const bytes = (await stat(this.path(source))).blocks * 512;
      await this.writing(
        () => bytes,
        call.signal,
        async () => {
          await sparseCopy(this.#exec, this.path(source), path, call);
        },
      );
    }
    const copied = (await stat(path)).size;
    if (copied !== sourceBytes) throw new DriverFailed(`${source} changed its size while it was copied.`);
    await syncFile(this.#exec, path, call.signal);
    await setLength(path, Math.max(bytes, copied));
  }

  /** The content of a file into the empty one at `path` without copying it. False: it cannot be shared. */
  async share(source: string, path: string, signal: AbortSignal): Promise<boolean> {
    return (await this.learnReflinks()) && (await reflink(this.#exec, source, path, signal));
  }

  /**
   * Runs `write` when its turn has come and there is room for what it `needs`. That is asked with the bytes that are free:
   * an estimate will do where it fits, and is made exact where it does not.
   */
  async writing(
    needs: (freeBytes: number) => number | Promise<number>,
    signal: AbortSignal,
    write: () => Promise<void>,
  ): Promise<void> {
    await this.#copies.run(signal, async () => {
      const { freeBytes } = await this.space();
      const bytes = await needs(freeBytes);
      if (bytes > freeBytes) {
        throw new BackendFull(`The copy needs ${bytes} bytes or more, and the backend has ${freeBytes} left.`);
      }
      await write();
    });
  }

  /** Waits until the content of this file is on disk. */
  async sync(name: string, signal: AbortSignal): Promise<void> {
    await syncFile(this.#exec, this.path(name), signal);
  }

  async grow(full: string, sizeGiB: number, signal: AbortSignal): Promise<void> {
    const bytes = await this.look(full);
    if (bytes === null) throw new DriverFailed(`${full} is not on the backend.`);
    if (bytes > sizeGiB * GIB) throw mismatch(full, bytes, sizeGiB);
    await this.sync(full, signal);
    await setLength(this.path(full), sizeGiB * GIB);
  }

  // Renamed first: what is being deleted is gone for everyone at once, and the slow part may be done again. A file that was
  // given back under our name is its owner's: it stays, and so does the mark that says so.
  async remove(full: string, signal: AbortSignal): Promise<void> {
    const there = (await this.look(full)) !== null;
    const givenBack = (await this.stat(unmanagedMark(full))) !== null;
    if (there && !givenBack) await rename(this.path(full), this.path(doomed(full)));
    if (!there) await removeIfThere(this.path(unmanagedMark(full)));
    await this.syncNames();
    for (const name of await this.temporaries(full)) await this.#unlink(name, signal);
  }

  /** Removes what unfinished operations left, but for those of the ids in `busy`. Returns the names. */
  async sweep(busy: ReadonlySet<string>, signal: AbortSignal): Promise<string[]> {
    const names = await this.list();
    const there = new Set(names);
    const swept = names.filter((name) => {
      if (isReflinkProbe(name)) return true;
      const marked = this.names.unmanagedOwner(name);
      if (marked !== null) return !busy.has(marked.id) && !there.has(this.names.of(marked.kind, marked.id));
      const owner = this.names.temporaryOwner(name);
      return owner !== null && !busy.has(owner.id);
    });
    for (const name of swept) await this.#unlink(name, signal);
    return swept;
  }

  async #withTemporary(full: string, make: (path: string) => Promise<void>): Promise<void> {
    await this.#dropTemporaries(full);
    await withTemporary(this.#directory.path, full, make);
  }

  async #dropTemporaries(full: string): Promise<void> {
    for (const name of await this.temporaries(full)) await removeIfThere(this.path(name));
  }

  // A child process: freeing a fragmented file takes seconds on Btrfs, and a file thread with it.
  async #unlink(name: string, signal: AbortSignal): Promise<void> {
    await this.#exec(['rm', '-f', '--', this.path(name)], { signal, timeoutMs: COPY_LIMIT_MS });
  }
}

function mismatch(name: string, bytes: number, sizeGiB: number): BackendObjectMismatch {
  return new BackendObjectMismatch(`${name} is on the backend with ${bytes} bytes, which is not ${sizeGiB} GiB.`);
}

export function requireSize(name: string, bytes: number, sizeGiB: number): void {
  if (inGiB(bytes) !== sizeGiB) throw mismatch(name, bytes, sizeGiB);
}
