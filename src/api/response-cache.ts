/**
 * The response cache: whole answers, as long as nobody has changed anything.
 *
 * Clients ask the same again and again: a dashboard the same list, a waiting client the same volume. A route that depends on
 * nothing but the database, the URL and the caller is `cacheable`; its answer is kept together with the database's data version
 * (`db/sql/data-version.ts`, here the *mark*) and sent again while the version stands. One commit by anyone invalidates all of them;
 * then the row cache (`row-cache.ts`) saves work. Bounded by size: the answers to the oldest URL go first.
 */

import type { Database } from '../db/database.ts';
import { type DataVersion, dataVersionOf } from '../db/sql/data-version.ts';
import type { Caller } from '../model/caller.ts';
import type { Microversion } from './microversion.ts';
import type { Policy } from './policy/policy.ts';
import type { RouteMeter } from './request-meter.ts';

/** What an answer depends on beside its URL and the database. */
export interface AnswerKey {
  readonly caller: Caller;
  readonly version: Microversion;
  readonly host: string | undefined;
}

export type Mark = DataVersion;

/** The answers to one URL. */
interface KeptAnswers {
  readonly meter: RouteMeter | undefined;
  /** By who asks. */
  readonly byAsker: Map<string, Buffer>;
}

/** What an entry costs beside its answer. */
const OVERHEAD = 400;

export class ResponseCache {
  readonly #db: Pick<Database, 'reader' | 'stats'>;
  readonly #version: () => Mark | Promise<Mark>;
  readonly #policy: Policy;
  readonly #mostBytes: number;
  /** By URL, the oldest first; all under the one mark. */
  readonly #kept = new Map<string, KeptAnswers>();
  /** Answers that were known, before the router and behind it, and that were not. Counted by those who ask. */
  readonly counts = { fast: 0, slow: 0, missed: 0 };
  #mark: Mark | undefined;
  #bytes = 0;
  #turn: { readonly mark: Mark | Promise<Mark>; readonly commits: number } | undefined;

  constructor(db: Pick<Database, 'reader' | 'stats'>, policy: Policy, mostBytes = 16 * 1024 * 1024) {
    this.#db = db;
    this.#version = dataVersionOf(db.reader);
    this.#policy = policy;
    this.#mostBytes = mostBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** To be taken before anything is read for an answer. */
  mark(): Mark | Promise<Mark> {
    return this.#version();
  }

  /**
   * The mark, if the URL has been answered under it, to whomever; where it has to be asked for, if the URL has been answered
   * lately. For a request that was just read from its socket: those that are read in one turn of the event loop were all sent
   * before it began, so one look at the database is enough for them, as long as this process has not committed anything since.
   */
  markOf(url: string): Mark | Promise<Mark> | undefined {
    if (!this.#kept.has(url)) return undefined;
    if (this.#db.reader.dialect === 'postgresql') return this.mark();
    const { commits } = this.#db.stats;
    if (this.#turn === undefined) {
      setImmediate(() => {
        this.#turn = undefined;
      });
    }
    if (this.#turn?.commits !== commits) this.#turn = { mark: this.mark(), commits };
    return this.#turn.mark === this.#mark ? this.#mark : undefined;
  }

  find(url: string, asking: AnswerKey, mark: Mark): Buffer | undefined {
    return mark === this.#mark ? this.#kept.get(url)?.byAsker.get(this.#key(asking)) : undefined;
  }

  /** Of the route that has answered the URL. */
  meterOf(url: string): RouteMeter | undefined {
    return this.#kept.get(url)?.meter;
  }

  keep(url: string, asking: AnswerKey, mark: Mark, answer: Buffer, meter?: RouteMeter): void {
    const size = answer.length + OVERHEAD;
    if (size > this.#mostBytes / 4) return;
    if (mark !== this.#mark) this.#forgetAll(mark);
    const answers = this.#kept.get(url) ?? { meter, byAsker: new Map<string, Buffer>() };
    const key = this.#key(asking);
    const before = answers.byAsker.get(key);
    this.#bytes += size - (before === undefined ? 0 : before.length + OVERHEAD);
    answers.byAsker.set(key, answer);
    this.#kept.set(url, answers);
    for (const [oldest, its] of this.#kept) {
      if (this.#bytes <= this.#mostBytes) return;
      for (const { length } of its.byAsker.values()) this.#bytes -= length + OVERHEAD;
      this.#kept.delete(oldest);
    }
  }

  #forgetAll(mark: Mark): void {
    this.#kept.clear();
    this.#bytes = 0;
    this.#mark = mark;
  }

  /** Who has the same rights in the same project is told the same. None of the parts can hold a line's end. */
  #key({ caller, version, host }: AnswerKey): string {
    return `${version}\n${this.#policy.rightsOf(caller)}\n${caller.projectId}\n${host}`;
  }
}
