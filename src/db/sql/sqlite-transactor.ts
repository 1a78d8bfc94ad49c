/** The transactor of SQLite: transactions of the one writing connection, units kept or undone by a savepoint. */
import type { SqliteConnection } from './connection.ts';
import { Db } from './db.ts';
import { isBusy, type SqliteFile } from './sqlite.ts';
import type { Transactor } from './transactor.ts';

/** Transactions of the one writing connection. They begin IMMEDIATE: a lock asked for halfway could be refused halfway. */
export class SqliteTransactor implements Transactor {
  readonly #file: SqliteFile;
  readonly #db: Db;
  #shared = false;
  /** The savepoint of the unit before stands. */
  #saved = false;

  constructor(file: SqliteFile) {
    this.#file = file;
    this.#db = new Db(file);
  }

  get failure(): unknown {
    return this.#file.failure;
  }

  set failure(failure: unknown) {
    this.#file.failure = failure;
  }

  async begin(shared: boolean): Promise<{ connection: SqliteConnection; db: Db }> {
    this.#file.failure = undefined;
    this.#file.statement('BEGIN IMMEDIATE').run();
    this.#shared = shared;
    this.#saved = false;
    return { connection: this.#file, db: this.#db };
  }

  enter(): void {
    if (!this.#shared) return;
    if (this.#saved) this.#file.statement('RELEASE unit').run();
    this.#file.statement('SAVEPOINT unit').run();
    this.#saved = true;
  }

  async undo(reason: unknown): Promise<void> {
    // A full disk or a failing one makes SQLite end the transaction by itself, and then nothing may go on in it.
    if (!this.#file.inTransaction) throw this.#file.failure ?? reason;
    this.#file.statement(this.#shared ? 'ROLLBACK TO unit' : 'ROLLBACK').run();
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
