/** A transaction as its units see it: what each is given, what it hands over, and what undoes it. */
import type { Connection } from './connection.ts';
import type { Db } from './db.ts';

export interface Tx {
  readonly db: Db;
  /** For statements by hand, which go past the cache of the transaction. */
  readonly connection: Connection;
  /**
   * Hands an entry to the handler's one call at the end of the transaction. `told` hears its result after that, before the hooks;
   * perhaps more than once, when the transaction is run again.
   */
  batch<E, R>(handler: BatchHandler<E, R>, entry: E, told?: (result: R) => void): void;
  /** Runs in the transaction when the unit has done all else, in the order in which it was asked for. */
  atEnd(work: () => Promise<void>): void;
  /** The unit runs once more, because what it tried ahead could not be (`NotAhead`). */
  readonly repeated: boolean;
  /** Runs once, after the commit, before the unit's promise resolves; not when the unit is undone. Must not throw. */
  onCommit(fn: () => void): void;
}

/** A row that a unit is likely to ask for. */
export interface ReadAhead {
  readonly rows: { lockAll(db: Db, ids: readonly string[]): Promise<void> };
  readonly id: string;
}

/** May run again from its beginning, and does at once when it throws `NotAhead` or is refused for that. */
export type Unit<T> = (tx: Tx) => Promise<T>;
/** The results in the order of the entries. A handler is known by its identity: a function of the module, not a new one each time. */
export type BatchHandler<E, R> = (connection: Connection, entries: readonly E[]) => Promise<readonly (R | Refused)[]>;

/** Nothing of the unit that an entry came from may stand: it is undone and rejects for this reason. */
export class Refused {
  readonly reason: unknown;
  constructor(reason: unknown) {
    this.reason = reason;
  }
}
