/**
 * What schedules of backups have asked for, a row for each volume of a schedule, and which backups are theirs.
 *
 * A row is of the last run alone. It is written in the transaction that asks, so each volume is asked for once in a run, whoever dies.
 */
import type { Timestamp } from '../lib/clock.ts';
import type { BackupSchedule } from '../model/backup-schedule.ts';
import type { DatedBackup } from '../model/retention.ts';
import type { Db } from './sql/db.ts';
import type { Tx } from './sql/tx.ts';

/** A volume in one run of a schedule. */
export interface ScheduledAsk {
  readonly scheduleId: string;
  readonly volumeId: string;
  /** For when the run was planned. */
  readonly runAt: Timestamp;
}

/**
 * Of a type or a project those that are there; of one volume that, whatever became of it. Volumes that the service made for itself are
 * nobody's to keep.
 */
export async function volumesOfSchedule(
  db: Db,
  { target, targetId }: Pick<BackupSchedule, 'target' | 'targetId'>,
): Promise<readonly string[]> {
  if (target === 'volume') return [targetId];
  const rows = await db
    .selectFrom('volume')
    .select('id')
    .where(target === 'type' ? 'volume_type_id' : 'project_id', '=', targetId)
    .where('use_quota', '=', 1)
    .where('status', 'not in', ['creating', 'deleting'])
    .orderBy('id')
    .execute();
  return rows.map(({ id }) => id);
}

/** Resolves with how many increments there have been since all was stored; undefined when this run has asked already. */
export async function beginAsk({ db }: Tx, ask: ScheduledAsk): Promise<number | undefined> {
  const row = await db
    .insertInto('backup_schedule_volume')
    .values({ ...keyOf(ask), run_at: ask.runAt, since_full: 0, backup_id: null, refusal: null })
    .onConflict((conflict) =>
      conflict
        .columns(['schedule_id', 'volume_id'])
        .doUpdateSet({ run_at: ask.runAt, backup_id: null, refusal: null })
        .where('backup_schedule_volume.run_at', '<>', ask.runAt),
    )
    .returning('since_full')
    .executeTakeFirst();
  return row?.since_full;
}

/** What came of it, in the transaction of `beginAsk`. */
export async function endAsk(
  { db }: Tx,
  ask: ScheduledAsk,
  came: { readonly backup_id: string; readonly since_full: number } | { readonly refusal: string },
): Promise<void> {
  await db
    .updateTable('backup_schedule_volume')
    .set(came)
    .where('schedule_id', '=', ask.scheduleId)
    .where('volume_id', '=', ask.volumeId)
    .execute();
}

export interface ScheduledOutcome {
  readonly volumeId: string;
  readonly refusal: string | null;
  readonly backupId: string | null;
  /** Null when there is no such backup, or none any more. */
  readonly status: string | null;
  readonly failReason: string | null;
}

/** What came of each volume of a run so far. */
export async function outcomesOf(
  db: Db,
  { scheduleId, runAt }: Omit<ScheduledAsk, 'volumeId'>,
): Promise<readonly ScheduledOutcome[]> {
  return db
    .selectFrom('backup_schedule_volume as asked')
    .leftJoin('backup', 'backup.id', 'asked.backup_id')
    .select([
      'asked.volume_id as volumeId',
      'asked.refusal as refusal',
      'asked.backup_id as backupId',
      'backup.status as status',
      'backup.fail_reason as failReason',
    ])
    .where('asked.schedule_id', '=', scheduleId)
    .where('asked.run_at', '=', runAt)
    .orderBy('asked.volume_id')
    .execute();
}

export interface ScheduledBackup extends DatedBackup {
  readonly volumeId: string;
  readonly projectId: string;
  readonly userId: string | null;
}

/** The backups of a schedule. */
export async function backupsOfSchedule(db: Db, scheduleId: string): Promise<readonly ScheduledBackup[]> {
  return db
    .selectFrom('backup')
    .select(({ fn }) => [
      'id',
      'status',
      fn.coalesce('data_timestamp', 'created_at').as('at'),
      'volume_id as volumeId',
      'project_id as projectId',
      'user_id as userId',
    ])
    .where('schedule_id', '=', scheduleId)
    .execute();
}

const keyOf = ({ scheduleId, volumeId }: ScheduledAsk) => ({ schedule_id: scheduleId, volume_id: volumeId });
