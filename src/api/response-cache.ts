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

/** An answer as it was sent first. */
export interface KeptAnswer {
  readonly bytes: Buffer;
  /** The same byte by byte, of one that is sent in one piece with its headers: made when it is first sent so. */
  text?: string;
}

/** The answers to one URL. */
interface KeptAnswers {
  readonly meter: RouteMeter | undefined;
  /** By who asks. */
  readonly byAsker: Map<string, KeptAnswer>;
  /** Who was answered last: mostly the one who asks again, who is known sooner than put into words. */
  last: Answered | undefined;
}

interface Answered extends Pick<Caller, 'roles' | 'serviceRoles' | 'isAdmin' | 'userId' | 'projectId'> {
  readonly version: Microversion;
  readonly host: string | undefined;
  readonly answer: KeptAnswer;
}

/** What an entry costs beside its answer. */
const OVERHEAD = 400;
/** Bytes. Up to here an answer is sent as text, in one piece with its headers; more is not copied for that. */
export const SMALL = 16_384;

const roomOf = ({ length }: Buffer): number => OVERHEAD + (length <= SMALL ? 2 * length : length);

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

  find(url: string, asking: AnswerKey, mark: Mark): KeptAnswer | undefined {
    const kept = mark === this.#mark ? this.#kept.get(url) : undefined;
    if (kept === undefined) return undefined;
    if (kept.last !== undefined && isOf(kept.last, asking)) return kept.last.answer;
    const answer = kept.byAsker.get(this.#key(asking));
    if (answer !== undefined) {
      const { caller, version, host } = asking;
      const { roles, serviceRoles, isAdmin, userId, projectId } = caller;
      // Not the caller, who has a token.
      kept.last = { roles, serviceRoles, isAdmin, userId, projectId, version, host, answer };
    }
    return answer;
  }

  /** Of the route that has answered the URL. */
  meterOf(url: string): RouteMeter | undefined {
    return this.#kept.get(url)?.meter;
  }

  keep(url: string, asking: AnswerKey, mark: Mark, answer: Buffer, meter?: RouteMeter): void {
    const size = roomOf(answer);
    if (size > this.#mostBytes / 4) return;
    if (mark !== this.#mark) this.#forgetAll(mark);
    const answers = this.#kept.get(url) ?? { meter, byAsker: new Map<string, KeptAnswer>(), last: undefined };
    const key = this.#key(asking);
    const before = answers.byAsker.get(key);
    this.#bytes += size - (before === undefined ? 0 : roomOf(before.bytes));
    answers.byAsker.set(key, { bytes: answer });
    answers.last = undefined;
    this.#kept.set(url, answers);
    for (const [oldest, its] of this.#kept) {
      if (this.#bytes <= this.#mostBytes) return;
      for (const { bytes } of its.byAsker.values()) this.#bytes -= roomOf(bytes);
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

/** Lists of roles are never changed, and those of a token that is remembered are the very same. */
function isOf(last: Answered, { caller, version, host }: AnswerKey): boolean {
  return (
    last.roles === caller.roles &&
    last.serviceRoles === caller.serviceRoles &&
    last.version === version &&
    last.isAdmin === caller.isAdmin &&
    last.projectId === caller.projectId &&
    last.userId === caller.userId &&
    last.host === host
  );
}
