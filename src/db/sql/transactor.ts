/**
 * A transactor, the part of the writer that each dialect implements: begin a transaction, keep or undo the work of a unit
 * inside it, and find out the outcome of a commit.
 */
import type { Connection } from './connection.ts';
import type { Db } from './db.ts';
import type { TransactionCache } from './transaction-cache.ts';

export interface OpenTransaction {
  readonly connection: Connection;
  readonly db: Db;
  readonly cache: TransactionCache;
}

export interface Transactor {
  /** Opens a transaction; `shared` by several units, each of which can be undone alone. Its commit is durable, and where it is not `synced` it need not be. */
  begin(shared: boolean, synced: boolean): Promise<OpenTransaction>;
  /** The first failure of a statement since this was cleared, whether or not a unit passed it on. */
  failure: unknown;
  /** A unit begins to use the transaction. */
  enter(): void;
  /** What the unit did is undone, for this reason. Resolves with whether the transaction is still open: one that is not shared is not. */
  undo(reason: unknown): Promise<boolean>;
  /** Resolves when everything kept is durable, or cannot be lost by a process alone. Throws `CommitInDoubt` when that cannot be found out, anything else when nothing was committed. */
  commit(signal: AbortSignal): Promise<void>;
  /** Rolls back whatever is open. Never throws. */
  abandon(): Promise<void>;
  /** Whether the failure lies in the meeting of transactions or in the connection, so that the same units may succeed when run again. */
  passes(error: unknown): boolean;
  close(): Promise<void>;
}

/** The answer to a commit was lost and the database could not be asked what became of it. */
export class CommitInDoubt extends Error {
  override readonly name = 'CommitInDoubt';
}

/** A statement of the unit failed and the unit went on as if it had not. Its work is undone, on both databases alike. */
export class FailureSwallowed extends Error {
  override readonly name = 'FailureSwallowed';
  constructor(cause: unknown) {
    super('A statement failed and the unit did not fail with it.', { cause });
  }
}
