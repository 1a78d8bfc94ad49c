/**
 * Files with full names in one directory: look, act, publish.
 *
 * The file under the full name decides whether anything is left to do. The work happens under a temporary name that is
 * removed on every way out, so a failure leaves nothing and a crash leaves only a temporary for `sweep`.
 *
 * Whatever changes names ends with a sync of the directory, also where nothing was left to do: the call before it may have
 * been killed between the change and its sync. No file is ever shortened.
 */

import type { Stats } from 'node:fs';
import { readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { GIB } from '../../lib/bytes.ts';
import { errno } from '../../lib/errno.ts';
import { BackendObjectMismatch, DriverFailed } from '../../model/errors.ts';
import type { DriverCall, RawSource } from '../driver.ts';
import type { HostCopies, Writing } from '../host-copies.ts';
import { dataBytesOf } from '../qemu-img.ts';
import { copyRemote } from '../remote-copy.ts';
import type { OpenedSource } from '../remote-source.ts';
import type { BackendDirectory } from './backend-directory.ts';
import { type ByWhom, canReflink, copyData, reflink, syncFiles } from './file-copy.ts';
import { translated } from './file-errors.ts';
import { free } from './freeing.ts';
import { doomed, type Names, unmanagedMark } from './names.ts';
import { createBlank, createEmpty, publish, removeIfThere, replace, setLength, statOf } from './publish.ts';
import { mismatch, requireSize } from './sizes.ts';
import { isSmall } from './small-files.ts';
import { Temporaries } from './temporaries.ts';

export interface FileStoreOptions extends ByWhom {
  readonly directory: BackendDirectory;
  readonly names: Names;
  readonly copies: HostCopies;
}

export class FileStore {
  readonly names: Names;
  readonly temporaries: Temporaries;
  readonly #directory: BackendDirectory;
  readonly #byWhom: ByWhom;
  readonly #copies: HostCopies;
  /** Undefined until it could be tried: on a full disk it cannot. */
  #reflinks: boolean | undefined;

  constructor({ directory, names, exec, small, copies }: FileStoreOptions) {
    this.names = names;
    this.#directory = directory;
    this.#byWhom = { exec, small };
    this.#copies = copies;
    this.temporaries = new Temporaries(directory.path, names);
  }

  /** Whether copies share blocks, as far as is known. */
  get reflinks(): boolean {
    return this.#reflinks ?? false;
  }

  start(signal: AbortSignal): Promise<void> {
    return translated(`start the backend in ${this.#directory.path}`, signal, async () => {
      this.temporaries.forget();
      await this.#directory.start();
      await this.learnReflinks();
    });
  }

  /** False when another process has the backend. */
  hold(signal: AbortSignal): Promise<boolean> {
    return this.doing('hold the backend', signal, async () => {
      const held = await this.#directory.hold();
      if (held) this.temporaries.hold();
      else this.temporaries.forget();
      return held;
    });
  }

  release(): void {
    this.temporaries.forget();
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

  /** Null when there is nothing of this name. */
  stat(name: string): Promise<Stats | null> {
    return statOf(this.path(name));
  }

  /** Bytes of the file with this full name; null when there is none. */
  async look(full: string): Promise<number | null> {
    return (await this.#fileOf(full))?.size ?? null;
  }

  /** Bytes of the file with this full name, which is there and has the size that is expected. */
  async demand(full: string, sizeGiB: number): Promise<number> {
    const bytes = await this.look(full);
    if (bytes === null) throw new DriverFailed(`${full} is not on the backend.`);
    requireSize(full, bytes, sizeGiB);
    return bytes;
  }

  /** Whether an unfinished operation left something for this full name. */
  async hasTemporaries(full: string): Promise<boolean> {
    for (const name of await this.temporaries.of(full)) if ((await this.stat(name)) !== null) return true;
    return false;
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

  /** A file of this name and size that is all zeroes and takes no space, unless it is there. */
  makeBlank(full: string, sizeGiB: number, signal: AbortSignal): Promise<void> {
    return this.#make(full, sizeGiB, signal, (path) => createBlank(path, sizeGiB * GIB));
  }

  /** A file of this name and size, made by `fill` out of an empty one, unless it is there. */
  make(full: string, sizeGiB: number, signal: AbortSignal, fill: (path: string) => Promise<void>): Promise<void> {
    return this.#make(full, sizeGiB, signal, async (path) => {
      await createEmpty(path);
      await fill(path);
    });
  }

  /** A file of this name and size whose content is what `fill` wrote, whatever was there, in no fewer bytes. False: `fill` could not. */
  async refill(
    full: string,
    sizeGiB: number,
    signal: AbortSignal,
    fill: (path: string) => Promise<boolean>,
  ): Promise<boolean> {
    const there = await this.look(full);
    if (there !== null) requireSize(full, there, sizeGiB);
    let filled = false;
    await this.temporaries.replaced(full, async (path) => {
      await createEmpty(path);
      filled = await fill(path);
      if (!filled) return;
      await this.syncContent([path], signal);
      await setLength(path, Math.max((await stat(path)).size, there ?? sizeGiB * GIB));
      signal.throwIfAborted();
      await replace(path, this.path(full));
    });
    if (filled) await this.syncNames();
    return filled;
  }

  /** The content of the file `source` into the empty one at `path`, synced, then zeroes up to `bytes`. */
  async copy(source: string, sourceGiB: number, path: string, bytes: number, call: DriverCall): Promise<void> {
    const sourceBytes = await this.demand(source, sourceGiB);
    await this.fill({ path: this.path(source), bytes: sourceBytes }, path, call);
    if (bytes > sourceBytes) await setLength(path, bytes);
  }

  /** The content of `source` into the empty file at `path`, synced: shared where it can be, unless it `copies` in any case. */
  async fill(source: RawSource | OpenedSource, path: string, call: DriverCall, copies = false): Promise<void> {
    if (!('path' in source)) return this.#fillFromElsewhere(source, path, call);
    if (copies || !(await this.share(source.path, path, call.signal))) {
      await setLength(path, source.bytes);
      const needs = (): Promise<number> => dataBytesOf(source);
      await this.writing({ path, needs }, call, (rate) => copyData(this.#byWhom.exec, source, path, rate, call));
    }
    // A device has no size there.
    const files = (await Promise.all([stat(source.path), stat(path)])).filter((each) => each.isFile());
    if (files.some(({ size }) => size !== source.bytes))
      throw new DriverFailed(`${source.path} changed its size while it was copied.`);
    await this.syncContent([path], call.signal);
  }

  async #fillFromElsewhere(source: OpenedSource, path: string, call: DriverCall): Promise<void> {
    await setLength(path, source.bytes);
    const needs = (): number => source.dataBytes;
    await this.writing({ path, needs }, call, (rate) => copyRemote(this.#byWhom.exec, source, path, rate, call));
    await this.syncContent([path], call.signal);
  }

  /** The content of a file into the empty one at `path` without copying it. False: it cannot be shared. */
  async share(source: string, path: string, signal: AbortSignal): Promise<boolean> {
    return (await this.learnReflinks()) && (await reflink(this.#byWhom, source, path, signal));
  }

  /** A copy into a file of this backend, when its turn has come. */
  writing(writing: Writing, call: DriverCall, write: (bytesPerSecond: number) => Promise<void>): Promise<void> {
    return this.#copies.run(writing, call, write);
  }

  /** Waits until the content of the files with these names is on disk. */
  async sync(names: readonly string[], signal: AbortSignal): Promise<void> {
    await this.syncContent(
      names.map((name) => this.path(name)),
      signal,
    );
  }

  /** Likewise, by their paths. */
  async syncContent(paths: readonly string[], signal: AbortSignal): Promise<void> {
    await syncFiles(this.#byWhom, paths, signal);
  }

  async grow(full: string, sizeGiB: number, signal: AbortSignal): Promise<void> {
    const bytes = await this.look(full);
    if (bytes === null) throw new DriverFailed(`${full} is not on the backend.`);
    if (bytes > sizeGiB * GIB) throw mismatch(full, bytes, sizeGiB);
    await this.sync([full], signal);
    await setLength(this.path(full), sizeGiB * GIB);
  }

  /**
   * A file that was given back under our name is its owner's: it stays, and so does the mark that says so. One that takes a
   * while to be freed is renamed first: it is gone for everyone at once, and the slow part may be done again.
   */
  async remove(full: string, signal: AbortSignal): Promise<void> {
    const [file, mark] = await Promise.all([this.#fileOf(full), this.stat(unmanagedMark(full))]);
    const setAside = file === null || !isSmall(file);
    if (setAside) this.temporaries.expect(full, doomed(full));
    if (file === null) await removeIfThere(this.path(unmanagedMark(full)));
    else if (mark === null && setAside) await rename(this.path(full), this.path(doomed(full)));
    else if (mark === null) await removeIfThere(this.path(full));
    await this.syncNames();
    if (file !== null) await this.#findOtherNames(file);
    await this.temporaries.drop(full, (path) => free(this.#byWhom.exec, path, signal));
  }

  /** Removes what unfinished operations left, but for those of the ids in `busy`. Returns the names. */
  async sweep(busy: ReadonlySet<string>, signal: AbortSignal): Promise<string[]> {
    const swept = await this.temporaries.meaningless(busy);
    for (const name of swept) await free(this.#byWhom.exec, this.path(name), signal);
    return swept;
  }

  async #make(
    full: string,
    sizeGiB: number,
    signal: AbortSignal,
    create: (path: string) => Promise<void>,
  ): Promise<void> {
    const there = await this.#fileOf(full);
    if (there !== null) {
      requireSize(full, there.size, sizeGiB);
      await this.#findOtherNames(there);
      await this.temporaries.drop(full);
    } else {
      await this.temporaries.replaced(full, async (path) => {
        await create(path);
        signal.throwIfAborted();
        await publish(path, this.path(full)).catch(async (error: unknown) => {
          if (errno(error) !== 'EEXIST') throw error;
          await this.demand(full, sizeGiB);
        });
      });
    }
    await this.syncNames();
  }

  // A call that was killed before it took the other name away. A file of two names cannot be managed, and is never freed.
  async #findOtherNames({ nlink }: Stats): Promise<void> {
    if (nlink > 1) await this.temporaries.readAgain();
  }

  /** The regular file with this full name; null when there is nothing. */
  async #fileOf(full: string): Promise<Stats | null> {
    const found = await this.stat(full);
    if (found === null || found.isFile()) return found;
    throw new BackendObjectMismatch(`${full} is on the backend, but is not a regular file.`);
  }
}
