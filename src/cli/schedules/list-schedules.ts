/** `pumice backups schedule list`: the schedules of backups, by name. */
import { listSchedules } from '../../db/backup-schedules.ts';
import { openDatabase } from '../../db/database.ts';
import { millis } from '../../lib/clock.ts';
import { wallTime } from '../../lib/zoned-time.ts';
import { type BackupSchedule, isLate } from '../../model/backup-schedule.ts';
import { type ConfigFlags, configurationOf } from '../configuration.ts';
import type { CliContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { type Cell, tableLines } from '../table.ts';
import type { Terminal } from '../terminal.ts';

export interface ShowSchedulesOptions extends ConfigFlags {
  readonly json?: boolean;
}

export async function listAllSchedules(options: ShowSchedulesOptions, { out }: CliContext): Promise<number> {
  const db = await openDatabase(configurationOf(options).database.url, { as: 'tool' });
  try {
    const schedules = await listSchedules(db.read);
    if (options.json) out.line(JSON.stringify(schedules.map(scheduleFacts), null, 2));
    else if (schedules.length > 0) out.lines(schedulesTable(out, schedules));
    else out.line('There is no schedule. `pumice backups schedule add` makes one.');
    return EXIT.ok;
  } finally {
    await db.close();
  }
}

const COLUMNS = [
  { title: 'NAME', shrinksTo: 8 },
  { title: 'OF', shrinksTo: 12 },
  { title: 'TIMES' },
  { title: 'ZONE', shrinksTo: 8 },
  { title: 'NEXT RUN' },
  { title: 'LAST RUN' },
  { title: 'RESULT' },
] as const;

export function schedulesTable(terminal: Terminal, schedules: readonly BackupSchedule[]): string[] {
  const rows = schedules.map((schedule): Cell[] => [
    schedule.name,
    `${schedule.target} ${schedule.targetId}`,
    schedule.times,
    schedule.zone,
    wallTime(schedule.nextRunAt, schedule.zone),
    schedule.lastRunAt === null ? '' : wallTime(schedule.lastRunAt, schedule.zone),
    resultCell(schedule),
  ]);
  return tableLines(terminal, COLUMNS, rows);
}

/** How the last run went. */
export function resultCell({ lastRunAt, lastEndedAt, lastFailure, ...schedule }: BackupSchedule): Cell {
  if (lastRunAt === null) return '';
  if (lastEndedAt === null) return { text: 'runs', style: 'cyan' };
  if (lastFailure !== null) return { text: 'failed', style: 'red' };
  return wasLate({ lastRunAt, ...schedule }) ? { text: 'late', style: 'yellow' } : 'whole';
}

export const wasLate = ({ lastRunAt, lastBeganAt }: Pick<BackupSchedule, 'lastRunAt' | 'lastBeganAt'>): boolean =>
  lastRunAt !== null && lastBeganAt !== null && isLate(millis(lastRunAt), millis(lastBeganAt));

/** For programs; times are UTC. */
export const scheduleFacts = (schedule: BackupSchedule) => ({
  id: schedule.id,
  name: schedule.name,
  target: schedule.target,
  target_id: schedule.targetId,
  times: schedule.times,
  zone: schedule.zone,
  keep: schedule.keep,
  full_every: schedule.fullEvery,
  store: schedule.store,
  force: schedule.force,
  created_at: schedule.createdAt,
  next_run_at: schedule.nextRunAt,
  last_run_at: schedule.lastRunAt,
  last_began_at: schedule.lastBeganAt,
  last_ended_at: schedule.lastEndedAt,
  last_failure: schedule.lastFailure,
});
