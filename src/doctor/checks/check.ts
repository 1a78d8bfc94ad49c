/**
 * A check of the doctor: an invariant, how to find its violations, and a remedy for `--repair`.
 *
 * The doctor works beside servers that go on working, and reads in more than one statement. So a finding counts only
 * when a second look, a moment later, makes it again: `key` says when two are the same. A remedy runs in a transaction of
 * its own and looks again for itself before it changes anything.
 */
import type { Database } from '../../db/database.ts';
import type { Tx } from '../../db/sql/tx.ts';
import type { VolumeDriver } from '../../drivers/driver.ts';
import type { Config } from '../../lib/config/config.ts';

export interface Patient {
  readonly db: Database;
  readonly config: Config;
  /** A flow or an event that has not moved for so long is told of. */
  readonly patienceMs: number;
  /** The backends of this configuration; a driver that did not come up is its failure. */
  readonly backends: readonly { readonly host: string; readonly driver: VolumeDriver | Error }[];
  readonly signal: AbortSignal;
}

export interface DoctorCheck {
  /** One word. */
  readonly name: string;
  /** What is so when nothing is found. */
  readonly wellSaid: string;
  examine(patient: Patient): Promise<readonly Finding[]>;
  /** These were told to somebody. What cannot be noted is told again. */
  told?(patient: Patient, findings: readonly Finding[]): void;
}

export interface Finding {
  /** The same in both looks if nothing has moved. */
  readonly key: string;
  /** `volume:<id>`, `project <id>`, a pool, a host, a sink. */
  readonly about: string;
  readonly says: string;
  /** Needs a second look that comes later than the writers of progress. */
  readonly slow?: boolean;
  /** What only a person can do: the line to type. */
  readonly advice?: string;
  /** Nothing is wrong: it is shown, and neither counted nor an exit code. */
  readonly isNote?: true;
  readonly remedy?: Remedy;
}

export interface Remedy {
  /** What it does, or did: "usage is counted again". */
  readonly says: string;
  /** False when there is nothing to do any more. */
  apply(tx: Tx): Promise<boolean>;
}

/** For a backend that cannot be asked. */
export const DOWN =
  'put right what the reason says; the server brings it up by itself, and one that is gone for good leaves `enabled_backends`';

/** Nobody else writes the table until the transaction ends; on SQLite that is always so. */
export async function alone({ connection }: Tx, table: string): Promise<void> {
  if (connection.dialect === 'postgresql') await connection.run(`LOCK TABLE ${table} IN SHARE ROW EXCLUSIVE MODE`);
}
