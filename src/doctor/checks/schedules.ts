/** Check: each schedule of backups has had a whole run within its last two times. One that only runs is not late by that. */
import { listSchedules } from '../../db/backup-schedules.ts';
import { now, type Timestamp } from '../../lib/clock.ts';
import { nextTime } from '../../lib/recurring-times.ts';
import { age } from '../../lib/times.ts';
import type { BackupSchedule } from '../../model/backup-schedule.ts';
import type { DoctorCheck, Finding, Patient } from './check.ts';

export const schedules: DoctorCheck = {
  name: 'schedules',
  wellSaid: 'schedules of backups make them',
  examine: async ({ db }: Patient) => {
    const at = now();
    return (await listSchedules(db.read))
      .filter((schedule) => hasFailed(schedule, at))
      .map((each) => finding(each, at));
  },
};

/** For longer than its period: two of its times have come since the last whole run began. */
function hasFailed({ times, zone, wholeAt }: BackupSchedule, at: Timestamp): boolean {
  return nextTime(times, zone, nextTime(times, zone, wholeAt)) <= at;
}

function finding(
  { name, wholeAt, lastFailure, lastRunAt, lastEndedAt, nextRunAt }: BackupSchedule,
  at: Timestamp,
): Finding {
  const going =
    lastRunAt !== null && lastEndedAt === null ? 'Its run still goes on.' : 'No service has begun one that was due.';
  return {
    key: `${name} ${wholeAt}`,
    about: `schedule ${name}`,
    says: `has had no whole run for ${age(wholeAt, at)}. ${nextRunAt <= at || lastFailure === null ? going : lastFailure}`,
    advice: `\`pumice backups schedule show ${name}\` tells of each volume; \`pumice backups schedule run ${name}\` tries again`,
  };
}
