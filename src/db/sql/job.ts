/** A job of the writer: a unit of work, what its last run came to, and who waits for it. */
import { NotAhead } from '../../engine/journal.ts';
import { type Connection, unawaited } from './connection.ts';
import type { Db } from './db.ts';
import { FailureSwallowed, type OpenTransaction, type Transactor } from './transactor.ts';
import type { BatchHandler, ReadAhead, Tx, Unit } from './tx.ts';

interface Entry {
  readonly handler: BatchHandler<unknown, unknown>;
  readonly entry: unknown;
  readonly told: (result: unknown) => void;
}

export interface Waiter {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Result = { readonly value: unknown; readonly hooks: readonly (() => void)[] } | { readonly error: unknown };

export type JobNeeds = Pick<Job, 'ahead' | 'synced'>;

export class Job {
  /** What its last run handed over. */
  entries: readonly Entry[] = [];
  readonly ahead: readonly ReadAhead[];
  /** The machine may lose it no more. */
  readonly synced: boolean;
  readonly #unit: Unit<unknown>;
  readonly #caller: Waiter;
  #outcome: Result | undefined;
  #repeated = false;
  #again = false;

  constructor(unit: Unit<unknown>, { ahead, synced }: JobNeeds, caller: Waiter) {
    this.ahead = ahead;
    this.synced = synced;
    this.#unit = unit;
    this.#caller = caller;
  }

  /** Runs, perhaps not for the first time, in the open transaction. */
  async run(transactor: Transactor, open: OpenTransaction): Promise<void> {
    const { cache } = open;
    this.entries = [];
    this.#again = false;
    transactor.failure = undefined;
    cache.startUnit(() => transactor.enter());
    const hooks: (() => void)[] = [];
    const entries: Entry[] = [];
    const tx = new OpenTx(open, hooks, entries, this.#repeated);
    try {
      const value = await this.#unit(tx);
      if (transactor.failure !== undefined) throw new FailureSwallowed(transactor.failure);
      await tx.runLast();
      if (transactor.failure !== undefined) throw new NotAhead({ cause: new FailureSwallowed(transactor.failure) });
      cache.endUnit({ stands: true });
      this.#outcome = { value, hooks };
      this.entries = entries;
    } catch (error) {
      if (transactor.passes(error)) throw error;
      this.#judge(error);
      if (cache.broken !== undefined) throw cache.broken.error;
      // A statement failed that has no savepoint before it: it has spoiled the transaction.
      if (!cache.entered && transactor.failure !== undefined) throw error;
      const goesOn = cache.entered ? await transactor.undo(error) : true;
      cache.endUnit({ stands: false });
      if (this.#again && !goesOn) throw error;
      if (this.#again) return await this.run(transactor, open);
      this.#outcome = { error };
    } finally {
      tx.end();
    }
  }

  /** What it handed over cannot be. */
  refuse(reason: unknown): void {
    this.#outcome = { error: reason };
    this.#judge(reason);
  }

  /** Nothing of its last run stands, and it has not failed: it is to run once more. */
  get again(): boolean {
    return this.#again;
  }

  #judge(error: unknown): void {
    this.#again = error instanceof NotAhead && !this.#repeated;
    this.#repeated ||= this.#again;
  }

  /** Tells the caller, the transaction being durable or the unit undone. */
  settle(): void {
    if (this.#outcome === undefined) this.#caller.reject(new Error('The unit was not run.'));
    else if ('error' in this.#outcome) this.#caller.reject(this.#outcome.error);
    else {
      for (const hook of this.#outcome.hooks) runHook(hook);
      this.#caller.resolve(this.#outcome.value);
    }
  }

  /** Tells the caller that the transaction is not durable. */
  fail(error: unknown): void {
    // A unit that failed by itself is told its own failure.
    this.#caller.reject(this.#outcome !== undefined && 'error' in this.#outcome ? this.#outcome.error : error);
  }
}

/** The commit stands, so a failing hook cannot reject its unit; it is a bug, and is raised as one. */
function runHook(hook: () => void): void {
  try {
    hook();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** Valid while its unit runs: a statement that was not awaited would otherwise land in another unit's work. */
class OpenTx implements Tx {
  readonly #open: OpenTransaction;
  readonly #hooks: (() => void)[];
  readonly #entries: Entry[];
  readonly #last: (() => Promise<void>)[] = [];
  readonly repeated: boolean;
  #ended = false;

  constructor(open: OpenTransaction, hooks: (() => void)[], entries: Entry[], repeated: boolean) {
    this.#open = open;
    this.#hooks = hooks;
    this.#entries = entries;
    this.repeated = repeated;
  }

  get db(): Db {
    this.#check();
    return this.#open.db;
  }

  get connection(): Connection {
    this.#check();
    const { connection, cache } = this.#open;
    unawaited(cache.flush());
    cache.forget();
    return connection;
  }

  batch<E, R>(handler: BatchHandler<E, R>, entry: E, told: (result: R) => void = () => {}): void {
    this.#check();
    this.#entries.push({ handler, entry, told } as unknown as Entry);
  }

  atEnd(work: () => Promise<void>): void {
    this.#check();
    this.#last.push(work);
  }

  async runLast(): Promise<void> {
    for (const work of this.#last) await work();
  }

  onCommit(fn: () => void): void {
    this.#check();
    this.#hooks.push(fn);
  }

  end(): void {
    this.#ended = true;
  }

  #check(): void {
    if (this.#ended) throw new Error('The transaction was used after its unit had ended.');
  }
}
