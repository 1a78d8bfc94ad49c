/**
 * `pumice flows watch`: flows in flight as they go on, until those that were named have ended or somebody has seen enough.
 *
 * On a terminal a picture is drawn again every second, and a flow that has ended leaves a line above it. Elsewhere each change is a line.
 * It only reads, once a second, what `flows list` reads. A database that does not answer is waited for: that is when people watch.
 */
import { type Database, openDatabase } from '../db/database.ts';
import { DatabaseJournal } from '../db/journal.ts';
import { whatKeeps } from '../db/journal-holds.ts';
import { isTrouble } from '../db/sql/trouble.ts';
import { type FlowRow, WAITING_LANE } from '../engine/journal.ts';
import { now, pause } from '../lib/clock.ts';
import { clockTime } from '../lib/times.ts';
import { type ConfigFlags, configurationOf } from './configuration.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { findFlow } from './find-flow.ts';
import { endedLine, flowLine, pictureLines, type Seen } from './flows-picture.ts';
import { listenForQuit } from './keyboard.ts';
import type { Terminal } from './terminal.ts';

export interface WatchOptions extends ConfigFlags {
  readonly project?: string;
}

const POLL_MS = 1_000;
/** More are no picture. */
const MOST = 100;

/** Resolves when all that were named have ended, or with `EXIT.interrupted`. */
export async function watchFlows(typed: readonly string[], options: WatchOptions, around: CliContext): Promise<number> {
  const { out, signal, keyboard } = around;
  // One connection reads: it is asked one thing after another.
  const db = await openDatabase(configurationOf(options).database.url, { as: 'tool', readers: 1 });
  const quit = listenForQuit(out.isLive ? keyboard : undefined);
  const until = AbortSignal.any([signal, quit.signal]);
  try {
    const named: string[] = [];
    for (const each of typed) named.push((await findFlow(db, each)).id);
    const watch = new Watch(db, out, named, options.project);
    while (!(await unlessAborted(watch.look(), until))) await pause(POLL_MS, until);
    return EXIT.ok;
  } catch (error) {
    if (until.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    out.keepPicture();
    quit.stop();
    await db.close();
  }
}

class Watch {
  readonly #db: Database;
  readonly #out: Terminal;
  readonly #isOfNamed: boolean;
  readonly #projectId: string | undefined;
  /** In flight when last looked, and what was said of each. */
  #watched: ReadonlyMap<string, string>;
  #seen: Seen = { flows: [], holders: new Map(), more: false };
  #trouble: string | undefined;

  constructor(db: Database, out: Terminal, named: readonly string[], projectId: string | undefined) {
    this.#db = db;
    this.#out = out;
    this.#isOfNamed = named.length > 0;
    this.#projectId = projectId;
    this.#watched = new Map(named.map((id) => [id, '']));
  }

  /** True when nothing is left to be watched. */
  async look(): Promise<boolean> {
    try {
      const ended = await this.#read();
      if (this.#trouble !== undefined) this.#say('The database answers again.');
      this.#trouble = undefined;
      for (const flow of ended) this.#say(endedLine(this.#out, flow));
    } catch (error) {
      if (!isTrouble(error)) throw error;
      if (this.#trouble === undefined) this.#say('The database does not answer; it is waited for.');
      this.#trouble = `The database does not answer: ${(error as Error).message}`;
    }
    const done = this.#isOfNamed && this.#watched.size === 0;
    this.#show(done);
    return done;
  }

  /** Resolves with those that have ended since. */
  async #read(): Promise<readonly FlowRow[]> {
    const journal = new DatabaseJournal(this.#db);
    const projectId = this.#projectId;
    const newest = this.#isOfNamed
      ? []
      : await journal.list({ unended: true, limit: MOST + 1, ...(projectId !== undefined && { projectId }) });
    const listed = newest.slice(0, MOST).toReversed();
    const inFlight = new Set(listed.map(({ id }) => id));
    const others: FlowRow[] = [];
    for (const id of this.#watched.keys()) {
      const row = inFlight.has(id) ? undefined : await journal.find(id);
      if (row !== undefined) others.push(row);
    }
    const flows = this.#isOfNamed ? others.filter(({ endedAt }) => endedAt === null) : listed;
    const waiting = flows.filter(({ lane }) => lane === WAITING_LANE);
    const holders = await whatKeeps(
      this.#db.read,
      waiting.map(({ id }) => id),
    );
    this.#watched = new Map(flows.map(({ id }) => [id, this.#watched.get(id) ?? '']));
    this.#seen = { flows, holders, more: newest.length > MOST };
    return others.filter(({ endedAt }) => endedAt !== null);
  }

  #show(done: boolean): void {
    if (this.#out.isLive) {
      if (!done) this.#out.picture(pictureLines(this.#out, this.#seen, this.#trouble, now()));
      return;
    }
    const { flows, holders } = this.#seen;
    const said = flows.map((flow) => [flow.id, flowLine(flow, holders.get(flow.id) ?? [])] as const);
    for (const [id, text] of said) if (this.#watched.get(id) !== text) this.#say(text);
    this.#watched = new Map(said);
  }

  #say(text: string): void {
    this.#out.line(`${this.#out.paint('dim', clockTime(now()).slice(0, 19))}  ${text}`);
  }
}

/** What waits for an answer that may never come ends at once. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const give = (): void => reject(signal.reason);
    signal.addEventListener('abort', give, { once: true });
    if (signal.aborted) give();
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', give));
  });
}
