/** A schema migration. */
import type { Dialect } from '../connection.ts';
import type { Tx } from '../tx.ts';

/** One step of the schema, forward only. It is never edited once a release has carried it. */
export interface Migration {
  /** 1, 2, 3 … without gaps. */
  readonly version: number;
  readonly name: string;
  /** Statements, separated by semicolons. */
  readonly statements: (dialect: Dialect) => string;
  /** Rows that belong to the schema, after the statements. */
  readonly rows?: (tx: Tx) => Promise<void>;
}
