/**
 * The hub, a fan-out (publish and subscribe): tells all who watch (*watchers*) what has changed, as it happens. There is one
 * in a process, and it works only while somebody watches: then it looks, many times a second, whether anything was committed,
 * by whatever process, and reads what.
 *
 * What costs is not to render a change but to write it to each socket. So all watchers of a class (a project's, or those of
 * all projects) are sent the same bytes; and the first change is told at once, what follows is gathered for a moment
 * (throttled, not debounced), where of one thing only the last state is told. However much happens, a watcher gets no more
 * than twenty frames a second.
 *
 * Each frame has a *place*: a watcher that comes back with it is told what it missed. Where that cannot be, since the place is none any more or
 * too much has happened, it is told `reset`: it must read again whatever it shows. So it is told when it comes without a place, and
 * when a frame would be longer than it may be. The stream says that something changed; how things are is read elsewhere. Nothing is
 * lost over that: changes are told at least once, and a change that is told may be older than what a watcher has read.
 */
import { elapsed, pause } from '../lib/clock.ts';

/** Something that changed. */
export interface Change {
  /** What it is of: of two changes of one thing in one frame the later is told. */
  readonly key: string;
  /** Whose it is; null when it is for those alone who watch all projects. */
  readonly projectId: string | null;
  /** JSON, as the project's own watchers are told. */
  readonly own: string;
  /** JSON, as those are told who watch all projects. */
  readonly full: string;
}

/** What the hub needs of a database. All of it may reject while that is in trouble. */
export interface HubSource {
  /** Another value whenever something was committed. */
  version(): unknown;
  /** The place behind all events; null when there are none. */
  end(): Promise<string | null>;
  /** Whether one may read on from there; it may be any text. */
  isPlace(text: string): Promise<boolean>;
  isBehind(place: string | null, other: string | null): boolean;
  /** The next events, each with its place. */
  after(place: string | null, limit: number): Promise<readonly { readonly place: string; readonly change: Change }[]>;
  /** What is another of flows than at the last call. */
  flows(): Promise<readonly Change[]>;
}

/** Somebody who watches. */
export interface Watcher {
  /** Null: all projects. */
  readonly projectId: string | null;
  send(frame: Buffer): void;
  end(): void;
}

/** Milliseconds between two looks. */
const LOOK_MS = 25;
const FLOWS_MS = 200;
const GATHER_MS = 50;
/** While the database is in trouble. */
const TROUBLE_MS = 1_000;
/** Events that are read at once. */
const BATCH = 500;
/** Events that a watcher may have missed. */
const MOST_MISSED = 1_000;
/** Characters. It must find room in what a watcher may be behind. */
const LONGEST_FRAME = 32_768;

export class Hub {
  readonly #source: HubSource;
  readonly #watchers = new Set<Watcher>();
  /** Those who are told what they missed, before they are watchers. */
  #coming = 0;
  #begun: Promise<void> | undefined;
  /** Events are read up to here. */
  #read: string | null = null;
  /** And told up to here. */
  #told: string | null = null;
  #gathered = new Map<string, Change>();
  #toldAt = 0;
  #version: unknown;
  #flowsAt = 0;
  #flowsMoved = false;

  constructor(source: HubSource) {
    this.#source = source;
  }

  /** Resolves when the watcher has been sent its first frame. Rejects when the database cannot be read; it does not watch then. */
  async watch(watcher: Watcher, from: string | undefined): Promise<void> {
    const source = this.#source;
    this.#coming += 1;
    try {
      this.#begun ??= this.#begin();
      await this.#begun;
      const missed = new Map<string, Change>();
      let place = from ?? null;
      let many = 0;
      let known = from !== undefined && (await source.isPlace(from));
      while (known && source.isBehind(this.#told, place)) {
        const some = await source.after(place, BATCH);
        // What comes behind is told to all.
        const due = some.filter((each) => !source.isBehind(each.place, this.#told));
        for (const { change } of due) gather(missed, change);
        place = due.at(-1)?.place ?? this.#told;
        many += due.length;
        known = many <= MOST_MISSED;
      }
      // Nothing is awaited between the last look at `#told` and this, so there is no gap.
      this.#watchers.add(watcher);
      watcher.send((known ? this.#frame([...missed.values()], watcher.projectId) : undefined) ?? this.#greeting(known));
    } finally {
      this.#coming -= 1;
    }
  }

  leave(watcher: Watcher): void {
    this.#watchers.delete(watcher);
  }

  /** Nobody is told anything any more. */
  end(): void {
    for (const watcher of this.#watchers) watcher.end();
    this.#watchers.clear();
  }

  /** A sign of life, by which a watcher learns how far all has been told. */
  beat(): Buffer {
    return Buffer.from(`${idLine(this.#told)}:\n\n`);
  }

  async #begin(): Promise<void> {
    try {
      this.#version = await this.#source.version();
      this.#read = await this.#source.end();
      this.#told = this.#read;
      this.#gathered.clear();
      await this.#source.flows();
    } catch (error) {
      this.#begun = undefined;
      throw error;
    }
    void this.#work();
  }

  async #work(): Promise<void> {
    const never = new AbortController().signal;
    while (this.#watchers.size + this.#coming > 0) {
      const works = await this.#look().then(
        () => true,
        () => false,
      );
      if (elapsed() - this.#toldAt >= GATHER_MS) this.#tell();
      await pause(works ? LOOK_MS : TROUBLE_MS, never);
    }
    this.#begun = undefined;
  }

  async #look(): Promise<void> {
    const version = await this.#source.version();
    if (version !== this.#version) {
      this.#flowsMoved = true;
      for (let more = true; more; ) {
        const some = await this.#source.after(this.#read, BATCH);
        for (const { change } of some) gather(this.#gathered, change);
        this.#read = some.at(-1)?.place ?? this.#read;
        more = some.length === BATCH;
      }
    }
    if (this.#flowsMoved && elapsed() - this.#flowsAt >= FLOWS_MS) {
      this.#flowsAt = elapsed();
      for (const change of await this.#source.flows()) gather(this.#gathered, change);
      this.#flowsMoved = false;
    }
    this.#version = version;
  }

  #tell(): void {
    this.#told = this.#read;
    if (this.#gathered.size === 0) return;
    const changes = [...this.#gathered.values()];
    this.#gathered = new Map();
    this.#toldAt = elapsed();
    const frames = new Map<string | null, Buffer | undefined>();
    for (const watcher of this.#watchers) {
      const { projectId } = watcher;
      if (!frames.has(projectId)) frames.set(projectId, this.#frame(changes, projectId));
      const frame = frames.get(projectId);
      if (frame !== undefined) watcher.send(frame);
    }
  }

  /** Undefined: nothing of it is for the class. */
  #frame(changes: readonly Change[], projectId: string | null): Buffer | undefined {
    const told =
      projectId === null
        ? changes.map(({ full }) => full)
        : changes.filter((change) => change.projectId === projectId).map(({ own }) => own);
    if (told.length === 0) return undefined;
    const data = `{"changes":[${told.join(',')}]}`;
    if (data.length > LONGEST_FRAME) return this.#greeting(false);
    return Buffer.from(`${idLine(this.#told)}event: changes\ndata: ${data}\n\n`);
  }

  #greeting(known: boolean): Buffer {
    return known ? this.beat() : Buffer.from(`${idLine(this.#told)}event: reset\ndata: {}\n\n`);
  }
}

/** The later one stands where it happened. Of a thing that goes from one project to another both are told. */
function gather(changes: Map<string, Change>, change: Change): void {
  const key = `${change.projectId} ${change.key}`;
  changes.delete(key);
  changes.set(key, change);
}

const idLine = (place: string | null): string => (place === null ? '' : `id: ${place}\n`);
