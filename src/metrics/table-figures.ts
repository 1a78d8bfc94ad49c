/**
 * What the tables say of the whole site, told by one of its processes, so that a sum over all of them is right: the one that holds
 * the lease of the events. When that moves, the series of the other end with its next scrape.
 *
 * Each figure is a row that is kept anyway, or found by an index: nothing here grows with the volumes or with the flows that have ended.
 */
import { sinkLags } from '../alarms/sink-lag.ts';
import { listAlarms } from '../db/alarms.ts';
import type { Database } from '../db/database.ts';
import { countUnendedFlows } from '../db/flow-counts.ts';
import { listPools } from '../db/pools.ts';
import { isUsable, listServices } from '../db/services.ts';
import { readSinks } from '../db/sinks.ts';
import type { Dispatcher } from '../events/dispatcher.ts';
import { fromNow, millis, type Timestamp } from '../lib/clock.ts';
import { ALARM_NAMES, ALARMS } from '../model/alarm.ts';
import type { CapacityGiB, Pool } from '../model/backend.ts';
import { type Family, gauge, type Labels } from './text.ts';

export interface TableParts {
  readonly db: Database;
  /** Whether this process tells. */
  leads(): Promise<boolean>;
  readonly dispatcher: Pick<Dispatcher, 'deliveredUpTo'>;
}

const GIB = 1024 ** 3;
/** Of a flow that has not ended. One that waits for its holds is `waiting`, whatever its row says. */
const UNENDED_STATES = ['pending', 'running', 'waiting', 'reverting', 'stuck'] as const;

/** None, where another process tells. */
export async function tableFamilies(parts: TableParts, serviceDownSeconds: number): Promise<readonly Family[]> {
  const { db, dispatcher } = parts;
  if (!(await parts.leads())) return [leadership(0)];
  return [
    leadership(1),
    ...(await flows(db)),
    ...(await services(db, serviceDownSeconds)),
    ...(await pools(db, serviceDownSeconds)),
    ...(await sinks(db, dispatcher.deliveredUpTo)),
    await alarms(db),
  ];
}

const leadership = (value: 0 | 1): Family =>
  gauge('pumice_tells_of_tables', 'Whether this process tells what the tables say of all.', [[{}, value]]);

async function flows(db: Database): Promise<readonly Family[]> {
  const counts = await countUnendedFlows(db.read);
  const byState = Map.groupBy(counts, ({ state, waits }) => (waits ? 'waiting' : state));
  const each = (value: (group: typeof counts) => number) =>
    UNENDED_STATES.map((state): readonly [Labels, number] => [{ state }, value(byState.get(state) ?? [])]);
  return [
    gauge(
      'pumice_flows',
      'Flows that have not ended, by state.',
      each((group) => group.reduce((sum, { flows }) => sum + flows, 0)),
    ),
    gauge(
      'pumice_flow_oldest_age_seconds',
      'The age of the oldest flow in a state; 0 when there is none.',
      each((group) => Math.max(0, ...group.map(({ oldest }) => secondsSince(oldest)))),
    ),
  ];
}

async function services(db: Database, serviceDownSeconds: number): Promise<readonly Family[]> {
  const all = await listServices(db.read);
  const alive = fromNow(-serviceDownSeconds * 1000);
  const each = (value: (service: (typeof all)[number]) => boolean) =>
    all.map((service): readonly [Labels, number] => [
      { binary: service.binary, host: service.host },
      value(service) ? 1 : 0,
    ]);
  return [
    gauge(
      'pumice_service_up',
      'Whether a service gives signs of life and its backend can be used.',
      each((service) => isUsable(service, alive)),
    ),
    gauge(
      'pumice_service_enabled',
      'Whether an administrator lets it be given anything new.',
      each(({ disabled, frozen }) => !disabled && !frozen),
    ),
  ];
}

async function pools(db: Database, serviceDownSeconds: number): Promise<readonly Family[]> {
  const all = await listPools(db.read, serviceDownSeconds);
  const each = (value: (pool: Pool) => number) =>
    all
      .map((pool): readonly [Labels, number] => [{ pool: pool.name }, value(pool)])
      .filter(([, bytes]) => !Number.isNaN(bytes));
  return [
    gauge(
      'pumice_pool_capacity_bytes',
      'Room of a pool in all.',
      each(({ stats }) => bytesOf(stats.total_capacity_gb)),
    ),
    gauge(
      'pumice_pool_free_bytes',
      'Room that its backend said is free.',
      each(({ stats }) => bytesOf(stats.free_capacity_gb)),
    ),
    gauge(
      'pumice_pool_allocated_bytes',
      'Sizes of its volumes.',
      each(({ allocatedGiB }) => allocatedGiB * GIB),
    ),
    gauge(
      'pumice_pool_promised_bytes',
      'Sizes of its volumes and of their snapshots.',
      each(({ provisionedGiB }) => provisionedGiB * GIB),
    ),
    gauge(
      'pumice_pool_volumes',
      'Volumes on it.',
      each(({ volumes }) => volumes),
    ),
  ];
}

async function sinks(db: Database, deliveredUpTo: ReadonlyMap<string, number>): Promise<readonly Family[]> {
  const lags = await sinkLags(db, deliveredUpTo);
  const states = [...(await readSinks(db.read, [...deliveredUpTo.keys()]))];
  return [
    gauge(
      'pumice_event_sink_lag_seconds',
      'The age of the oldest event that a sink has not had; 0 when it has all.',
      lags.map(({ sink, seconds }) => [{ sink }, seconds]),
    ),
    gauge(
      'pumice_event_sink_failing',
      'Whether a sink does not take what it is given.',
      states.map(([sink, { failing }]) => [{ sink }, failing ? 1 : 0]),
    ),
    gauge(
      'pumice_event_sink_waiting_resources',
      'Resources whose events wait for one that a sink refused.',
      states.map(([sink, { waiting }]) => [{ sink }, waiting.length]),
    ),
    gauge(
      'pumice_event_sink_last_success_timestamp_seconds',
      'When a sink last took an event.',
      states.flatMap(([sink, { succeededAt }]) => (succeededAt ? [[{ sink }, millis(succeededAt) / 1000]] : [])),
    ),
  ];
}

async function alarms(db: Database): Promise<Family> {
  const lasting = Map.groupBy(await listAlarms(db.read), ({ alarm }) => alarm);
  return gauge(
    'pumice_alarms',
    'Alarms that last, by name.',
    ALARM_NAMES.map((alarm) => [{ alarm, severity: ALARMS[alarm].severity }, lasting.get(alarm)?.length ?? 0]),
  );
}

/** NaN where a backend does not know. */
function bytesOf(capacity: CapacityGiB): number {
  if (capacity === 'infinite') return Number.POSITIVE_INFINITY;
  return capacity === 'unknown' ? Number.NaN : capacity * GIB;
}

const secondsSince = (at: Timestamp): number => Math.max(0, millis(fromNow(0)) - millis(at)) / 1000;
