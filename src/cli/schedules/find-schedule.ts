/** Finds a schedule of backups by its name. */
import { findScheduleByName, listSchedules } from '../../db/backup-schedules.ts';
import type { Database } from '../../db/database.ts';
import type { BackupSchedule } from '../../model/backup-schedule.ts';
import { Complaint } from '../exit-codes.ts';

/** Rejects with `Complaint`, which names those that there are. */
export async function findNamedSchedule({ read }: Database, name: string): Promise<BackupSchedule> {
  const schedule = await findScheduleByName(read, name);
  if (schedule !== undefined) return schedule;
  const names = (await listSchedules(read)).map((each) => each.name);
  const others = names.length === 0 ? 'there is none at all' : `there are ${names.join(', ')}`;
  throw new Complaint(`There is no schedule ${name}; ${others}.`);
}
