/**
 * Run a schedule: ask for a backup of each of its volumes, wait until they have come to rest, delete what its rule does not keep, and say
 * how it went.
 *
 * The command has moved the schedule to its next time and begun this flow, which has the schedule for itself, in one transaction: so no run is
 * missed or made twice, and none begins while the one before goes on. A volume is asked for by the ordinary command, in its own project and
 * with its quota, in the transaction that writes down that it was; so it is asked for once. One that is refused is told to its project's users,
 * and the others go on. Who waits for backups does not count among the flows that run, and waits no longer than until the next run is due.
 *
 * What is taken back is only the run: backups that were asked for go on, and the schedule says that its run did not end.
 */
import { findSchedule, lockSchedule, updateSchedule } from '../../db/backup-schedules.ts';
import {
  backupsOfSchedule,
  beginAsk,
  endAsk,
  outcomesOf,
  type ScheduledAsk,
  type ScheduledOutcome,
  volumesOfSchedule,
} from '../../db/scheduled-backups.ts';
import { findVolume } from '../../db/volumes.ts';
import { millis, now, pause, type Timestamp } from '../../lib/clock.ts';
import { wallTime } from '../../lib/zoned-time.ts';
import { type BackupSchedule, isLate } from '../../model/backup-schedule.ts';
import type { Caller } from '../../model/caller.ts';
import { PumiceError, VolumeNotFound } from '../../model/errors.ts';
import { surplusOf } from '../../model/retention.ts';
import type { Volume } from '../../model/volume.ts';
import { tellUser } from '../tell.ts';
import { flow, obligation, record, type ScheduledRequest, type Tools, world } from '../tools.ts';

export interface RunBackupSchedule {
  readonly scheduleId: string;
  /** For when it was planned: which run this is. */
  readonly runAt: Timestamp;
  readonly beganAt: Timestamp;
}

interface Call {
  readonly tools: Tools;
  readonly requestId: string;
}

/** Under it the schedule's name stands in the metadata of its backups. */
export const SCHEDULE_KEY = 'pumice_schedule';

const RunFailed = obligation({
  name: 'run_failed',
  revert: async ({ scheduleId }: RunBackupSchedule, _outcome, { tx, failures }) => {
    const schedule = await lockSchedule(tx, scheduleId);
    if (schedule === undefined) return;
    const lastFailure = `The run did not come to its end. ${failures[0].message}`;
    await updateSchedule(tx, schedule, { lastEndedAt: now(), lastFailure });
  },
});

const AskForBackups = world({
  name: 'ask_for_backups',
  execute: async (run: RunBackupSchedule, { signal, progress, ...call }) => {
    const { read } = call.tools.backups.db;
    const schedule = await findSchedule(read, run.scheduleId);
    if (schedule === undefined) return;
    const volumes = await volumesOfSchedule(read, schedule);
    for (const [index, volumeId] of volumes.entries()) {
      signal.throwIfAborted();
      await askFor(schedule, run, volumeId, call);
      progress((index + 1) / volumes.length);
    }
  },
});

/** Small backups are made at once, and large ones take hours. */
const [FIRST_LOOK_MS, LAST_LOOK_MS] = [50, 5_000];

const AwaitBackups = world({
  name: 'await_backups',
  execute: async (run: RunBackupSchedule, { tools, signal, progress, waiting, aside }) => {
    const { read } = tools.backups.db;
    for (let lookMs = FIRST_LOOK_MS; ; lookMs = Math.min(lookMs * 2, LAST_LOOK_MS)) {
      const outcomes = await outcomesOf(read, run);
      const made = outcomes.filter(({ status }) => status !== 'creating').length;
      if (made === outcomes.length) return;
      progress(made / outcomes.length);
      waiting({ what: 'its backups', why: `${made} of ${outcomes.length} are at rest` });
      const schedule = await findSchedule(read, run.scheduleId);
      if (schedule === undefined || schedule.nextRunAt <= now()) return;
      await aside(pause(lookMs, signal));
    }
  },
});

const DeleteSurplus = world({
  name: 'delete_surplus',
  execute: async ({ scheduleId }: RunBackupSchedule, { tools, requestId, signal }) => {
    const { db } = tools.backups;
    const schedule = await findSchedule(db.read, scheduleId);
    if (schedule === undefined) return;
    const backups = await backupsOfSchedule(db.read, scheduleId);
    for (const those of Map.groupBy(backups, ({ volumeId, projectId }) => `${projectId} ${volumeId}`).values()) {
      const surplus = new Set(surplusOf(schedule.keep, schedule.zone, those));
      for (const backup of those.filter(({ id }) => surplus.has(id))) {
        signal.throwIfAborted();
        await refusable(() =>
          db.write((tx) => tools.backupRequests.delete(tx, callerOf(backup, requestId), backup.id)),
        );
      }
    }
  },
});

const RunEnded = record({
  name: 'run_ended',
  execute: async ({ scheduleId, runAt, beganAt }: RunBackupSchedule, { tx }) => {
    const schedule = await lockSchedule(tx, scheduleId);
    if (schedule === undefined) return;
    const lastFailure = failureOf(await outcomesOf(tx.db, { scheduleId, runAt }));
    const whole = lastFailure === null && { wholeAt: beganAt };
    await updateSchedule(tx, schedule, { lastEndedAt: now(), lastFailure, ...whole });
  },
});

export const runBackupSchedule = flow<RunBackupSchedule>('run_backup_schedule')
  .add(RunFailed)
  .add(AskForBackups)
  .add(AwaitBackups)
  .add(DeleteSurplus)
  .add(RunEnded)
  .build({ version: 1 });

async function askFor(schedule: BackupSchedule, run: RunBackupSchedule, volumeId: string, call: Call): Promise<void> {
  const { tools, requestId } = call;
  const { db } = tools.backups;
  const ask: ScheduledAsk = { scheduleId: schedule.id, volumeId, runAt: run.runAt };
  const refusal = await refusable(() =>
    db.write(async (tx) => {
      const sinceFull = await beginAsk(tx, ask);
      if (sinceFull === undefined) return;
      const volume = await findVolume(tx.db, volumeId);
      if (volume === undefined) throw new VolumeNotFound(volumeId);
      const request = requestOf(schedule, run, volumeId, sinceFull);
      const backup = await tools.backupRequests.create(tx, callerOf(volume, requestId), request);
      await endAsk(tx, ask, { backup_id: backup.id, since_full: backup.parentId === null ? 0 : sinceFull + 1 });
    }),
  );
  if (refusal === undefined) return;
  // One of many that went meanwhile is no failure.
  if (refusal instanceof VolumeNotFound && schedule.target !== 'volume') return;
  await db.write(async (tx) => {
    if ((await beginAsk(tx, ask)) === undefined) return;
    await endAsk(tx, ask, { refusal: refusal.message });
    const volume = await findVolume(tx.db, volumeId);
    if (volume !== undefined) await tellUser(tx, 'schedule-backup', refusal, volume, { requestId, tools });
  });
}

/** What a command had against it; any other failure is one of the run. */
async function refusable(asked: () => Promise<void>): Promise<PumiceError | undefined> {
  try {
    await asked();
    return undefined;
  } catch (error) {
    if (error instanceof PumiceError) return error;
    throw error;
  }
}

function requestOf(
  schedule: BackupSchedule,
  { runAt, beganAt }: RunBackupSchedule,
  volumeId: string,
  sinceFull: number,
): ScheduledRequest {
  const { id: scheduleId, name, zone, fullEvery, force, store } = schedule;
  const late = isLate(millis(runAt), millis(beganAt)) ? `, late: it was ${wallTime(beganAt, zone)}` : '';
  return {
    scheduleId,
    volumeId,
    name: `${name} ${wallTime(runAt, zone)}`,
    description: `Made by the schedule ${name} for ${wallTime(runAt, zone)} ${zone}${late}.`,
    metadata: { [SCHEDULE_KEY]: name },
    incremental: fullEvery === null || sinceFull + 1 < fullEvery,
    force,
    store,
  };
}

/** As one of the project's users: a schedule may do no more than they. */
const callerOf = ({ projectId, userId }: Pick<Volume, 'projectId' | 'userId'>, requestId: string): Caller => ({
  userId: userId ?? '',
  projectId,
  roles: ['member'],
  isAdmin: false,
  serviceRoles: [],
  requestId,
});

/** For an operator; null when there is a backup of each. One that somebody has deleted meanwhile was there. */
function failureOf(outcomes: readonly ScheduledOutcome[]): string | null {
  const reasons = outcomes.flatMap(({ volumeId, refusal, backupId, status, failReason }) => {
    if (refusal !== null) return [`volume ${volumeId}: ${refusal}`];
    if (status === 'creating') return [`volume ${volumeId}: backup ${backupId} was still being made.`];
    return status?.startsWith('error')
      ? [`volume ${volumeId}: ${failReason ?? `backup ${backupId} is ${status}`}`]
      : [];
  });
  const [first, ...others] = reasons;
  if (first === undefined) return null;
  const more = others.length > 0 ? ` And ${others.length} more.` : '';
  return `Of ${reasons.length} of ${outcomes.length} volumes there is no backup; ${first}${more}`;
}
