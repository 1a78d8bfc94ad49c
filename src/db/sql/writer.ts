/**
 * The single writer of a process: group commit.
 *
 * A durable commit costs a sync of the disk, whatever it holds. So all units of work that are queued in one turn of the
 * event loop, in those that follow it without a break, or while a commit is under way, run one after another in ONE transaction.
 * They do not feel each other: a unit that throws is undone alone and rejects alone, by a savepoint. Nothing resolves, and no
 * hook runs, before the commit is durable.
 *
 * - A unit only touches its `tx`: it may run again from its beginning, when the transaction lost a deadlock, could not be
 *   serialised, its connection broke, or an entry of another unit was refused. It must not await a program, a client, or
 *   another `write` (which would wait for the very transaction it stands in). One that throws `NotAhead`, or is refused for
 *   it, runs once more at once.
 * - A statement that fails spoils its unit, even when the unit swallows the failure: PostgreSQL would have it so anyway.
 * - A commit whose answer was lost is found out by reading (`postgresql-transactor.ts`), never guessed. A commit
 *   that cannot be found out in time rejects with `CommitInDoubt`.
 *
 * **Unsynced.** A transaction of nothing but units that may be lost with the machine (`writeUnsynced`) is committed without a sync on SQLite,
 * where everybody waits for a sync. What is synced after it makes it durable, so that of all commits a power cut takes the last ones. On PostgreSQL it
 * is synced all the same: a server that dies alone would lose what this process goes on from.
 *
 * **Put off.** Rows that are changed by their id are changed in the cache of the transaction (`transaction-cache.ts`), and written
 * for all units together before the entries. When that fails, no unit can be blamed, and each runs again alone.
 *
 * **Entries.** A write whose effect its unit need not see is handed over as an entry (`Tx.batch`): when all units have run, the
 * entries of all of them go through one call of their handler, the last statements before the commit. So fifty flows that
 * begin or go on together cost one statement, and one journey to the database.
 */
import { elapsed, pause } from '../../lib/clock.ts';
import { Job, type JobNeeds, type Waiter } from './job.ts';
import { CommitInDoubt, FailureSwallowed, type OpenTransaction, type Transactor } from './transactor.ts';
import { type BatchHandler, type ReadAhead, Refused, type Unit } from './tx.ts';

export interface WriterOptions {
  /** Units in one transaction that use the database themselves. PostgreSQL slows down from 64 savepoints on. */
  readonly maxSavepoints?: number;
  /** Units in one transaction. */
  readonly maxUnits?: number;
  /** How long a transaction that keeps failing for passing reasons is tried. */
  readonly patienceMs?: number;
  /** Told of each transaction that was committed, how many milliseconds it took. Nobody looks at the clock otherwise. */
  timed?(ms: number): void;
}

/** Since the process began. */
export interface WriterStats {
  readonly commits: number;
  /** That were asked for. */
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
  readonly #maxSavepoints: number;
  readonly #maxUnits: number;
  readonly #patienceMs: number;
  readonly #timed: ((ms: number) => void) | undefined;
  readonly #closing = new AbortController();
  #queue: Job[] = [];
  #running: Promise<void> | undefined;
  #commits = 0;
  #units = 0;
  #reruns = 0;

  constructor(transactor: Transactor, options: WriterOptions = {}) {
    this.#transactor = transactor;
    this.#maxSavepoints = options.maxSavepoints ?? 60;
    this.#maxUnits = options.maxUnits ?? 500;
    this.#patienceMs = options.patienceMs ?? 30_000;
    this.#timed = options.timed;
  }

  get stats(): WriterStats {
    return { commits: this.#commits, units: this.#units, reruns: this.#reruns };
  }

  /** `ahead`: read, and locked, before the units of the transaction run. */
  write<T>(unit: Unit<T>, ahead: readonly ReadAhead[] = []): Promise<T> {
    return this.#write(unit, { ahead, synced: true });
  }

  /** As `write`. Alone it may wait for no sync: what it writes stays when the process dies, and may be lost with the machine. */
  writeUnsynced<T>(unit: Unit<T>): Promise<T> {
    return this.#write(unit, { ahead: [], synced: false });
  }

  #write<T>(unit: Unit<T>, needs: JobNeeds): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#closing.signal.aborted) return reject(this.#closing.signal.reason);
      this.#units += 1;
      this.#queue.push(new Job(unit, needs, { resolve: resolve as Waiter['resolve'], reject }));
      this.#running ??= this.#drain();
    });
  }

  /** A unit that is nothing but an entry, and gives its result. */
  batch<E, R>(handler: BatchHandler<E, R>): (entry: E) => Promise<R> {
    return async (entry) => {
      let result: R | undefined;
      await this.write(async (tx) => tx.batch(handler, entry, (told) => (result = told)));
      return result as R;
    };
  }

  /** From now on nothing is tried again, and what comes later is refused for this reason. */
  giveUp(reason: Error): void {
    this.#closing.abort(reason);
  }

  /** What is queued is still tried once; what comes later is refused. */
  async close(): Promise<void> {
    this.#closing.abort(new WriterClosed());
    await this.#running;
    await this.#transactor.close();
  }

  async #drain(): Promise<void> {
    for (;;) {
      await this.#gather();
      const jobs = this.#queue.splice(0, this.#maxUnits);
      if (jobs.length === 0) break;
      await this.#run(jobs);
    }
    this.#running = undefined;
  }

  /**
   * Lets the rest of this turn join, and lets sockets be read between two transactions, which on SQLite never wait. What a commit set free
   * comes back a turn or two later, one behind the other: as long as a turn has brought some, the next one's join too.
   */
  async #gather(): Promise<void> {
    for (let turns = 0, before = -1; turns < MOST_TURNS && this.#queue.length > before; turns += 1) {
      before = this.#queue.length;
      await turn();
    }
  }

  async #run(given: readonly Job[]): Promise<void> {
    const start = elapsed();
    let jobs = given;
    for (let waitMs = 4; jobs.length > 0; ) {
      const ran: Job[] = [];
      const begun = this.#timed && elapsed();
      try {
        const refused = await this.#transaction(jobs, ran);
        if (refused.size > 0) {
          await this.#transactor.abandon();
          for (const job of refused) if (!job.again) job.settle();
          jobs = jobs.filter((job) => !refused.has(job) || job.again);
          continue;
        }
        this.#commits += 1;
        if (begun !== undefined) this.#timed?.(elapsed() - begun);
        for (const job of ran) job.settle();
        jobs = jobs.slice(ran.length);
      } catch (error) {
        const passes = this.#transactor.passes(error);
        await this.#transactor.abandon();
        if (error instanceof CommitInDoubt) {
          this.#fail(ran, error);
          jobs = jobs.slice(ran.length);
          continue;
        }
        if (!passes && jobs.some(({ again }) => again)) continue;
        if (!passes && jobs.length > 1) return await this.#runApart(jobs);
        if (!passes || elapsed() - start > this.#patienceMs) return this.#fail(jobs, error);
        this.#reruns += 1;
        try {
          // With jitter: two that were in each other's way are not to come back together. Whoever waits for the answer may
          // have nothing else that keeps the process alive: a command of the command line.
          await pause(waitMs * (0.5 + Math.random()), this.#closing.signal, { ref: true });
        } catch {
          return this.#fail(jobs, error);
        }
        waitMs = Math.min(waitMs * 2, 500);
      }
    }
  }

  /** One of them made the transaction impossible as a whole (a full disk does); the others shall not suffer for it. */
  async #runApart(jobs: readonly Job[]): Promise<void> {
    for (const job of jobs) await this.#run([job]);
  }

  #fail(jobs: readonly Job[], error: unknown): void {
    for (const job of jobs) job.fail(error);
  }

  /** Runs as many as it holds, which it adds to `ran`. Resolves with those that were refused; is committed when none was. */
  async #transaction(jobs: readonly Job[], ran: Job[]): Promise<ReadonlySet<Job>> {
    const transactor = this.#transactor;
    const open = await transactor.begin(
      jobs.length > 1,
      jobs.some(({ synced }) => synced),
    );
    await readTogether(open, jobs);
    for (let entered = 0; ran.length < jobs.length && entered < this.#maxSavepoints; ) {
      const job = jobs[ran.length] as Job;
      await job.run(transactor, open);
      if (open.cache.entered) entered += 1;
      ran.push(job);
    }
    transactor.failure = undefined;
    const refused = await this.#end(ran, open);
    if (transactor.failure !== undefined) throw new FailureSwallowed(transactor.failure);
    if (refused.size === 0) await transactor.commit(this.#closing.signal);
    return refused;
  }

  /** What was put off, then all entries, each handler's in one call, and all of it sent one behind the other. */
  async #end(jobs: readonly Job[], { connection, cache }: OpenTransaction): Promise<ReadonlySet<Job>> {
    const written = cache.end();
    const entries = jobs.flatMap((job) => job.entries.map((entry) => ({ ...entry, job })));
    const calls = [...Map.groupBy(entries, ({ handler }) => handler)].map(async ([handler, together]) => {
      const results = await handler(
        connection,
        together.map(({ entry }) => entry),
      );
      if (results.length !== together.length)
        throw new Error(`A batch of ${together.length} gave ${results.length} results.`);
      return together.map((each, index) => ({ ...each, result: results[index] }));
    });
    await Promise.allSettled([written, ...calls]);
    await written;
    const refused = new Set<Job>();
    for (const { job, result, told } of (await Promise.all(calls)).flat()) {
      if (result instanceof Refused) {
        job.refuse(result.reason);
        refused.add(job);
      } else told(result);
    }
    return refused;
  }
}

/** Of the event loop. Who came first waits for as many, and a turn may be long. */
const MOST_TURNS = 4;

async function readTogether({ db, cache }: OpenTransaction, jobs: readonly Job[]): Promise<void> {
  const wanted = Map.groupBy(
    jobs.flatMap(({ ahead }) => ahead),
    ({ rows }) => rows,
  );
  for (const [rows, those] of wanted)
    await rows.lockAll(
      db,
      those.map(({ id }) => id),
    );
  // They are of no unit, and stay when one is undone.
  cache.endUnit({ stands: true });
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
