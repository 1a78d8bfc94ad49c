/** `pumice backups schedule add|change|run|remove`: a row is written, and a service that runs sees it within seconds. */
import {
  deleteSchedule,
  insertSchedule,
  lockSchedule,
  type SchedulePatch,
  updateSchedule,
} from '../../db/backup-schedules.ts';
import { type Database, openDatabase } from '../../db/database.ts';
import { isDuplicate } from '../../db/sql/constraints.ts';
import { findVolumeType, findVolumeTypeByName } from '../../db/volume-types.ts';
import { now, type Timestamp, uuid } from '../../lib/clock.ts';
import type { Config } from '../../lib/config/config.ts';
import { nextTime, recurringTimes, TimesInvalid } from '../../lib/recurring-times.ts';
import { wallTime } from '../../lib/zoned-time.ts';
import type { BackupSchedule } from '../../model/backup-schedule.ts';
import { type ConfigFlags, configurationOf } from '../configuration.ts';
import type { CliContext } from '../context.ts';
import { Complaint, EXIT } from '../exit-codes.ts';
import { findResource } from '../resources/find-resource.ts';
import { volumes } from '../resources/volumes.ts';
import { storeSection } from '../store-section.ts';
import { findNamedSchedule } from './find-schedule.ts';

/** What both say, that make a schedule and that change one; absent: not said. */
export interface RuleOptions extends ConfigFlags {
  readonly times?: string;
  readonly zone?: string;
  readonly keepLast?: number;
  readonly keepDaily?: number;
  readonly keepWeekly?: number;
  readonly keepMonthly?: number;
  /** 0: only the first. */
  readonly fullEvery?: number;
  readonly store?: string;
  readonly force?: boolean;
}

export interface AddScheduleOptions extends RuleOptions {
  readonly volume?: string;
  readonly type?: string;
  readonly project?: string;
}

export async function addSchedule(name: string, options: AddScheduleOptions, { out }: CliContext): Promise<number> {
  const { times, zone = 'UTC' } = options;
  if (times === undefined) throw new Complaint('When does it run? Say --times.', EXIT.usage);
  return withDatabase(options, async (db, config) => {
    const at = now();
    const fresh: BackupSchedule = {
      id: uuid(),
      name,
      ...(await targetOf(db, options)),
      times,
      zone,
      keep: { last: 0, daily: 0, weekly: 0, monthly: 0 },
      fullEvery: null,
      store: null,
      force: false,
      createdAt: at,
      nextRunAt: at,
      lastRunAt: null,
      lastBeganAt: null,
      lastEndedAt: null,
      lastFailure: null,
      wholeAt: at,
    };
    const schedule = { ...fresh, ...changed(fresh, { ...options, times, zone }, config, at) };
    try {
      await db.write((tx) => insertSchedule(tx, schedule));
    } catch (error) {
      if (isDuplicate(error)) throw new Complaint(`There is a schedule ${name} already.`);
      throw error;
    }
    out.line(`${name} runs next at ${nextSaid(schedule)}.`);
    if (Object.values(schedule.keep).every((kept) => kept === 0))
      out.line('It deletes nothing: no --keep-last, --keep-daily, --keep-weekly or --keep-monthly was said.');
  });
}

export async function changeSchedule(name: string, options: RuleOptions, { out }: CliContext): Promise<number> {
  return withDatabase(options, async (db, config) => {
    const schedule = await onNamed(db, name, (before) => changed(before, options, config, now()));
    out.line(`${name} runs next at ${nextSaid(schedule)}.`);
  });
}

export async function runSchedule(name: string, options: ConfigFlags, { out }: CliContext): Promise<number> {
  return withDatabase(options, async (db) => {
    await onNamed(db, name, () => ({ nextRunAt: now() }));
    out.line(`${name} runs as soon as a service sees it, which one that runs does within seconds.`);
  });
}

export async function removeSchedule(name: string, options: ConfigFlags, { out }: CliContext): Promise<number> {
  return withDatabase(options, async (db) => {
    const { id } = await findNamedSchedule(db, name);
    await db.write((tx) => deleteSchedule(tx, id));
    out.line(`${name} is removed. Its backups stay.`);
  });
}

async function withDatabase(
  flags: ConfigFlags,
  work: (db: Database, config: Config) => Promise<void>,
): Promise<number> {
  const config = configurationOf(flags);
  const db = await openDatabase(config.database.url, { as: 'tool' });
  try {
    await work(db, config);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof TimesInvalid) throw new Complaint(error.message, EXIT.usage, { cause: error });
    throw error;
  } finally {
    await db.close();
  }
}

/** Resolves with the schedule as it is then. */
async function onNamed(
  db: Database,
  name: string,
  change: (schedule: BackupSchedule) => SchedulePatch,
): Promise<BackupSchedule> {
  const { id } = await findNamedSchedule(db, name);
  return db.write(async (tx) => {
    const schedule = await lockSchedule(tx, id);
    if (schedule === undefined) throw new Complaint(`Schedule ${name} has just been removed.`);
    const patch = change(schedule);
    await updateSchedule(tx, schedule, patch);
    return { ...schedule, ...patch };
  });
}

async function targetOf(
  db: Database,
  { volume, type, project }: AddScheduleOptions,
): Promise<Pick<BackupSchedule, 'target' | 'targetId'>> {
  if ([volume, type, project].filter((said) => said !== undefined).length !== 1)
    throw new Complaint('Of what? Say one of --volume, --type and --project.', EXIT.usage);
  if (volume !== undefined) return { target: 'volume', targetId: (await findResource(volumes, db, volume)).id };
  if (project !== undefined) return { target: 'project', targetId: project };
  const named = type ?? '';
  const found = (await findVolumeTypeByName(db.read, named)) ?? (await findVolumeType(db.read, named));
  if (found === undefined) throw new Complaint(`There is no volume type ${named}.`);
  return { target: 'type', targetId: found.id };
}

/** What the options change of it. A time that is changed has from now on to come again. */
function changed(schedule: BackupSchedule, options: RuleOptions, config: Config, at: Timestamp): SchedulePatch {
  const { times, zone = schedule.zone, store, fullEvery, force } = options;
  if (store !== undefined) storeSection(config, store);
  const fields = recurringTimes(times ?? schedule.times, zone, at);
  const { last, daily, weekly, monthly } = schedule.keep;
  return {
    ...((times !== undefined || options.zone !== undefined) && {
      times: fields,
      zone,
      nextRunAt: nextTime(fields, zone, at),
      wholeAt: at,
    }),
    keep: {
      last: options.keepLast ?? last,
      daily: options.keepDaily ?? daily,
      weekly: options.keepWeekly ?? weekly,
      monthly: options.keepMonthly ?? monthly,
    },
    ...(fullEvery !== undefined && { fullEvery: fullEvery === 0 ? null : fullEvery }),
    ...(store !== undefined && { store }),
    ...(force !== undefined && { force }),
  };
}

const nextSaid = ({ nextRunAt, zone }: BackupSchedule): string => `${wallTime(nextRunAt, zone)} ${zone}`;
