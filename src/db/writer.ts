/**
 * The single writer of a process: group commit.
 *
 * A durable commit costs a sync of the disk, whatever it holds. So all units of work that are queued in one turn of the
 * event loop, or while a commit is under way, run one after another in ONE transaction. They do not feel each other: a
 * unit that throws is undone alone and rejects alone, by a savepoint. Nothing resolves, and no hook runs, before the
 * commit is durable.
 *
 * - A unit only touches its `tx`: it may run again from its beginning, when the transaction lost a deadlock, could not be
 *   serialised, or its connection broke. It must not await a program, a client, or another `write` (which would wait
 *   for the very transaction it stands in).
 * - A statement that fails spoils its unit, even when the unit swallows the failure: PostgreSQL would have it so anyway.
 * - A commit whose answer was lost is found out by reading (`postgresql-transactor.ts`), never guessed. What cannot
 *   be found out in time rejects with `CommitInDoubt`.
 *
 * `batch` goes one step further for the many small entries of the journals: the entries of one transaction go through
 * one call of their handler, at the place of the first. If that call throws, each entry goes through alone, so that only
 * the culprit fails.
 */
import type { Kysely } from 'kysely';
import { elapsed, pause } from '../lib/clock.ts';
import type { Connection } from './connection.ts';
import type { Tables } from './schema.ts';
import { CommitInDoubt, FailureSwallowed, type Transactor } from './transactor.ts';

export interface Tx {
  readonly db: Kysely<Tables>;
  readonly connection: Connection;
  /** Runs once, after the commit, before the unit's promise resolves; not when the unit is undone. Must not throw. */
  onCommit(fn: () => void): void;
}

export type Unit<T> = (tx: Tx) => Promise<T>;
export type BatchHandler<E, R> = (tx: Tx, entries: readonly E[]) => Promise<readonly R[]>;

export interface WriterOptions {
  /** Units in one transaction. PostgreSQL slows down from 64 savepoints on. */
  readonly maxUnits?: number;
  /** Entries in one call of a batch handler. */
  readonly maxEntries?: number;
  /** How long a transaction that keeps failing for passing reasons is tried. */
  readonly patienceMs?: number;
}

/** Since the process began. */
export interface WriterStats {
  readonly commits: number;
  /** Units and batch entries that were asked for. */
  readonly units: number;
  /** Transactions that were run again. */
  readonly reruns: number;
}

export class WriterClosed extends Error {
  override readonly name = 'WriterClosed';
  constructor() {
    super('The database is closed.');
  }
}

export class Writer {
  readonly #transactor: Transactor;
  readonly #maxUnits: number;
  readonly #maxEntries: number;
  readonly #patienceMs: number;
  readonly #closing = new AbortController();
  #queue: Job[] = [];
  #running: Promise<void> | undefined;
  #commits = 0;
  #units = 0;
  #reruns = 0;

  constructor(transactor: Transactor, options: WriterOptions = {}) {
    this.#transactor = transactor;
    this.#maxUnits = options.maxUnits ?? 60;
    this.#maxEntries = options.maxEntries ?? 500;
    this.#patienceMs = options.patienceMs ?? 30_000;
  }

  get stats(): WriterStats {
    return { commits: this.#commits, units: this.#units, reruns: this.#reruns };
  }

  write<T>(unit: Unit<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#closing.signal.aborted) return reject(new WriterClosed());
      this.#units += 1;
      this.#enqueue(new UnitJob(unit, { resolve, reject }));
    });
  }

  batch<E, R>(handler: BatchHandler<E, R>): (entry: E) => Promise<R> {
    let gathering: BatchJob<E, R> | undefined;
    return (entry) =>
      new Promise((resolve, reject) => {
        if (this.#closing.signal.aborted) return reject(new WriterClosed());
        this.#units += 1;
        if (gathering === undefined || gathering.started || gathering.size >= this.#maxEntries) {
          gathering = new BatchJob(handler);
          this.#enqueue(gathering);
        }
        gathering.add(entry, { resolve, reject });
      });
  }

  /** What is queued is still tried once; what comes later is refused. */
  async close(): Promise<void> {
    this.#closing.abort(new WriterClosed());
    await this.#running;
    await this.#transactor.close();
  }

  #enqueue(job: Job): void {
    this.#queue.push(job);
    this.#running ??= this.#drain();
  }

  async #drain(): Promise<void> {
    for (;;) {
      // Lets the rest of this turn join, and lets sockets be read between two transactions, which on SQLite never wait.
      await turn();
      const jobs = this.#queue.splice(0, this.#maxUnits);
      if (jobs.length === 0) break;
      for (const job of jobs) job.started = true;
      await this.#run(jobs);
    }
    this.#running = undefined;
  }

  async #run(jobs: readonly Job[]): Promise<void> {
    const start = elapsed();
    for (let waitMs = 4; ; waitMs = Math.min(waitMs * 2, 500)) {
      try {
        await this.#transaction(jobs);
        break;
      } catch (error) {
        const passes = !(error instanceof CommitInDoubt) && this.#transactor.passes(error);
        await this.#transactor.abandon();
        if (!passes && !(error instanceof CommitInDoubt) && jobs.length > 1) return await this.#runApart(jobs);
        if (!passes || elapsed() - start > this.#patienceMs) return this.#fail(jobs, error);
        this.#reruns += 1;
        try {
          // Whoever waits for the answer may have nothing else that keeps the process alive: a command of the command line.
          await pause(waitMs * (0.5 + Math.random()), this.#closing.signal, { ref: true });
        } catch {
          return this.#fail(jobs, error);
        }
      }
    }
    this.#commits += 1;
    for (const job of jobs) job.settle();
  }

  /** One of them made the transaction impossible as a whole (a full disk does); the others shall not suffer for it. */
  async #runApart(jobs: readonly Job[]): Promise<void> {
    for (const job of jobs) await this.#run([job]);
  }

  #fail(jobs: readonly Job[], error: unknown): void {
    for (const job of jobs) job.fail(error);
  }

  async #transaction(jobs: readonly Job[]): Promise<void> {
    const transactor = this.#transactor;
    const shared = jobs.length > 1 || jobs.some((job) => job.size > 1);
    const { connection, db } = await transactor.begin(shared);
    const alone = async <T>(unit: Unit<T>): Promise<Outcome<T>> => {
      await transactor.enter();
      const hooks: (() => void)[] = [];
      const tx = new OpenTx(db, connection, hooks);
      try {
        const value = await unit(tx);
        if (transactor.failure !== undefined) throw new FailureSwallowed(transactor.failure);
        await transactor.keep();
        return { value, hooks };
      } catch (error) {
        if (transactor.passes(error)) throw error;
        await transactor.undo(error);
        return { error };
      } finally {
        tx.end();
      }
    };
    for (const job of jobs) await job.run(alone);
    await transactor.commit(this.#closing.signal);
  }
}

type Outcome<T> = { readonly value: T; readonly hooks: readonly (() => void)[] } | { readonly error: unknown };
type Alone = <T>(unit: Unit<T>) => Promise<Outcome<T>>;

interface Caller<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

interface Job {
  started: boolean;
  readonly size: number;
  /** Runs, perhaps not for the first time, in the open transaction. */
  run(alone: Alone): Promise<void>;
  /** Tells the callers, the transaction being durable. */
  settle(): void;
  /** Tells the callers that the transaction is not. */
  fail(error: unknown): void;
}

class UnitJob<T> implements Job {
  started = false;
  readonly size = 1;
  readonly #unit: Unit<T>;
  readonly #caller: Caller<T>;
  #outcome: Outcome<T> | undefined;

  constructor(unit: Unit<T>, caller: Caller<T>) {
    this.#unit = unit;
    this.#caller = caller;
  }

  async run(alone: Alone): Promise<void> {
    this.#outcome = await alone(this.#unit);
  }

  settle(): void {
    tell(this.#caller, this.#outcome);
  }

  fail(error: unknown): void {
    // A unit that failed by itself is told its own failure.
    this.#caller.reject(this.#outcome !== undefined && 'error' in this.#outcome ? this.#outcome.error : error);
  }
}

class BatchJob<E, R> implements Job {
  started = false;
  readonly #handler: BatchHandler<E, R>;
  readonly #entries: E[] = [];
  readonly #callers: Caller<R>[] = [];
  #outcomes: Outcome<R>[] = [];

  constructor(handler: BatchHandler<E, R>) {
    this.#handler = handler;
  }

  get size(): number {
    return this.#entries.length;
  }

  add(entry: E, caller: Caller<R>): void {
    this.#entries.push(entry);
    this.#callers.push(caller);
  }

  async run(alone: Alone): Promise<void> {
    const all = await alone((tx) => this.#handle(tx, this.#entries));
    if ('value' in all) {
      this.#outcomes = all.value.map((value, index) => ({ value, hooks: index === 0 ? all.hooks : [] }));
    } else if (this.size === 1) {
      this.#outcomes = [all];
    } else {
      this.#outcomes = [];
      for (const entry of this.#entries) {
        this.#outcomes.push(await alone(async (tx) => (await this.#handle(tx, [entry]))[0] as R));
      }
    }
  }

  async #handle(tx: Tx, entries: readonly E[]): Promise<readonly R[]> {
    const results = await this.#handler(tx, entries);
    if (results.length !== entries.length)
      throw new Error(`A batch of ${entries.length} gave ${results.length} results.`);
    return results;
  }

  settle(): void {
    for (const [index, caller] of this.#callers.entries()) tell(caller, this.#outcomes[index]);
  }

  fail(error: unknown): void {
    for (const caller of this.#callers) caller.reject(error);
  }
}

function tell<T>(caller: Caller<T>, outcome: Outcome<T> | undefined): void {
  if (outcome === undefined) caller.reject(new Error('The unit was not run.'));
  else if ('error' in outcome) caller.reject(outcome.error);
  else {
    for (const hook of outcome.hooks) runHook(hook);
    caller.resolve(outcome.value);
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
  readonly #db: Kysely<Tables>;
  readonly #connection: Connection;
  readonly #hooks: (() => void)[];
  #ended = false;

  constructor(db: Kysely<Tables>, connection: Connection, hooks: (() => void)[]) {
    this.#db = db;
    this.#connection = connection;
    this.#hooks = hooks;
  }

  get db(): Kysely<Tables> {
    this.#check();
    return this.#db;
  }

  get connection(): Connection {
    this.#check();
    return this.#connection;
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

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
