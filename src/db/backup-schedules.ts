/** The schedules of backups, as rows. One row says when a schedule runs next, so whoever moves that on has made the run. */
import type { Timestamp } from '../lib/clock.ts';
import type { BackupSchedule, ScheduleTarget } from '../model/backup-schedule.ts';
import type { Db } from './sql/db.ts';
import { lockRow } from './sql/lock-row.ts';
import type { BackupScheduleTable } from './sql/schema.ts';
import type { Tx } from './sql/tx.ts';

export type SchedulePatch = Partial<Omit<BackupSchedule, 'id' | 'createdAt'>>;

/** Rejects as a duplicate when another has the name (`sql/constraints.ts`). */
export async function insertSchedule({ db }: Tx, schedule: BackupSchedule): Promise<void> {
  await db.insertInto('backup_schedule').values(toRow(schedule)).execute();
}

export async function findSchedule(db: Db, id: string): Promise<BackupSchedule | undefined> {
  const row = await db.selectFrom('backup_schedule').selectAll().where('id', '=', id).executeTakeFirst();
  return row && toSchedule(row);
}

export async function findScheduleByName(db: Db, name: string): Promise<BackupSchedule | undefined> {
  const row = await db.selectFrom('backup_schedule').selectAll().where('name', '=', name).executeTakeFirst();
  return row && toSchedule(row);
}

/** As `findSchedule`; nobody else changes it before the transaction ends. */
export async function lockSchedule(tx: Tx, id: string): Promise<BackupSchedule | undefined> {
  await lockRow(tx, 'backup_schedule', id);
  return findSchedule(tx.db, id);
}

/** By their names. */
export async function listSchedules(db: Db): Promise<readonly BackupSchedule[]> {
  const rows = await db.selectFrom('backup_schedule').selectAll().orderBy('name').execute();
  return rows.map(toSchedule);
}

/** Those whose next run is for now, or was; the longest due first. */
export async function dueSchedules(db: Db, at: Timestamp): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('backup_schedule')
    .select('id')
    .where('next_run_at', '<=', at)
    .orderBy('next_run_at')
    .execute();
  return rows.map(({ id }) => id);
}

/** After it was locked. */
export async function updateSchedule({ db }: Tx, schedule: BackupSchedule, patch: SchedulePatch): Promise<void> {
  const row = toRow({ ...schedule, ...patch });
  await db.updateTable('backup_schedule').set(row).where('id', '=', schedule.id).execute();
}

/** With what it has asked for. Its backups stay. */
export async function deleteSchedule({ db }: Tx, id: string): Promise<void> {
  await db.deleteFrom('backup_schedule_volume').where('schedule_id', '=', id).execute();
  await db.deleteFrom('backup_schedule').where('id', '=', id).execute();
}

function toRow({ keep, force, ...schedule }: BackupSchedule): BackupScheduleTable {
  return {
    id: schedule.id,
    name: schedule.name,
    target: schedule.target,
    target_id: schedule.targetId,
    times: schedule.times,
    zone: schedule.zone,
    keep_last: keep.last,
    keep_daily: keep.daily,
    keep_weekly: keep.weekly,
    keep_monthly: keep.monthly,
    full_every: schedule.fullEvery,
    store: schedule.store,
    force: force ? 1 : 0,
    created_at: schedule.createdAt,
    next_run_at: schedule.nextRunAt,
    last_run_at: schedule.lastRunAt,
    last_began_at: schedule.lastBeganAt,
    last_ended_at: schedule.lastEndedAt,
    last_failure: schedule.lastFailure,
    whole_at: schedule.wholeAt,
  };
}

function toSchedule(row: BackupScheduleTable): BackupSchedule {
  return {
    id: row.id,
    name: row.name,
    target: row.target as ScheduleTarget,
    targetId: row.target_id,
    times: row.times,
    zone: row.zone,
    keep: { last: row.keep_last, daily: row.keep_daily, weekly: row.keep_weekly, monthly: row.keep_monthly },
    fullEvery: row.full_every,
    store: row.store,
    force: row.force === 1,
    createdAt: row.created_at,
    nextRunAt: row.next_run_at,
    lastRunAt: row.last_run_at,
    lastBeganAt: row.last_began_at,
    lastEndedAt: row.last_ended_at,
    lastFailure: row.last_failure,
    wholeAt: row.whole_at,
  };
}
