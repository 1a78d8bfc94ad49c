/** What the two kinds of database do differently: one session in a transaction that reads one snapshot, and how to ask in it. */
import type { CinderKey } from './cinder-tables.ts';

export type RawRow = Record<string, unknown>;

/** What a session's transaction is for. */
export type SessionPurpose = 'read' | 'write';

export interface CinderSession {
  readonly dialect: 'mysql' | 'postgresql';
  /** `MariaDB 10.11.19`, `PostgreSQL 15.8`. */
  readonly server: string;
  /** Each `?` of the statement is one of the values, in their order. Rejects with `CinderUnreadable`. */
  ask(sql: string, values?: readonly unknown[]): Promise<readonly RawRow[]>;
  /** Each column of each table of the database, with its type as the database calls it. */
  columns(): Promise<readonly ColumnFound[]>;
  /**
   * Whether its user may change any of these tables, of a session to write: what it has been granted is looked at, and on MySQL, where roles do
   * not show that, the server is asked to change no row. Rejects with `CinderUnreadable`, also for what says nothing of the user, like a server
   * that lets nobody write.
   */
  mayWrite(tables: readonly string[]): Promise<boolean>;
  quoted(name: string): string;
  isAfter(column: string, key: CinderKey): WhereClause;
  isBefore(column: string, key: CinderKey): WhereClause;
  /** An expression: so many first letters of a column, told apart letter by letter. */
  prefix(column: string, letters: number): string;
  /** An expression over the rows of a group: how many there are, and a hash of these columns of all of them, whatever their order. */
  digest(columns: readonly string[]): string;
  isAmong(column: string, keys: readonly CinderKey[]): WhereClause;
  close(): Promise<void>;
}

export interface ColumnFound {
  readonly table: string;
  readonly column: string;
  /** `tinyint`, `boolean`. */
  readonly type: string;
}

export interface WhereClause {
  readonly sql: string;
  readonly values: readonly unknown[];
}
