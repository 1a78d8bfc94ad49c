/**
 * A Cinder database, open for reading: one consistent snapshot of it in a transaction that cannot write, taken when it was opened.
 * The Cinder it belongs to may go on meanwhile, and is not seen to. What is read is what lives: rows that say they are deleted
 * are left where they are, but for those that are asked for by name.
 *
 * Every method rejects with `CinderUnreadable` where the database does not answer, or ended the session.
 */
import type { CinderRevision } from './cinder-revisions.ts';
import type { CinderColumn, CinderKey, CinderRows, CinderTable } from './cinder-tables.ts';

export interface CinderDatabase {
  readonly dialect: 'mysql' | 'postgresql';
  /** `MariaDB 10.11.19`, as the server calls itself. */
  readonly server: string;
  readonly revision: CinderRevision;
  /** The living rows in the order of their key, in batches of at most `limit` (default 500), those after a key only where one is said. */
  living<T extends CinderTable>(table: T, range?: KeyRange): AsyncIterable<readonly CinderRows[T][]>;
  /** The living rows whose column has one of these values, at most some thousand of them, in the order of their key. */
  among<T extends CinderTable>(
    table: T,
    column: CinderColumn<T>,
    values: readonly CinderKey[],
    which?: WhichRows,
  ): Promise<readonly CinderRows[T][]>;
  /** Each value that a column of the living rows has, once. */
  distinct<T extends CinderTable>(table: T, column: CinderColumn<T>): Promise<readonly CinderValue[]>;
  /** Where living volumes are: their clusters, else their hosts, with how many are there. */
  places(): Promise<readonly { readonly place: string; readonly volumes: number }[]>;
  count(table: CinderTable): Promise<number>;
  /**
   * What the living rows are like, a short text for each `PREFIX_LENGTH` first letters of a column: other rows, or
   * another value in any column that is read here, is another text. With `parent` the row that each one names there counts, too. The server reads
   * all rows for it, in the order in which they lie, and sends none.
   */
  digests<T extends CinderTable>(
    table: T,
    column: CinderColumn<T>,
    parent?: { readonly table: CinderTable; readonly by: CinderColumn<T> },
  ): Promise<ReadonlyMap<string, string>>;
  /** Keys of rows of which the database does not say whether they are deleted: Cinder does not see them. */
  undecided(table: CinderTable): Promise<readonly CinderKey[]>;
  close(): Promise<void>;
}

export type CinderValue = CinderKey | boolean | null;

export const PREFIX_LENGTH = 3;

export interface KeyRange {
  readonly after?: CinderKey;
  /** No key from this one on. */
  readonly before?: CinderKey;
  readonly limit?: number;
  /** Keys of rows that are read as well, though they are deleted. */
  readonly also?: readonly CinderKey[];
}

export interface WhichRows {
  /** Those that are deleted, too. */
  readonly evenDeleted?: boolean;
}
