import type { Kysely } from 'kysely';
import { kyselyOver, type SqliteConnection } from './connection.ts';
import type { Tables } from './schema.ts';
import { isBusy, type SqliteFile } from './sqlite.ts';
import type { Transactor } from './transactor.ts';

/** Transactions of the one writing connection. They begin IMMEDIATE: a lock asked for halfway could be refused halfway. */
export class SqliteTransactor implements Transactor {
  readonly #file: SqliteFile;
  readonly #db: Kysely<Tables>;
  #shared = false;
  /** The unit before this one is kept but its savepoint still stands. */
  #kept = false;

  constructor(file: SqliteFile) {
    this.#file = file;
    this.#db = kyselyOver(file);
  }

  get failure(): unknown {
    return this.#file.failure;
  }

  async begin(shared: boolean): Promise<{ connection: SqliteConnection; db: Kysely<Tables> }> {
    this.#file.failure = undefined;
    this.#file.statement('BEGIN IMMEDIATE').run();
    this.#shared = shared;
    this.#kept = false;
    if (shared) this.#file.statement('SAVEPOINT unit').run();
    return { connection: this.#file, db: this.#db };
  }

  async enter(): Promise<void> {
    this.#file.failure = undefined;
    if (this.#kept) {
      this.#file.statement('RELEASE unit').run();
      this.#file.statement('SAVEPOINT unit').run();
    }
    this.#kept = false;
  }

  async keep(): Promise<void> {
    this.#kept = this.#shared;
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
