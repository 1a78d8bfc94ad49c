/** A job of the writer: a unit of work, what its last run came to, and who waits for it. */
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

export class Job {
  /** What its last run handed over. */
  entries: readonly Entry[] = [];
  readonly ahead: readonly ReadAhead[];
  readonly #unit: Unit<unknown>;
  readonly #caller: Waiter;
  #outcome: Result | undefined;

  constructor(unit: Unit<unknown>, ahead: readonly ReadAhead[], caller: Waiter) {
    this.ahead = ahead;
    this.#unit = unit;
    this.#caller = caller;
  }

  /** Runs, perhaps not for the first time, in the open transaction. */
  async run(transactor: Transactor, open: OpenTransaction): Promise<void> {
    const { cache } = open;
    this.entries = [];
    transactor.failure = undefined;
    cache.startUnit(() => transactor.enter());
    const hooks: (() => void)[] = [];
    const entries: Entry[] = [];
    const tx = new OpenTx(open, hooks, entries);
    try {
      const value = await this.#unit(tx);
      if (transactor.failure !== undefined) throw new FailureSwallowed(transactor.failure);
      cache.endUnit({ stands: true });
      this.#outcome = { value, hooks };
      this.entries = entries;
    } catch (error) {
      if (transactor.passes(error)) throw error;
      if (cache.broken !== undefined) throw cache.broken.error;
      // A statement failed that has no savepoint before it: it has spoiled the transaction.
      if (!cache.entered && transactor.failure !== undefined) throw error;
      if (cache.entered) await transactor.undo(error);
      cache.endUnit({ stands: false });
      this.#outcome = { error };
    } finally {
      tx.end();
    }
  }

  refuse(reason: unknown): void {
    this.#outcome = { error: reason };
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
  #ended = false;

  constructor(open: OpenTransaction, hooks: (() => void)[], entries: Entry[]) {
    this.#open = open;
    this.#hooks = hooks;
    this.#entries = entries;
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
