/**
 * Snapshots of several thin volumes that are one moment, also of volumes that are written meanwhile.
 *
 * LVM snapshots one volume at a time. So whoever has a member open is held (`Exporter.quiesce`) while all are taken, one after another, by one
 * program: then no snapshot has a write that came after one that another is without. What was written and not yet synced would
 * be written out in the hold, so it is synced before.
 *
 * All or none gets its full name:
 *
 *   1. sync the members     2. hold, snapshot each under a temporary name, let go     3. the first one's temporary gets the tag
 *   `pumice.moment`: those of the same attempt are all there     4. each gets its full name, the first one the last
 *
 * A call that was killed before 3 begins anew: what it left is of another moment. From 3 on the call that comes again goes on at 4. When the
 * first has its full name all have had theirs. A hold that ended too early fails the program, and what was taken is thrown away.
 */
import type { Exec } from '../../lib/exec.ts';
import { BackendObjectMismatch } from '../../model/errors.ts';
import type { Exporter } from '../exports/exporter.ts';
import { requireSize } from '../file/sizes.ts';
import { Semaphore } from '../semaphore.ts';
import { addTag, createSnapshots, type LvmArgv, remove, rename } from './lvm-argv.ts';
import { leftOf, MOMENT, newAttempt, temporary, temporaryOf } from './lvm-names.ts';
import type { LogicalVolume } from './lvm-report.ts';
import type { LvmStore } from './lvm-store.ts';

/** A snapshot by its full name, and the full name of the volume that it is of. */
export interface SnapshotOfMoment {
  readonly full: string;
  readonly source: string;
  readonly sizeGiB: number;
}

type All = ReadonlyMap<string, LogicalVolume>;

/** A command that waits for 30 s is taken for lost. */
const HELD_MS = 10_000;
const SYNC_MS = 10 * 60_000;

export class OneMoment {
  readonly #store: LvmStore;
  readonly #exports: Exporter;
  readonly #exec: Exec;
  readonly #turns = new Semaphore(1);

  constructor({ store, exports, exec }: { store: LvmStore; exports: Exporter; exec: Exec }) {
    this.#store = store;
    this.#exports = exports;
    this.#exec = exec;
  }

  create(members: readonly SnapshotOfMoment[], signal: AbortSignal): Promise<void> {
    const ordered = members.toSorted((a, b) => (a.full < b.full ? -1 : 1));
    return this.#turns.run({ signal }, async () => {
      try {
        const all = await this.#store.all(signal);
        if (this.#areThere(ordered, all)) return;
        const attempt = this.#begun(ordered, all) ?? (await this.#take(ordered, all, signal));
        await this.#publish(ordered, attempt, all);
      } catch (error) {
        await this.#end(ordered).catch(() => {});
        throw error;
      }
    });
  }

  get #group(): string {
    return this.#store.group.group;
  }

  #areThere(members: readonly SnapshotOfMoment[], all: All): boolean {
    const [first] = members;
    if (first !== undefined && !all.has(first.full)) return false;
    const missing = members.find(({ full }) => !all.has(full));
    if (missing !== undefined)
      throw new BackendObjectMismatch(`${first?.full} is on the backend without ${missing.full}, of its moment.`);
    for (const { full, sizeGiB } of members) this.#store.demandIn(all, full, sizeGiB);
    return true;
  }

  /** The attempt of a call that came as far as the tag; undefined when none did. */
  #begun([first]: readonly SnapshotOfMoment[], all: All): string | undefined {
    const tagged = [...all.values()].find(
      ({ name, tags }) => tags.includes(MOMENT) && temporaryOf(name)?.full === first?.full,
    );
    return tagged && temporaryOf(tagged.name)?.attempt;
  }

  /** To its end: what has its name already is of the same moment. */
  async #publish(members: readonly SnapshotOfMoment[], attempt: string, all: All): Promise<void> {
    for (const { full, sizeGiB } of members.toReversed()) {
      const there = this.#store.find(all, full);
      if (there !== null) requireSize(full, there.bytes, sizeGiB);
      else await this.#store.group.changeAnyway(rename(this.#group, temporary(full, attempt), full));
    }
  }

  /** After a failure: what is whole gets its names, anything else goes. */
  async #end(members: readonly SnapshotOfMoment[]): Promise<void> {
    const all = await this.#store.all(new AbortController().signal);
    const attempt = this.#begun(members, all);
    if (attempt === undefined) await this.#drop(members, all);
    else await this.#publish(members, attempt, all);
  }

  /** A new moment, of which all temporaries are there. */
  async #take(members: readonly SnapshotOfMoment[], all: All, signal: AbortSignal): Promise<string> {
    const there = members.find(({ full }) => all.has(full));
    if (there) throw new BackendObjectMismatch(`${there.full} is on the backend without the others of its moment.`);
    for (const { source, sizeGiB } of members) this.#store.demandIn(all, source, sizeGiB);
    await this.#drop(members, all);
    const attempt = newAttempt();
    const paths = members.map(({ source }) => this.#store.group.path(source));
    const pairs = members.map(({ full, source }) => [temporary(full, attempt), source] as const);
    await this.#exec(['sync', '--', ...paths], { signal, timeoutMs: SYNC_MS });
    const take = createSnapshots(this.#group, pairs);
    await this.#exports.quiesce({ paths, limitMs: HELD_MS }, (holding) => this.#run(holding, take, signal), signal);
    const [first] = members as [SnapshotOfMoment];
    await this.#store.group.change(addTag(this.#group, temporary(first.full, attempt), MOMENT), signal);
    return attempt;
  }

  async #run(holding: readonly string[], take: LvmArgv, signal: AbortSignal): Promise<void> {
    const [program, ...args] = [...holding, ...take];
    await this.#store.group.change([program as string, ...args], signal, 'snapshot\n');
  }

  async #drop(members: readonly SnapshotOfMoment[], all: All): Promise<void> {
    const fulls = new Set(members.map(({ full }) => full));
    const left = [...all.keys()].filter((name) => fulls.has(leftOf(name) ?? ''));
    if (left.length > 0) await this.#store.group.changeAnyway(remove(this.#group, left));
  }
}
