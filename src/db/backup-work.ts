/**
 * How far a backup has come that is being made, and one that is being restored: so that whoever takes it over goes on where it
 * stood. Rows live as long as the work, and of a backup that may be begun again longer.
 *
 * Each take-over is another *attempt*. What an attempt tells when a later one has begun is not written down: a process that was frozen
 * and goes on has nothing to say any more.
 */
import type { Db } from './sql/db.ts';
import type { Tx } from './sql/tx.ts';

/** A part of a volume that is in the store (`backups/backups.ts`: `Bite`). */
export interface RecordedBite {
  readonly pack: string;
  readonly first: number;
  readonly chunks: number;
  readonly bytes: number;
  readonly sha256: string;
}

export interface BackupAttempt {
  /** From 1. */
  readonly attempt: number;
  /** All that were recorded, in their order. */
  readonly bites: readonly RecordedBite[];
  readonly restoredBytes: number;
}

/** Begins another attempt. */
export async function beginAttempt(tx: Tx, backupId: string): Promise<BackupAttempt> {
  const { db } = tx;
  const { attempts, restored_bytes } = await db
    .insertInto('backup_work')
    .values({ backup_id: backupId, attempts: 1, restored_bytes: 0 })
    .onConflict((conflict) =>
      conflict
        .column('backup_id')
        .doUpdateSet(({ eb, ref }) => ({ attempts: eb(ref('backup_work.attempts'), '+', 1) })),
    )
    .returning(['attempts', 'restored_bytes'])
    .executeTakeFirstOrThrow();
  return { attempt: attempts, bites: await bitesOf(db, backupId), restoredBytes: restored_bytes };
}

/** What was stored stays written down when a backup has failed, for another try. */
export async function keepWork({ db }: Tx, backupId: string): Promise<void> {
  await db
    .insertInto('backup_work')
    .values({ backup_id: backupId, attempts: 0, restored_bytes: 0 })
    .onConflict((conflict) => conflict.column('backup_id').doNothing())
    .execute();
}

/** How many attempts there were; undefined: nothing is written down of any. */
export async function attemptsOf(db: Db, backupId: string): Promise<number | undefined> {
  const row = await db
    .selectFrom('backup_work')
    .select('attempts')
    .where('backup_id', '=', backupId)
    .executeTakeFirst();
  return row?.attempts;
}

export async function bitesOf(db: Db, backupId: string): Promise<RecordedBite[]> {
  const rows = await db
    .selectFrom('backup_bite')
    .select(['pack', 'first', 'chunks', 'bytes', 'sha256'])
    .where('backup_id', '=', backupId)
    .orderBy('number')
    .execute();
  return rows.map((row) => ({ ...row }));
}

/** False when a later attempt has begun: nothing was written. `from`: the number of the first. */
export async function recordBites(
  tx: Tx,
  backupId: string,
  attempt: number,
  from: number,
  bites: readonly RecordedBite[],
): Promise<boolean> {
  if (!(await isCurrent(tx, backupId, attempt))) return false;
  const rows = bites.map((bite, index) => ({ backup_id: backupId, number: from + index, ...bite }));
  if (rows.length > 0) await tx.db.insertInto('backup_bite').values(rows).execute();
  return true;
}

/** The same of bytes that are in the volume it is restored to. */
export async function recordRestored({ db }: Tx, backupId: string, attempt: number, bytes: number): Promise<boolean> {
  const row = await db
    .updateTable('backup_work')
    .set({ restored_bytes: bytes })
    .where('backup_id', '=', backupId)
    .where('attempts', '=', attempt)
    .returning('backup_id')
    .executeTakeFirst();
  return row !== undefined;
}

/** How many there were. The rows go. */
export async function endWork({ db }: Tx, backupId: string): Promise<number> {
  await db.deleteFrom('backup_bite').where('backup_id', '=', backupId).execute();
  const row = await db
    .deleteFrom('backup_work')
    .where('backup_id', '=', backupId)
    .returning('attempts')
    .executeTakeFirst();
  return row?.attempts ?? 0;
}

/** No later one begins before the transaction ends: the row is written, and so locked. */
async function isCurrent({ db }: Tx, backupId: string, attempt: number): Promise<boolean> {
  const row = await db
    .updateTable('backup_work')
    .set({ attempts: attempt })
    .where('backup_id', '=', backupId)
    .where('attempts', '=', attempt)
    .returning('backup_id')
    .executeTakeFirst();
  return row !== undefined;
}
