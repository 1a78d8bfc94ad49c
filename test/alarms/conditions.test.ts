import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { conditionsOf, type Lasts } from '../../src/alarms/conditions.ts';
import type { AlarmFacts } from '../../src/alarms/facts.ts';
import type { Service } from '../../src/db/services.ts';
import { millis, type Timestamp, timestampOf } from '../../src/lib/clock.ts';
import { ALARM_NAMES, type AlarmName } from '../../src/model/alarm.ts';
import type { Pool } from '../../src/model/backend.ts';

const AT = '2026-01-31T12:00:00.000000';
const HOST = 'n@b';
const ago = (seconds: number): Timestamp => timestampOf(millis(AT) - seconds * 1000);

const NOTHING: AlarmFacts = {
  ...{ at: AT, alive: ago(60), ended: [], old: [], stuck: new Map(), services: [], pools: [], lags: [] },
  ...{ heldBack: undefined, troubles: [], found: null },
};

const ended = (state: string, took: number, endedAgo = 60, name = 'extend_volume') => ({
  ...{ name, state, createdAt: ago(endedAgo + took), endedAt: ago(endedAgo) },
});
const times = <T>(count: number, thing: T): T[] => Array.from({ length: count }, () => thing);
const old = (seconds: number, state = 'running') => ({
  ...{ id: '1b6c', name: 'extend_volume', resource: 'volume:a', state, createdAt: ago(seconds) },
});
const service = (given: Partial<Service>): Service =>
  ({ host: HOST, failure: null, disabled: false, updatedAt: ago(5), ...given }) as Service;
const pool = (free: number | 'unknown', total: number | 'infinite' = 100): Pool =>
  ({ name: `${HOST}#p`, stats: { free_capacity_gb: free, total_capacity_gb: total } }) as unknown as Pool;
const trouble = (upkeep: string, seconds: number) => ({
  ...{ upkeep, about: 'attachment:a', process: 'p', node: 'n', reason: 'no tgtd', since: ago(seconds) },
});

const NEVER: Lasts = () => false;
const ALWAYS: Lasts = () => true;

/** What is told of the facts, when nothing lasts, and when the alarm does. */
function told(facts: Partial<AlarmFacts>): { readonly begins: readonly string[]; readonly goesOn: readonly string[] } {
  const of = (lasts: Lasts) =>
    conditionsOf({ ...NOTHING, ...facts }, lasts).map(({ alarm, about }) => `${alarm} of ${about}`);
  return { begins: of(NEVER), goesOn: of(ALWAYS) };
}

interface Row {
  readonly alarm: AlarmName;
  readonly about: string;
  /** Where it begins; where it goes on and would not begin; where there is none. */
  readonly begins: readonly Partial<AlarmFacts>[];
  readonly goesOn?: readonly Partial<AlarmFacts>[];
  readonly over: readonly Partial<AlarmFacts>[];
}

const ROWS: readonly Row[] = [
  {
    alarm: 'flow_stuck',
    about: 'flow 1b6c',
    begins: [{ old: [old(1, 'stuck')], stuck: new Map([['1b6c', 'backend: no room']]) }],
    over: [{ old: [old(1, 'reverting')] }],
  },
  {
    alarm: 'flow_slow',
    about: 'flow 1b6c',
    begins: [
      { old: [old(61)], ended: times(10, ended('success', 1)) },
      { old: [old(500)], ended: [...times(9, ended('success', 100)), ...times(91, ended('success', 2))] },
    ],
    over: [
      { old: [old(59)], ended: times(10, ended('success', 1)) },
      { old: [old(61)], ended: times(9, ended('success', 1)) },
      { old: [old(61)], ended: times(10, ended('reverted', 1, 31 * 60)) },
      { old: [old(61)], ended: times(10, ended('success', 1, 60, 'create_volume')) },
      { old: [old(399)], ended: times(10, ended('success', 100)) },
      { old: [old(61, 'stuck')], ended: times(10, ended('success', 1)) },
    ],
  },
  {
    alarm: 'flows_failing',
    about: 'flows extend_volume',
    begins: [{ ended: times(5, ended('reverted', 1)) }],
    goesOn: [{ ended: [...times(2, ended('reverted', 1)), ended('success', 1), ...times(3, ended('reverted', 1))] }],
    over: [
      { ended: times(4, ended('reverted', 1)) },
      { ended: [ended('success', 1), ...times(5, ended('reverted', 1))] },
      { ended: times(5, ended('reverted', 1, 31 * 60)) },
    ],
  },
  {
    alarm: 'backend_down',
    about: 'backend n@b',
    begins: [{ services: [service({ failure: 'not mounted' })] }, { services: [service({ updatedAt: ago(61) })] }],
    over: [{ services: [service({})] }, { services: [service({ failure: 'not mounted', disabled: true })] }],
  },
  {
    alarm: 'pool_nearly_full',
    about: 'pool n@b#p',
    begins: [{ pools: [pool(9)], services: [service({})] }],
    goesOn: [{ pools: [pool(14)], services: [service({})] }],
    over: [
      { pools: [pool(15)] },
      { pools: [pool('unknown')] },
      { pools: [pool(9, 'infinite')] },
      { pools: [pool(0, 0)] },
    ],
  },
  {
    alarm: 'sink_behind',
    about: 'sink file',
    begins: [{ lags: [{ sink: 'file', seconds: 301 }] }],
    goesOn: [{ lags: [{ sink: 'file', seconds: 61 }] }],
    over: [{ lags: [{ sink: 'file', seconds: 60 }] }],
  },
  {
    alarm: 'events_held_back',
    about: 'events',
    begins: [{ heldBack: { since: ago(61), by: 'pid 1' } }],
    goesOn: [{ heldBack: { since: ago(11), by: 'pid 1' } }],
    over: [{ heldBack: { since: ago(10), by: 'pid 1' } }],
  },
  {
    alarm: 'upkeep_failing',
    about: 'upkeep exports of attachment:a',
    begins: [{ troubles: [trouble('exports', 601)] }],
    over: [{ troubles: [trouble('exports', 600)] }, { troubles: [trouble('backend', 601), trouble('events', 601)] }],
  },
  {
    alarm: 'quota_drift',
    about: 'project p',
    begins: [{ found: [{ check: 'quota', about: 'project p', says: 'volumes is kept as 2, counted 1' }] }],
    over: [{ found: [] }, { found: [{ check: 'events', about: 'sink file', says: 'has events to take' }] }],
  },
  {
    alarm: 'doctor_finding',
    about: 'check transient',
    begins: [
      { found: [{ check: 'transient', about: 'volume a', says: 'is in creating' }] },
      { found: ['a', 'b'].map((id) => ({ check: 'transient', about: `volume ${id}`, says: 'is in creating' })) },
    ],
    over: [{ found: [] }, { found: [{ check: 'backends', about: 'backend n@b', says: 'is down' }] }],
  },
];

describe('the conditions of alarms', () => {
  test('are each tried here', () => {
    assert.deepEqual(
      ROWS.map(({ alarm }) => alarm),
      ALARM_NAMES,
    );
  });

  for (const { alarm, about, begins, goesOn = [], over } of ROWS) {
    const one = [`${alarm} of ${about}`];
    test(`${alarm} begins and ends at the limits it says`, () => {
      for (const facts of begins) assert.deepEqual(told(facts), { begins: one, goesOn: one });
      for (const facts of goesOn) assert.deepEqual(told(facts), { begins: [], goesOn: one });
      for (const facts of over) assert.deepEqual(told(facts), { begins: [], goesOn: [] });
    });
  }

  test('tell one cause once: nothing of the pools of a backend that is down', () => {
    const facts = { services: [service({ failure: 'not mounted' })], pools: [pool(1)] };
    assert.deepEqual(told(facts).begins, ['backend_down of backend n@b']);
  });

  test('are bounded, however much fails', () => {
    const many = Array.from({ length: 500 }, (_, index) => ({ ...old(61), id: String(index) }));
    assert.equal(told({ old: many, ended: times(10, ended('success', 1)) }).begins.length, 20);
    const troubles = many.map(({ id }) => ({ ...trouble('exports', 601), about: id }));
    assert.equal(told({ troubles }).begins.length, 20);
  });
});
