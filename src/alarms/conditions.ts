/**
 * The conditions of alarms, with hysteresis: which of them hold, as a function of the facts and of which alarms last already, since
 * what has begun ends at another limit than it began at, so that nothing that is on the edge is told again and again.
 */
import { isUsable } from '../db/services.ts';
import { millis, type Timestamp } from '../lib/clock.ts';
import type { AlarmName } from '../model/alarm.ts';
import { hostOf, type Pool } from '../model/backend.ts';
import type { UpkeepName } from '../model/upkeep.ts';
import { type AlarmFacts, MOST_OF_A_NAME } from './facts.ts';

export interface Condition {
  readonly alarm: AlarmName;
  readonly about: string;
  /** Without what changes while it lasts. */
  readonly message: string;
}

export type Lasts = (alarm: AlarmName, about: string) => boolean;

const MINUTE = 60;
const SLOW_SECONDS = MINUTE;
const TIMES_SLOWER = 4;
/** Fewer say nothing of what is usual. */
const FEWEST_COMPARED = 10;
const FAILURES = 5;
const FAILING_SECONDS = 30 * MINUTE;
const FREE = { begins: 0.1, ends: 0.15 };
const LAG_SECONDS = { begins: 5 * MINUTE, ends: MINUTE };
const HELD_SECONDS = { begins: MINUTE, ends: 10 };
const TROUBLE_SECONDS = 10 * MINUTE;
/** Told by other alarms. */
const TOLD_ELSEWHERE: readonly string[] = ['backend', 'events'] satisfies readonly UpkeepName[];
/** Checks whose findings are alarms of their own, sooner. */
const FOUND_ELSEWHERE: readonly string[] = ['backends', 'events', 'upkeep'];
const QUOTA = 'quota';
/** What is only known when the doctor has looked. */
export const BY_THE_DOCTOR: readonly AlarmName[] = ['quota_drift', 'doctor_finding'];

export function conditionsOf(facts: AlarmFacts, lasts: Lasts): readonly Condition[] {
  return [
    ...stuckFlows(facts),
    ...slowFlows(facts),
    ...failingFlows(facts, lasts),
    ...backendsDown(facts),
    ...fullPools(facts, lasts),
    ...sinksBehind(facts, lasts),
    ...heldBack(facts, lasts),
    ...upkeep(facts),
    ...driftingQuotas(facts),
    ...findings(facts),
  ];
}

function stuckFlows({ old, stuck }: AlarmFacts): Condition[] {
  return old.flatMap(({ id, name, resource }) => {
    const reason = stuck.get(id);
    if (reason === undefined) return [];
    return [
      { alarm: 'flow_stuck' as const, about: `flow ${id}`, message: `${name} of ${resource} is stuck. ${reason}` },
    ];
  });
}

function slowFlows({ at, old, ended }: AlarmFacts): Condition[] {
  const usual = new Map<string, number | undefined>();
  const usualOf = (name: string): number | undefined => {
    if (!usual.has(name))
      usual.set(name, ninetieth(ended.filter((flow) => flow.name === name && flow.state === 'success')));
    return usual.get(name);
  };
  return old
    .filter(({ name, state, createdAt }) => {
      const seconds = usualOf(name);
      return (
        state !== 'stuck' &&
        seconds !== undefined &&
        secondsTo(at, createdAt) > Math.max(SLOW_SECONDS, TIMES_SLOWER * seconds)
      );
    })
    .slice(0, MOST_OF_A_NAME)
    .map(({ id, name, resource }) => ({
      alarm: 'flow_slow',
      about: `flow ${id}`,
      message: `${name} of ${resource} takes longer than ${TIMES_SLOWER} times the usual ${rounded(usualOf(name) ?? 0)}.`,
    }));
}

/** Seconds that nine of ten took; undefined when there are too few. */
function ninetieth(flows: AlarmFacts['ended']): number | undefined {
  if (flows.length < FEWEST_COMPARED) return undefined;
  const took = flows.map(({ createdAt, endedAt }) => secondsTo(endedAt, createdAt)).toSorted((a, b) => a - b);
  return took[Math.ceil(took.length * 0.9) - 1];
}

function failingFlows({ at, ended }: AlarmFacts, lasts: Lasts): Condition[] {
  return [...Map.groupBy(ended, ({ name }) => name)].flatMap(([name, flows]) => {
    const about = `flows ${name}`;
    // What has begun is over with the first that succeeds.
    const last = flows.slice(0, lasts('flows_failing', about) ? 1 : FAILURES);
    const failing = last.every(
      ({ state, endedAt }) => state === 'reverted' && secondsTo(at, endedAt) < FAILING_SECONDS,
    );
    if (!failing || flows.length < FAILURES) return [];
    return [
      { alarm: 'flows_failing' as const, about, message: `The last ${FAILURES} flows ${name} were all taken back.` },
    ];
  });
}

const isDown = ({ services, alive }: AlarmFacts, host: string): boolean =>
  services.some((service) => service.host === host && !isUsable(service, alive));

function backendsDown(facts: AlarmFacts): Condition[] {
  return facts.services
    .filter(({ host, disabled }) => !disabled && isDown(facts, host))
    .map(({ host, failure }) => ({
      alarm: 'backend_down',
      about: `backend ${host}`,
      message: failure ?? 'Its process gives no sign of life.',
    }));
}

/** Of a backend that is down nobody knows. */
function fullPools(facts: AlarmFacts, lasts: Lasts): Condition[] {
  return facts.pools.flatMap((pool) => {
    const about = `pool ${pool.name}`;
    const free = freeOf(pool);
    const most = lasts('pool_nearly_full', about) ? FREE.ends : FREE.begins;
    if (free === undefined || free >= most || isDown(facts, hostOf(pool.name))) return [];
    return [{ alarm: 'pool_nearly_full' as const, about, message: 'Less than a tenth of it is free.' }];
  });
}

function freeOf({ stats: { free_capacity_gb: free, total_capacity_gb: total } }: Pool): number | undefined {
  return typeof free === 'number' && typeof total === 'number' && total > 0 ? free / total : undefined;
}

function sinksBehind({ lags }: AlarmFacts, lasts: Lasts): Condition[] {
  return lags
    .filter(({ sink, seconds }) => seconds > LAG_SECONDS[lasts('sink_behind', `sink ${sink}`) ? 'ends' : 'begins'])
    .map(({ sink, reason }) => ({
      alarm: 'sink_behind',
      about: `sink ${sink}`,
      message: `It lacks an event of more than five minutes ago.${reason === undefined ? '' : ` ${reason}`}`,
    }));
}

function heldBack({ at, heldBack }: AlarmFacts, lasts: Lasts): Condition[] {
  const about = 'events';
  const least = HELD_SECONDS[lasts('events_held_back', about) ? 'ends' : 'begins'];
  if (heldBack === undefined || secondsTo(at, heldBack.since) <= least) return [];
  return [{ alarm: 'events_held_back', about, message: `They are held back by ${heldBack.by}.` }];
}

function upkeep({ at, troubles }: AlarmFacts): Condition[] {
  const lasting = troubles.filter(
    ({ upkeep, since }) => !TOLD_ELSEWHERE.includes(upkeep) && secondsTo(at, since) > TROUBLE_SECONDS,
  );
  // Several processes may fail at the same thing.
  const each = new Map(lasting.map((trouble) => [`upkeep ${trouble.upkeep} of ${trouble.about}`, trouble]));
  return [...each].slice(0, MOST_OF_A_NAME).map(([about, { reason }]) => ({
    alarm: 'upkeep_failing',
    about,
    message: reason,
  }));
}

function driftingQuotas({ found }: AlarmFacts): Condition[] {
  return (found ?? [])
    .filter(({ check }) => check === QUOTA)
    .slice(0, MOST_OF_A_NAME)
    .map(({ about, says }) => ({ alarm: 'quota_drift', about, message: `${says}.` }));
}

/** One for all that a check has found: they have one cause more often than not. */
function findings({ found }: AlarmFacts): Condition[] {
  const others = (found ?? []).filter(({ check }) => check !== QUOTA && !FOUND_ELSEWHERE.includes(check));
  return [...Map.groupBy(others, ({ check }) => check)].map(([check, [first, ...more]]) => ({
    alarm: 'doctor_finding',
    about: `check ${check}`,
    message: `${first?.about}: ${first?.says}${more.length > 0 ? `; and ${more.length} more` : ''}.`,
  }));
}

const secondsTo = (at: Timestamp, since: Timestamp): number => (millis(at) - millis(since)) / 1000;

const rounded = (seconds: number): string => (seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`);
