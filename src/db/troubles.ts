/** Upkeep that is in trouble, as rows for other processes. A row is written when there is news, never for a try. */
import type { Timestamp } from '../lib/clock.ts';
import type { Database } from './database.ts';
import { processName } from './sql/ownership.ts';
import type { Tx } from './sql/tx.ts';

export interface KeptTrouble {
  /** Which upkeep, a key of `model/upkeep.ts`. */
  readonly upkeep: string;
  readonly about: string;
  /** Whose: a process as the engine calls it, and its node. */
  readonly process: string;
  readonly node: string;
  readonly reason: string;
  readonly since: Timestamp;
}

export async function putTrouble({ db }: Tx, trouble: KeptTrouble): Promise<void> {
  const { reason, since } = trouble;
  await db
    .insertInto('trouble')
    .values(trouble)
    .onConflict((conflict) => conflict.columns(['process', 'upkeep', 'about']).doUpdateSet({ reason, since }))
    .execute();
}

export async function dropTrouble(
  { db }: Tx,
  { process, upkeep, about }: Pick<KeptTrouble, 'process' | 'upkeep' | 'about'>,
): Promise<void> {
  await db
    .deleteFrom('trouble')
    .where('process', '=', process)
    .where('upkeep', '=', upkeep)
    .where('about', '=', about)
    .execute();
}

/** Writes down what a process' `Troubles` have to tell. */
export const keepTroubles =
  (database: Database, process: string, node: string) =>
  (upkeep: string, about: string, trouble: Pick<KeptTrouble, 'reason' | 'since'> | undefined): Promise<void> =>
    database.write((tx) =>
      trouble === undefined
        ? dropTrouble(tx, { process, upkeep, about })
        : putTrouble(tx, { process, node, upkeep, about, reason: trouble.reason, since: trouble.since }),
    );

/** A process that ends in order has none any more. */
export async function dropTroublesOf(database: Database, process: string): Promise<void> {
  await database.write(({ db }) => db.deleteFrom('trouble').where('process', '=', process).execute());
}

/** What processes left that were killed. */
export async function dropTroublesOfTheDead(database: Database): Promise<void> {
  const all = await database.read.selectFrom('trouble').select('process').distinct().execute();
  const processes = all.map(({ process }) => process);
  const living = await database.ownership.held(processes.map(processName));
  for (const process of processes) if (!living.has(processName(process))) await dropTroublesOf(database, process);
}

/**
 * The longest-lasting first, of processes that live: on PostgreSQL. A tool cannot tell on SQLite, and is given what the last
 * server said.
 */
export async function listTroubles(database: Database): Promise<KeptTrouble[]> {
  const { read, dialect, ownership } = database;
  const all = await read
    .selectFrom('trouble')
    .selectAll()
    .orderBy('since')
    .orderBy('upkeep')
    .orderBy('about')
    .execute();
  if (dialect === 'sqlite') return all;
  const living = await ownership.held([...new Set(all.map(({ process }) => processName(process)))]);
  return all.filter(({ process }) => living.has(processName(process)));
}
