/**
 * A journal that dies, loses answers, has trouble or tells of each write, over one that works.
 *
 * It stands for one life of a process: after the write that is chosen it refuses everything, as a dead process would
 * do nothing more. What was asked of the database before may still happen there, but nobody hears the answer: the engine, which
 * here outlives its process, decides nothing by it. The journal below it, and with it all that was committed, is there for
 * the next life.
 */
import { type Claimed, type EngineTx, type Journal, NotAhead, type Write } from '../../src/engine/journal.ts';

/** `before`: nothing of the write took effect. `after`: all of it did, and nobody was told. */
export type Moment = 'before' | 'after';

export interface Faults {
  /** The process dies at this write, counted from 0. */
  readonly crash?: { readonly write: number; readonly moment: Moment };
  /** Called before each write, outside of any transaction. */
  readonly onWrite?: (write: number) => Promise<void> | void;
  /** These writes fail once with storage trouble, before or after they took effect. */
  readonly trouble?: ReadonlyMap<number, Moment>;
  /** So many reads of steps fail, after those of the start. */
  readonly unreadable?: number;
  /** Each transaction is made twice, the first time for nothing. */
  readonly rehearse?: boolean;
  /** No flow goes on in the transaction that begins it. */
  readonly behind?: boolean;
}

/** The process is dead. */
export class Crashed extends Error {
  override readonly name = 'Crashed';
}

/** The disk is full, the connection broke. */
export class Trouble extends Error {
  override readonly name = 'Trouble';
}

class Rehearsed extends Error {}

export class FaultyJournal<Tx extends EngineTx> implements Journal<Tx> {
  readonly #inner: Journal<Tx>;
  readonly #faults: Faults;
  readonly #troubled = new Set<number>();
  #started = false;
  #refused = 0;
  #died = (): void => {};
  /** Resolves when it has crashed. */
  readonly death: Promise<void>;
  dead = false;
  /** Writes that were tried. */
  writes = 0;
  /** Looks at the queue that have been made. */
  looks = 0;
  /** The write that turned its flow back, for the last time. */
  turned = Number.POSITIVE_INFINITY;

  constructor(inner: Journal<Tx>, faults: Faults = {}) {
    this.#inner = inner;
    this.#faults = faults;
    this.death = new Promise((resolve) => {
      this.#died = resolve;
    });
  }

  /** The process dies now. */
  die(): void {
    this.dead = true;
    this.#died();
  }

  append(claimed: Claimed, write: Write): Promise<void> {
    return this.#write(async () => {
      this.#note(write);
      await this.#inner.append(claimed, write);
    });
  }

  transact(claimed: Claimed, make: (tx: Tx) => Promise<Write>, resource?: string): Promise<void> {
    return this.#write(async () => {
      if (this.#faults.rehearse) await this.#rehearse(claimed, make);
      await this.#inner.transact(
        claimed,
        async (tx) => {
          this.#alive();
          const write = await make(tx);
          this.#alive();
          this.#note(write);
          return write;
        },
        resource,
      );
    });
  }

  #note({ steps }: Write): void {
    if (steps.some(({ event }) => event === 'failed' || event === 'cancelled')) this.turned = this.writes - 1;
  }

  async #rehearse(claimed: Claimed, make: (tx: Tx) => Promise<Write>): Promise<void> {
    try {
      await this.#inner.transact(claimed, async (tx) => {
        await make(tx);
        throw new Rehearsed();
      });
    } catch (error) {
      if (!(error instanceof Rehearsed)) throw error;
    }
  }

  async #write(write: () => Promise<void>): Promise<void> {
    this.#alive();
    const number = this.writes;
    this.writes += 1;
    await this.#faults.onWrite?.(number);
    this.#alive();
    const dies = this.#faults.crash?.write === number ? this.#faults.crash.moment : undefined;
    const troubled = this.#troubled.has(number) ? undefined : this.#faults.trouble?.get(number);
    this.#troubled.add(number);
    if (dies === 'before') this.die();
    this.#alive();
    if (troubled === 'before') throw new Trouble('The disk is full.');
    await write();
    if (dies === 'after') this.die();
    this.#alive();
    if (troubled === 'after') throw new Trouble('The answer was lost.');
  }

  #read(id: string): ReturnType<Journal<Tx>['steps']> {
    if (this.#started) this.#refused += 1;
    if (this.#started && this.#refused <= (this.#faults.unreadable ?? 0)) throw new Trouble('Not now.');
    return this.#inner.steps(id);
  }

  #alive(): void {
    if (this.dead) throw new Crashed('The process is dead.');
  }

  async #living<T>(call: () => Promise<T>): Promise<T> {
    this.#alive();
    const result = await call();
    this.#alive();
    return result;
  }

  insert: Journal<Tx>['insert'] = (tx, flow, ahead, told, refusal) => {
    if (this.#faults.behind && ahead !== undefined) throw new NotAhead();
    return this.#living(() => this.#inner.insert(tx, flow, ahead, told, refusal));
  };
  grant: Journal<Tx>['grant'] = async () => {
    const others = await this.#living(() => this.#inner.grant());
    this.looks += 1;
    return others;
  };
  claim: Journal<Tx>['claim'] = async (request) => {
    const admit: typeof request.admit = (waiting) => {
      this.#alive();
      return request.admit(waiting);
    };
    const rows = await this.#living(() => this.#inner.claim({ ...request, admit }));
    this.#started = true;
    return rows;
  };
  handBack: Journal<Tx>['handBack'] = (process) => this.#living(() => this.#inner.handBack(process));
  steps: Journal<Tx>['steps'] = (id) => this.#living(() => this.#read(id));
  find: Journal<Tx>['find'] = (id) => this.#living(() => this.#inner.find(id));
  list: Journal<Tx>['list'] = (query) => this.#living(() => this.#inner.list(query));
  wish: Journal<Tx>['wish'] = (id, wish, reason) => this.#living(() => this.#inner.wish(id, wish, reason));
  wished: Journal<Tx>['wished'] = (process) => this.#living(() => this.#inner.wished(process));
  doing: Journal<Tx>['doing'] = (id, doing) => this.#living(() => this.#inner.doing(id, doing));
  prune: Journal<Tx>['prune'] = (before, limit) => this.#living(() => this.#inner.prune(before, limit));

  isTrouble(error: unknown): boolean {
    return error instanceof Trouble || this.#inner.isTrouble(error);
  }
}
