/** The transactor of SQLite: transactions of the one writing connection, units kept or undone by a savepoint. */
import { Db } from './db.ts';
import { isBusy, type SqliteFile } from './sqlite.ts';
import { TransactionCache } from './transaction-cache.ts';
import type { OpenTransaction, Transactor } from './transactor.ts';

/** Transactions of the one writing connection. They begin IMMEDIATE: a lock asked for halfway could be refused halfway. */
export class SqliteTransactor implements Transactor {
  readonly #file: SqliteFile;
  readonly #cache: TransactionCache;
  readonly #db: Db;
  #shared = false;
  #synced = true;
  /** The savepoint of the unit before stands. */
  #saved = false;

  constructor(file: SqliteFile) {
    this.#file = file;
    this.#cache = new TransactionCache(file);
    this.#db = new Db(file, this.#cache);
  }

  get failure(): unknown {
    return this.#file.failure;
  }

  set failure(failure: unknown) {
    this.#file.failure = failure;
  }

  async begin(shared: boolean, synced: boolean): Promise<OpenTransaction> {
    this.#file.failure = undefined;
    // In WAL a commit that syncs makes those before it durable, too.
    if (synced !== this.#synced) await this.#file.run(`PRAGMA synchronous = ${synced ? 'FULL' : 'NORMAL'}`);
    this.#synced = synced;
    this.#file.statement('BEGIN IMMEDIATE').run();
    this.#shared = shared;
    this.#saved = false;
    this.#cache.begin();
    return { connection: this.#file, db: this.#db, cache: this.#cache };
  }

  enter(): void {
    if (!this.#shared) return;
    if (this.#saved) this.#file.statement('RELEASE unit').run();
    this.#file.statement('SAVEPOINT unit').run();
    this.#saved = true;
  }

  async undo(reason: unknown): Promise<boolean> {
    // A full disk or a failing one makes SQLite end the transaction by itself, and then nothing may go on in it.
    if (!this.#file.inTransaction) throw this.#file.failure ?? reason;
    this.#file.statement(this.#shared ? 'ROLLBACK TO unit' : 'ROLLBACK').run();
    return this.#shared;
  }

  async commit(): Promise<void> {
    if (this.#file.inTransaction) this.#file.statement('COMMIT').run();
  }

  async abandon(): Promise<void> {
    if (this.#file.inTransaction) this.#file.statement('ROLLBACK').run();
  }

  passes(error: unknown): boolean {
    return isBusy(error);
  }

  async close(): Promise<void> {
    this.#file.close();
  }
}
