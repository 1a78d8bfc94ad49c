/**
 * How far a database is filled from a Cinder: one row, from the first batch on. Its cursor is written with each batch, so whoever goes on
 * after a death knows what is here.
 */
import { now, type Timestamp } from '../lib/clock.ts';
import type { Queries } from './sql/db.ts';
import type { Tables } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

export interface ImportProgress {
  /** Kind, place and name of the Cinder's database: no user, no password. */
  readonly source: string;
  readonly revision: string;
  /** What is being read, and the last id of it that is here. */
  readonly cursor: ImportCursor | null;
  /** Rows by table that are here, as the last batch has left them. */
  readonly counts: Readonly<Record<string, number>>;
  /** When its first fill began. */
  readonly beganAt: Timestamp;
  /** When all was here for the last time. */
  readonly filledAt: Timestamp | null;
  /** From then on this database goes its own way. */
  readonly turnedAt: Timestamp | null;
  /** JSON object: what the operator decided of it. Null: nobody said. */
  readonly decisions: string | null;
}

export interface ImportCursor {
  readonly step: string;
  /** Null: nothing of it is here yet. */
  readonly after: string | null;
}

export async function findImport(db: Queries): Promise<ImportProgress | undefined> {
  const row = await db.selectFrom('imported_from').selectAll().executeTakeFirst();
  return (
    row && {
      source: row.source,
      revision: row.revision,
      cursor: row.step === null ? null : { step: row.step, after: row.after_id },
      counts: JSON.parse(row.counts),
      beganAt: row.began_at,
      filledAt: row.filled_at,
      turnedAt: row.turned_at,
      decisions: row.decisions,
    }
  );
}

/** A database that is not what it looks like, and whoever serves it would not know. */
export class ImportUnfinished extends Error {
  override readonly name = 'ImportUnfinished';
}

/**
 * What is filled from a Cinder that goes on is no service yet: two would write to the same backends. `rehearsal`: it is only looked at, which
 * is for those and no others.
 */
export async function refuseHalfImported(db: Queries, rehearsal: boolean): Promise<void> {
  const progress = await findImport(db);
  const isFilling = progress !== undefined && progress.turnedAt === null;
  if (isFilling && !rehearsal)
    throw new ImportUnfinished(
      `The database is being filled from ${progress.source}, which is the one that is served. \`pumice import turn\` changes that; to look at it before, set \`rehearsal = true\`.`,
    );
  if (!isFilling && rehearsal)
    throw new ImportUnfinished(
      'The configuration says `rehearsal = true`, and the database is not one that is being filled from a Cinder: take that line away to serve it.',
    );
}

/** A fill begins from its beginning. The moment of the first is kept: rows are judged by it, each time. */
export async function beginFill(
  { db }: Tx,
  { source, revision, decisions, beganAt }: Pick<ImportProgress, 'source' | 'revision' | 'decisions' | 'beganAt'>,
  step: string,
): Promise<void> {
  const cursor = { revision, step, after_id: null, counts: '{}', decisions };
  await db
    .insertInto('imported_from')
    .values({ source, ...cursor, began_at: beganAt })
    .onConflict((conflict) => conflict.column('source').doUpdateSet(cursor))
    .execute();
}

export async function keepCursor(
  { db }: Tx,
  { step, after }: ImportCursor,
  counts: ImportProgress['counts'],
): Promise<void> {
  await db
    .updateTable('imported_from')
    .set({ step, after_id: after, counts: JSON.stringify(counts) })
    .execute();
}

export async function endFill({ db }: Tx, counts: ImportProgress['counts']): Promise<void> {
  await db
    .updateTable('imported_from')
    .set({ step: null, after_id: null, counts: JSON.stringify(counts), filled_at: now() })
    .execute();
}

/** The mark. */
export async function markTurned({ db }: Tx): Promise<void> {
  await db.updateTable('imported_from').set({ turned_at: now() }).execute();
}

const NOT_OURS = [
  'volume',
  'snapshot',
  'volume_attachment',
  'volume_group',
  'backup',
  'transfer',
  'quota_limit',
  'flow',
] as const satisfies readonly (keyof Tables)[];

/** Which tables of a database that was filled from nowhere have rows. */
export async function ownRows(db: Queries): Promise<readonly string[]> {
  const found: string[] = [];
  for (const table of NOT_OURS)
    if ((await db.selectFrom(table).selectAll().limit(1).execute()).length > 0) found.push(table);
  return found;
}
