/**
 * What unfinished operations left in a backend's directory, by the full name it was to have.
 *
 * Only the directory knows, and reading one of 100,000 files takes 0.15 s of CPU. Who holds the backend is the only one to
 * make such names in it, so the holder reads it once, and from then on remembers what it makes and could not take away.
 * Everybody else (the doctor, a process that serves nothing) reads it each time.
 *
 * A hold begins when the former holder has died or let go, so what a killed process left is read. What appears later, put
 * there by hand or by a copying program that outlived its process, is taken for nothing, since it has no full name, and is
 * found by the next `sweep`, which always reads. What somebody took away is not missed: it was to be taken away.
 */
import { join } from 'node:path';
import { hiddenNames } from '../hidden-names.ts';
import { isReflinkProbe } from './file-copy.ts';
import { type Names, temporary } from './names.ts';
import { removeIfThere, statOf } from './publish.ts';

/** Names of temporaries by the full name they were to have. */
class ByFullName {
  readonly #names = new Map<string, Set<string>>();

  of(full: string): Iterable<string> {
    return this.#names.get(full) ?? [];
  }

  add(full: string, name: string): void {
    const names = this.#names.get(full);
    if (names === undefined) this.#names.set(full, new Set([name]));
    else names.add(name);
  }

  remove(full: string, name: string): void {
    const names = this.#names.get(full);
    names?.delete(name);
    if (names?.size === 0) this.#names.delete(full);
  }
}

/** What is known while the backend is held. */
interface Hold {
  found?: ByFullName;
  reading?: Promise<ByFullName>;
}

export class Temporaries {
  readonly #directory: string;
  readonly #names: Names;
  #hold: Hold | undefined;
  /** Ours, in the making or not to be removed. */
  readonly #made = new ByFullName();

  constructor(directory: string, names: Names) {
    this.#directory = directory;
    this.#names = names;
  }

  /** From here on nobody else makes any. */
  hold(): void {
    this.#hold ??= {};
  }

  /** From here on others may, or the directory may be another. */
  forget(): void {
    this.#hold = undefined;
  }

  /** What was left for this full name. Some of it may be gone by now. */
  async of(full: string): Promise<string[]> {
    const found = this.#hold?.found ?? (await this.#read());
    return [...new Set([...found.of(full), ...this.#made.of(full)])];
  }

  /** Names of all that unfinished operations left, but for those of the ids in `busy`: as they are now, always read. */
  async meaningless(busy: ReadonlySet<string>): Promise<string[]> {
    const meaningless: string[] = [];
    for (const name of await this.#hidden()) if (await this.#isMeaningless(name, busy)) meaningless.push(name);
    return meaningless.sort();
  }

  /** Hands `make` a path of a new name for what is to be `full`. What is there when it ends is removed, and what was left before. */
  async replaced(full: string, make: (path: string) => Promise<void>): Promise<void> {
    await this.drop(full);
    const name = temporary(full);
    this.#made.add(full, name);
    try {
      await make(this.#path(name));
    } finally {
      await this.#remove(full, name);
    }
  }

  /** Removes what was left for this full name. */
  async drop(full: string, remove: (path: string) => Promise<unknown> = removeIfThere): Promise<void> {
    for (const name of await this.of(full)) await this.#remove(full, name, remove);
  }

  /** A name that is not unique and may be there, now or soon: `drop` is to remove it. */
  expect(full: string, name: string): void {
    this.#made.add(full, name);
  }

  /** Something was left that is maybe not known. */
  async readAgain(): Promise<void> {
    await this.#hidden();
  }

  async #remove(full: string, name: string, remove: (path: string) => Promise<unknown> = removeIfThere): Promise<void> {
    await remove(this.#path(name));
    this.#made.remove(full, name);
    this.#hold?.found?.remove(full, name);
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  /** Those who ask at the same time under one hold share a reading. */
  async #read(): Promise<ByFullName> {
    const hold = this.#hold ?? {};
    hold.reading ??= this.#hidden().then((hidden) => this.#byFullName(hidden));
    try {
      return await hold.reading;
    } finally {
      delete hold.reading;
    }
  }

  /** All names with a leading dot. Who holds the backend remembers them. */
  async #hidden(): Promise<string[]> {
    const hold = this.#hold;
    const hidden = await hiddenNames(this.#directory);
    if (hold !== undefined) hold.found = this.#byFullName(hidden);
    return hidden;
  }

  #byFullName(hidden: readonly string[]): ByFullName {
    const found = new ByFullName();
    for (const name of hidden) {
      const owner = this.#names.temporaryOwner(name);
      if (owner !== null) found.add(this.#names.of(owner.kind, owner.id), name);
    }
    return found;
  }

  async #isMeaningless(name: string, busy: ReadonlySet<string>): Promise<boolean> {
    if (isReflinkProbe(name)) return true;
    const owner = this.#names.temporaryOwner(name);
    if (owner !== null) return !busy.has(owner.id);
    const marked = this.#names.unmanagedOwner(name);
    if (marked === null || busy.has(marked.id)) return false;
    return (await statOf(this.#path(this.#names.of(marked.kind, marked.id)))) === null;
  }
}
