/**
 * Snapshots of several volumes that are one moment, also of volumes that are written meanwhile. Only where files share blocks.
 *
 * Whoever has a member open is held (`Exporter.quiesce`) while all members are cloned, one after another: then no clone has a
 * write that came after one that another clone is without. What was written and not yet synced would be written out in the
 * hold, so it is synced before, and again when all else is ready (`clone-files.pl`). A clone takes its time by the pieces that its source lies in; when all of them together would
 * keep clients waiting for too long, nothing is begun.
 *
 * All or none gets its full name:
 *
 *   1. sync the sources     2. hold, clone each into a temporary, let go     3. sync the temporaries
 *   4. the mark: one file that names the temporaries, under a name made from the first member's id; durable
 *   5. each temporary gets its full name, durable     6. temporaries and mark are removed
 *
 * A call that was killed before 4 begins anew: a temporary that it left is of another moment than any that is made now. From 4 on
 * the mark says which temporaries are of one moment, and the call that comes again goes on at 5. A hold that ended too early
 * fails the cloning program, so what was cloned is thrown away.
 *
 * One moment of a backend is taken at a time: two at once would take longer than one after the other (XFS, fragmented files), and
 * no call finds another in the middle of the same.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errno } from '../../lib/errno.ts';
import type { Exec } from '../../lib/exec.ts';
import { BackendObjectMismatch, ConsistentSnapshotRefused, DriverFailed } from '../../model/errors.ts';
import type { Exporter } from '../exports/exporter.ts';
import { Semaphore } from '../semaphore.ts';
import { countExtents } from './extents.ts';
import { COPY_LIMIT_MS } from './file-copy.ts';
import type { FileStore } from './file-store.ts';
import { momentMark, temporary } from './names.ts';
import { createEmpty, publish } from './publish.ts';
import { requireSize } from './sizes.ts';

/** A snapshot by its full name, and the full name of the volume that it is of. */
export interface Member {
  readonly full: string;
  readonly source: string;
  readonly sizeGiB: number;
}

/** The name of the temporary by the full name that it is to have. */
type Moment = Readonly<Record<string, string>>;

/** XFS took 8 to 21 µs for each piece, Btrfs 6 to 9. */
const EXTENT_MS = 0.02;
/** Longer than this clients do not wait: a Linux initiator that is not answered for some seconds drops its session. */
const PAUSE_MS = 5_000;
/** The estimate may be short; a command that waits for 30 s is taken for lost. */
const HELD_MS = 2 * PAUSE_MS;

const CLONE_FILES = join(import.meta.dirname, 'clone-files.pl');

export class GroupSnapshots {
  readonly #store: FileStore;
  readonly #exports: Exporter;
  readonly #exec: Exec;
  readonly #turns = new Semaphore(1);

  constructor({ store, exports, exec }: { store: FileStore; exports: Exporter; exec: Exec }) {
    this.#store = store;
    this.#exports = exports;
    this.#exec = exec;
  }

  create(members: readonly Member[], signal: AbortSignal): Promise<void> {
    return this.#turns.run({ signal }, async () => {
      const moment = (await this.#marked(members)) ?? (await this.#unlessThere(members, signal));
      for (const { full, sizeGiB } of members) await this.#publish(full, sizeGiB, moment);
      await this.#store.syncNames();
      await this.#drop(members);
    });
  }

  /** Of a call that came as far as the mark; null when none did. */
  async #marked(members: readonly Member[]): Promise<Moment | null> {
    const text = await readFile(this.#store.path(markOf(members)), 'utf8').catch((error: unknown) => {
      if (errno(error) !== 'ENOENT') throw error;
      return null;
    });
    if (text === null) return null;
    const moment = JSON.parse(text) as Moment;
    const others = Object.keys(moment).length !== members.length || members.some(({ full }) => !(full in moment));
    if (others) throw new BackendObjectMismatch(`${markOf(members)} is on the backend, and is of other snapshots.`);
    return moment;
  }

  /** A new moment; an empty one when all members are there. */
  async #unlessThere(members: readonly Member[], signal: AbortSignal): Promise<Moment> {
    const sizes = await Promise.all(members.map(({ full }) => this.#store.look(full)));
    if (sizes.every((bytes) => bytes !== null)) return {};
    const there = members.find((_, at) => sizes[at] !== null);
    if (there) throw new BackendObjectMismatch(`${there.full} is on the backend without the others of its moment.`);
    await this.#drop(members);
    try {
      return await this.#take(members, signal);
    } catch (error) {
      await this.#drop(members);
      throw error;
    }
  }

  async #take(members: readonly Member[], signal: AbortSignal): Promise<Moment> {
    if (!(await this.#store.learnReflinks())) {
      throw new ConsistentSnapshotRefused(
        'The file system of this backend cannot share blocks, so several volumes cannot be snapshotted in one moment. XFS and Btrfs can.',
      );
    }
    const bytes = await Promise.all(members.map(({ source, sizeGiB }) => this.#store.demand(source, sizeGiB)));
    const moment = Object.fromEntries(members.map(({ full }) => [full, this.#temporary(full)]));
    const temporaries = Object.values(moment);
    for (const name of temporaries) await createEmpty(this.#store.path(name));
    const sources = members.map(({ source }) => source);
    await this.#store.sync(sources, signal);
    await this.#clone(sources, temporaries, signal);
    for (const [at, name] of temporaries.entries()) {
      if ((await this.#store.stat(name))?.size !== bytes[at])
        throw new DriverFailed(`${sources[at]} changed its size while it was cloned.`);
    }
    await this.#store.sync(temporaries, signal);
    await this.#mark(members, moment);
    return moment;
  }

  /** In one moment. */
  async #clone(sources: readonly string[], temporaries: readonly string[], signal: AbortSignal): Promise<void> {
    const paths = sources.map((name) => this.#store.path(name));
    const pairs = paths.flatMap((path, at) => [path, this.#store.path(temporaries[at] as string)]);
    const body = async (holding: readonly string[]): Promise<void> => {
      if (holding.length > 0) await this.#refuseLong(paths, signal);
      const [program, ...args] = [...holding, 'perl', CLONE_FILES, ...pairs];
      await this.#exec([program as string, ...args], { signal, timeoutMs: COPY_LIMIT_MS, input: 'clone\n' });
    };
    await this.#exports.quiesce({ paths, limitMs: HELD_MS }, body, signal);
  }

  async #refuseLong(paths: readonly string[], signal: AbortSignal): Promise<void> {
    const extents = await countExtents(this.#exec, paths, signal);
    const pauseMs = extents * EXTENT_MS;
    if (pauseMs <= PAUSE_MS) return;
    throw new ConsistentSnapshotRefused(
      `The volumes lie on the disk in ${extents} pieces: who writes to them would wait for about ${Math.ceil(pauseMs / 1000)} s, and may wait for ${PAUSE_MS / 1000} s. Detach them first, or put copies of them in their place, which lie in fewer.`,
    );
  }

  async #mark(members: readonly Member[], moment: Moment): Promise<void> {
    const first = (members[0] as Member).full;
    const made = this.#store.path(this.#temporary(first));
    await writeFile(made, JSON.stringify(moment), { flag: 'wx', mode: 0o600, flush: true });
    this.#store.temporaries.expect(first, markOf(members));
    await publish(made, this.#store.path(markOf(members)));
    await this.#store.syncNames();
  }

  async #publish(full: string, sizeGiB: number, moment: Moment): Promise<void> {
    const there = await this.#store.look(full);
    if (there !== null) return requireSize(full, there, sizeGiB);
    await publish(this.#store.path(moment[full] as string), this.#store.path(full));
  }

  /** Stays until `#drop`. */
  #temporary(full: string): string {
    const name = temporary(full);
    this.#store.temporaries.expect(full, name);
    return name;
  }

  async #drop(members: readonly Member[]): Promise<void> {
    for (const { full } of members) await this.#store.temporaries.drop(full);
  }
}

/** Of members in whichever order. */
const markOf = (members: readonly Member[]): string => momentMark(members.map(({ full }) => full).sort()[0] as string);
