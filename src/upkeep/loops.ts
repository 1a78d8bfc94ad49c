/**
 * The table of upkeep loops: what a service does by itself, how often, and how long it rests after a failure. Loops that run
 * where they belong (events in the dispatcher, flows in the engine, tokens of our own in Keystone's client) are in
 * `model/upkeep.ts` with these.
 */
import type { AlarmWatch, AlarmWatchOptions } from '../alarms/alarm-watch.ts';
import { mendBackups } from '../commands/backups/mend-backups.ts';
import { verifyNightly } from '../commands/backups/verify-nightly.ts';
import type { Desk } from '../commands/desk.ts';
import { dueSchedules } from '../db/backup-schedules.ts';
import { pruneMessages } from '../db/messages.ts';
import { recordHeartbeat } from '../db/services.ts';
import { pruneTokens } from '../db/tokens.ts';
import type { ServedDoctor } from '../doctor/run-doctor.ts';
import { tidyBases } from '../flows/backups/bases.ts';
import { removeRemains } from '../flows/backups/remove-remains.ts';
import { removeDoomedImages } from '../flows/volumes/remove-doomed-images.ts';
import { sweepDownloads } from '../flows/volumes/sweep-downloads.ts';
import { now } from '../lib/clock.ts';
import type { Loop } from '../lib/keep-up.ts';
import type { Pace, Troubles } from '../lib/troubles.ts';
import { BACKUP_BINARY } from '../model/backup.ts';
import type { UpkeepName } from '../model/upkeep.ts';
import { ExportReconciler } from './reconcile-exports.ts';
import type { BackendService } from './serve-backend.ts';

export interface LoopsOptions {
  readonly desk: Desk;
  /** Of alarms: whether this process tells them, and how far the sinks are. */
  readonly events: Pick<AlarmWatchOptions, 'leads' | 'deliveredUpTo'>;
  readonly backends: readonly BackendService[];
  readonly troubles: Troubles;
}

export interface UpkeepLoop extends Loop {
  readonly upkeep: UpkeepName;
  /** The first round comes before anything is served. */
  readonly atStart?: true;
  /** Only once its backend has been looked at. */
  readonly backend?: BackendService;
  /** Of `exports`: how many its backend had when it was last looked at. */
  readonly exported?: () => number;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const QUARTER_MS = 15 * MINUTE_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** From a start to the first examination. */
const SOON_MS = 10 * MINUTE_MS;
/** Expired messages, or tokens, forgotten in one transaction. */
const PRUNED_AT_ONCE = 1_000;
const SCHEDULER_BINARY = 'cinder-scheduler';

/** What tells others that we live comes no later for having failed: a try that fails leaves nothing. */
const steady = (everyMs: number): Pace => ({ firstMs: everyMs, longestMs: everyMs });
const upToAnHour: Pace = { firstMs: MINUTE_MS, longestMs: HOUR_MS };

export function loopsOf({ desk, backends, troubles, events }: LoopsOptions): readonly UpkeepLoop[] {
  const { db, config, log } = desk;
  const { node_name: node, storage_availability_zone: availabilityZone } = config;
  const reportMs = config.services.report_interval * SECOND_MS;
  let alarms: AlarmWatch | undefined;
  let doctor: ServedDoctor | undefined;
  return [
    {
      upkeep: 'heartbeat',
      about: node,
      everyMs: reportMs,
      pace: steady(reportMs),
      atStart: true,
      work: () => {
        const beat = { host: node, availabilityZone, pools: [], failure: null };
        return db.write(async (tx) => {
          await recordHeartbeat(tx, { ...beat, binary: SCHEDULER_BINARY });
          if (config.default_backup_store !== undefined) await recordHeartbeat(tx, { ...beat, binary: BACKUP_BINARY });
        });
      },
    },
    ...backends.map(
      (backend): UpkeepLoop => ({
        upkeep: 'heartbeat',
        about: backend.host,
        everyMs: reportMs,
        pace: steady(reportMs),
        backend,
        work: (signal) => backend.round(signal),
      }),
    ),
    {
      upkeep: 'peers',
      about: node,
      everyMs: SECOND_MS,
      pace: steady(SECOND_MS),
      work: async () => {
        const ended = await db.ownership.endSilent(config.services.process_down_time * SECOND_MS);
        if (ended > 0) log.warn({ ended }, 'processes had fallen silent; what they owned is free');
        await Promise.all(backends.map((backend) => backend.leaveIfSilent()));
      },
    },
    ...backends.map(
      (backend): UpkeepLoop => ({
        upkeep: 'fences',
        about: backend.host,
        everyMs: 5 * SECOND_MS,
        pace: { firstMs: 5 * SECOND_MS, longestMs: MINUTE_MS },
        backend,
        work: async (signal) => {
          const fenced = await backend.fenceTheDead(signal);
          if (fenced.length > 0) log.warn({ host: backend.host, fenced }, 'processes that are gone were fenced');
        },
      }),
    ),
    ...backends.map((backend): UpkeepLoop => {
      const { host } = backend;
      const keeper = new ExportReconciler(desk, { host, isUp: () => backend.driver !== undefined, log, troubles });
      return {
        upkeep: 'exports',
        about: host,
        everyMs: 2 * SECOND_MS,
        pace: { firstMs: 2 * SECOND_MS, longestMs: MINUTE_MS },
        backend,
        exported: () => keeper.exported,
        work: async (signal) => {
          await keeper.look(signal);
        },
      };
    }),
    ...backends.map(
      (backend): UpkeepLoop => ({
        upkeep: 'image_cache',
        about: backend.host,
        everyMs: 5 * SECOND_MS,
        pace: { firstMs: 5 * SECOND_MS, longestMs: 10 * MINUTE_MS },
        backend,
        work: async (signal) => {
          if (backend.driver === undefined) return;
          await desk.tools.imageCache.dropEvicted(backend.host, { signal, progress: () => {} });
        },
      }),
    ),
    ...backends.map(
      (backend): UpkeepLoop => ({
        upkeep: 'backup_bases',
        about: backend.host,
        everyMs: 15 * SECOND_MS,
        pace: { firstMs: 15 * SECOND_MS, longestMs: 10 * MINUTE_MS },
        backend,
        work: async (signal) => {
          if (backend.driver === undefined) return;
          await tidyBases(desk.tools, backend.host, { signal, progress: () => {} });
        },
      }),
    ),
    {
      upkeep: 'downloads',
      about: node,
      everyMs: HOUR_MS,
      pace: upToAnHour,
      atStart: true,
      work: async () => {
        const swept = await sweepDownloads(db.read, config.images.image_conversion_dir);
        if (swept.length > 0) log.warn({ swept }, 'images of flows that ended elsewhere were removed');
      },
    },
    {
      upkeep: 'images',
      about: node,
      everyMs: 5 * SECOND_MS,
      pace: { firstMs: 5 * SECOND_MS, longestMs: 10 * MINUTE_MS },
      work: (signal) => removeDoomedImages(db, desk.tools.images, signal),
    },
    {
      upkeep: 'backups',
      about: node,
      everyMs: 5 * SECOND_MS,
      pace: { firstMs: 5 * SECOND_MS, longestMs: 10 * MINUTE_MS },
      work: (signal) => removeRemains(desk.tools.backups, signal),
    },
    {
      upkeep: 'schedules',
      about: node,
      everyMs: 5 * SECOND_MS,
      pace: { firstMs: 5 * SECOND_MS, longestMs: 10 * MINUTE_MS },
      work: async () => {
        // Those who make no backups leave them to those who do, and need not know calendars.
        if (config.default_backup_store === undefined || (await dueSchedules(db.read, now())).length === 0) return;
        await (await import('../commands/backup-schedules/begin-due-runs.ts')).beginDueRuns(desk, now());
      },
    },
    {
      upkeep: 'mending',
      about: node,
      everyMs: MINUTE_MS,
      pace: upToAnHour,
      work: () => mendBackups(desk),
    },
    {
      upkeep: 'verification',
      about: node,
      everyMs: MINUTE_MS,
      pace: upToAnHour,
      work: async () => {
        await verifyNightly(desk);
      },
    },
    {
      upkeep: 'alarms',
      about: node,
      everyMs: 15 * SECOND_MS,
      pace: { firstMs: 15 * SECOND_MS, longestMs: 10 * MINUTE_MS },
      work: async () => {
        // Those who deliver no events have no use for it.
        if (alarms === undefined && !(await events.leads())) return;
        alarms ??= new (await import('../alarms/alarm-watch.ts')).AlarmWatch({
          ...{ db, log, node, ...events },
          serviceDownSeconds: desk.tools.serviceDownSeconds,
          found: () => doctor?.found ?? null,
          elapsed: () => troubles.clock.elapsed(),
        });
        await alarms.round();
      },
    },
    {
      upkeep: 'examination',
      about: node,
      everyMs: DAY_MS,
      pace: { firstMs: QUARTER_MS, longestMs: 4 * HOUR_MS },
      work: async (signal) => {
        const isFirst = doctor === undefined;
        if (!(await events.leads())) return SOON_MS;
        doctor ??= (await import('../doctor/run-doctor.ts')).doctorOf(config);
        // A start has enough to do.
        if (isFirst) return SOON_MS;
        return (await doctor.examine(signal)).length > 0 ? QUARTER_MS : DAY_MS;
      },
    },
    {
      upkeep: 'messages',
      about: node,
      everyMs: HOUR_MS,
      pace: upToAnHour,
      work: () => untilFew(() => db.write((tx) => pruneMessages(tx, PRUNED_AT_ONCE)), HOUR_MS),
    },
    {
      upkeep: 'tokens',
      about: node,
      everyMs: MINUTE_MS,
      pace: upToAnHour,
      work: () => untilFew(() => db.write((tx) => pruneTokens(tx, PRUNED_AT_ONCE)), MINUTE_MS),
    },
  ];
}

/** Another bite soon when there may be more. */
async function untilFew(prune: () => Promise<number>, restMs: number): Promise<number> {
  return (await prune()) === PRUNED_AT_ONCE ? SECOND_MS : restMs;
}
