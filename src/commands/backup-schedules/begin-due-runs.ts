/**
 * Begins the runs of schedules that are due. Whoever moves a schedule to its next time has begun its run, in the same transaction, so of all
 * processes one does. Runs that were missed while nobody served are one run, which is late.
 */
import { dueSchedules, lockSchedule, updateSchedule } from '../../db/backup-schedules.ts';
import { runBackupSchedule as flow } from '../../flows/backups/run-backup-schedule.ts';
import { millis, type Timestamp, uuid } from '../../lib/clock.ts';
import { nextTime } from '../../lib/recurring-times.ts';
import { type BackupSchedule, isLate } from '../../model/backup-schedule.ts';
import type { Caller } from '../../model/caller.ts';
import { ResourceHeld } from '../../model/errors.ts';
import { begin, exclusive, scheduleResource } from '../begin.ts';
import type { Desk } from '../desk.ts';

/** Each is tried; rejects with the first failure then. */
export async function beginDueRuns(desk: Desk, at: Timestamp): Promise<void> {
  const failures: unknown[] = [];
  for (const id of await dueSchedules(desk.db.read, at)) {
    try {
      const begun = await beginRun(desk, id, at);
      if (begun !== undefined && isLate(millis(begun.nextRunAt), millis(at)))
        desk.log.warn({ schedule: begun.name, planned: begun.nextRunAt }, 'a run of a schedule of backups is late');
    } catch (error) {
      // The one before goes on, and ends soon: this one is due.
      if (!(error instanceof ResourceHeld)) failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** Resolves with the schedule as it was before; undefined when it is not due any more. */
async function beginRun(desk: Desk, id: string, at: Timestamp): Promise<BackupSchedule | undefined> {
  return desk.db.write(async (tx) => {
    const schedule = await lockSchedule(tx, id);
    if (schedule === undefined || schedule.nextRunAt > at) return undefined;
    const { nextRunAt: runAt, times, zone, target, targetId } = schedule;
    const nextRunAt = nextTime(times, zone, at);
    await updateSchedule(tx, schedule, { nextRunAt, lastRunAt: runAt, lastBeganAt: at, lastEndedAt: null });
    const resource = scheduleResource(id);
    const projectId = target === 'project' ? targetId : '';
    const options = { resource, projectId, holds: [exclusive(resource)] };
    await begin(desk, tx, ofItself(), flow, { scheduleId: id, runAt, beganAt: at }, options);
    return schedule;
  });
}

/** Nobody asks for it. All that a run does has one request id. */
const ofItself = (): Caller => ({
  userId: '',
  projectId: '',
  roles: [],
  isAdmin: true,
  serviceRoles: [],
  requestId: `req-${uuid()}`,
});
