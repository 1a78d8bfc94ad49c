/** `pumice backups schedule show NAME`: what a schedule of backups does, when it runs next, and how its last run went. */
import { type Database, openDatabase } from '../../db/database.ts';
import { backupsOfSchedule, outcomesOf, type ScheduledOutcome } from '../../db/scheduled-backups.ts';
import { findVolumeType } from '../../db/volume-types.ts';
import { findVolume } from '../../db/volumes.ts';
import { now, type Timestamp } from '../../lib/clock.ts';
import { age } from '../../lib/times.ts';
import { wallTime } from '../../lib/zoned-time.ts';
import type { BackupSchedule, KeepRule } from '../../model/backup-schedule.ts';
import { configurationOf } from '../configuration.ts';
import type { CliContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { called } from '../resources/kind.ts';
import { printable, type Terminal } from '../terminal.ts';
import { findNamedSchedule } from './find-schedule.ts';
import { resultCell, type ShowSchedulesOptions, scheduleFacts, wasLate } from './list-schedules.ts';

export async function showSchedule(name: string, options: ShowSchedulesOptions, { out }: CliContext): Promise<number> {
  const db = await openDatabase(configurationOf(options).database.url, { as: 'tool' });
  try {
    const schedule = await findNamedSchedule(db, name);
    const { id: scheduleId, lastRunAt } = schedule;
    const outcomes = lastRunAt === null ? [] : await outcomesOf(db.read, { scheduleId, runAt: lastRunAt });
    const backups = (await backupsOfSchedule(db.read, scheduleId)).length;
    if (options.json) {
      const volumes = outcomes.map(({ volumeId, backupId, refusal, status, failReason }) => ({
        volume_id: volumeId,
        backup_id: backupId,
        status,
        failed: refusal ?? failReason,
      }));
      out.line(JSON.stringify({ ...scheduleFacts(schedule), backups, last_volumes: volumes }, null, 2));
    } else out.lines(scheduleLines(out, schedule, { of: await targetSaid(db, schedule), outcomes, backups }, now()));
    return EXIT.ok;
  } finally {
    await db.close();
  }
}

async function targetSaid({ read }: Database, { target, targetId }: BackupSchedule): Promise<string> {
  if (target === 'project') return `project ${targetId}`;
  if (target === 'type') return `type ${(await findVolumeType(read, targetId))?.name ?? `${targetId} (gone)`}`;
  const volume = await findVolume(read, targetId);
  return `volume ${volume === undefined ? `${targetId} (gone)` : called(volume)}`;
}

export interface ScheduleTold {
  readonly of: string;
  readonly outcomes: readonly ScheduledOutcome[];
  /** How many there are. */
  readonly backups: number;
}

export function scheduleLines(
  terminal: Terminal,
  schedule: BackupSchedule,
  { of, outcomes, backups }: ScheduleTold,
  at: Timestamp,
): string[] {
  const { zone, nextRunAt, lastRunAt, lastBeganAt, lastFailure } = schedule;
  const result = resultCell(schedule);
  const shown = typeof result === 'string' ? result : terminal.paint(result.style, result.text);
  const due = nextRunAt <= at ? `due for ${age(nextRunAt, at)}` : `in ${age(at, nextRunAt)}`;
  const late = wasLate(schedule) && lastBeganAt !== null ? `, late: it was ${wallTime(lastBeganAt, zone)}` : '';
  const facts: readonly (readonly [string, string | null])[] = [
    ['schedule', schedule.id],
    ['of', of],
    ['times', `${schedule.times}  ${zone}`],
    ['keeps', keepSaid(schedule.keep)],
    ['stores', schedule.fullEvery === null ? 'all only the first time' : `all every ${schedule.fullEvery} times`],
    ['store', schedule.store],
    ['in use', schedule.force ? 'backed up, too' : null],
    ['backups', String(backups)],
    ['next run', `${wallTime(nextRunAt, zone)}  ${due}`],
    ['last run', lastRunAt === null ? null : `${wallTime(lastRunAt, zone)}${late}`],
    ['failed', lastFailure],
  ];
  return [
    `${terminal.paint('bold', printable(schedule.name))}  ${shown}`.trimEnd(),
    ...facts.flatMap(([name, value]) =>
      value === null ? [] : [`  ${terminal.paint('dim', name.padEnd(10))} ${printable(value)}`],
    ),
    ...outcomes.map(({ volumeId, backupId, refusal, status, failReason }) => {
      const came = refusal ?? failReason ?? (status === null ? `backup ${backupId} is gone` : `${backupId} ${status}`);
      return `  ${terminal.paint('dim', 'volume'.padEnd(10))} ${volumeId}  ${printable(came)}`;
    }),
  ];
}

function keepSaid({ last, daily, weekly, monthly }: KeepRule): string {
  const said = Object.entries({ last, daily, weekly, monthly }).flatMap(([word, count]) =>
    count === 0 ? [] : [`${count} ${word}`],
  );
  return said.length === 0 ? 'all of them' : said.join(', ');
}
