import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { timestampOf } from '../../src/lib/clock.ts';
import { wallTime } from '../../src/lib/zoned-time.ts';
import type { KeepRule } from '../../src/model/backup-schedule.ts';
import { type DatedBackup, surplusOf } from '../../src/model/retention.ts';

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 0, 1);
const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata'] as const;

const rules = fc.record({
  last: fc.nat(5),
  daily: fc.nat(8),
  weekly: fc.nat(6),
  monthly: fc.nat(5),
});
const someRules = rules.filter((rule) => Object.values(rule).some((count) => count > 0));

/** Backups with pauses of minutes to months between them, some of which failed. */
const histories = fc
  .array(fc.tuple(fc.oneof(fc.nat(30), fc.nat(30 * 60), fc.nat(40 * 24 * 60)), fc.nat(9)), { maxLength: 60 })
  .map((steps) => {
    let ms = START_MS;
    return steps.map(([minutes, luck], index): DatedBackup => {
      ms += (minutes + 1) * 60_000;
      return { id: String(index).padStart(4, '0'), status: luck === 0 ? 'error' : 'available', at: timestampOf(ms) };
    });
  });

const left = (rule: KeepRule, zone: string, backups: readonly DatedBackup[]): readonly DatedBackup[] => {
  const surplus = new Set(surplusOf(rule, zone, backups));
  return backups.filter(({ id }) => !surplus.has(id));
};
const idsOf = (backups: readonly DatedBackup[]): string[] => backups.map(({ id }) => id);

/** The rule read aloud: walk back in time, and keep what opens a period of which there are not enough yet. */
function wanted(rule: KeepRule, zone: string, backups: readonly DatedBackup[]): string[] {
  const whole = backups.filter(({ status }) => status === 'available').toReversed();
  const kept = new Set(whole.slice(0, Math.max(rule.last, 1)).map(({ id }) => id));
  const weekOf = (day: string): string => {
    const date = new Date(`${day}T00:00:00Z`);
    while (date.getUTCDay() !== 1) date.setUTCDate(date.getUTCDate() - 1);
    return date.toISOString();
  };
  const periods = {
    daily: (day: string) => day,
    weekly: weekOf,
    monthly: (day: string) => day.slice(0, 7),
  } as const;
  for (const [name, periodOf] of Object.entries(periods)) {
    const seen: string[] = [];
    for (const { id, at } of whole) {
      const period = periodOf(wallTime(at, zone).slice(0, 10));
      if (seen.at(-1) === period) continue;
      if (seen.length === rule[name as keyof typeof periods]) break;
      seen.push(period);
      kept.add(id);
    }
  }
  return [...kept].sort();
}

describe('retention', () => {
  test('keeps what the rule says, whatever has been', () => {
    fc.assert(
      fc.property(someRules, fc.constantFrom(...ZONES), histories, (rule, zone, backups) => {
        const whole = left(rule, zone, backups).filter(({ status }) => status === 'available');
        assert.deepEqual(idsOf(whole).sort(), wanted(rule, zone, backups));
      }),
    );
  });

  test('after each backup leaves the same as at last, so nothing is missed later', () => {
    fc.assert(
      fc.property(someRules, fc.constantFrom(...ZONES), histories, (rule, zone, backups) => {
        let kept: readonly DatedBackup[] = [];
        for (const backup of backups) kept = left(rule, zone, [...kept, backup]);
        assert.deepEqual(idsOf(kept), idsOf(left(rule, zone, backups)));
      }),
    );
  });

  test('never takes the newest whole one, and the failed ones only after it', () => {
    fc.assert(
      fc.property(rules, histories, (rule, backups) => {
        const kept = left(rule, 'UTC', backups);
        const newest = backups.findLast(({ status }) => status === 'available');
        if (newest !== undefined) assert.ok(kept.includes(newest));
        const later = backups.slice(newest === undefined ? 0 : backups.indexOf(newest));
        assert.deepEqual(
          kept.filter((each) => later.includes(each)),
          later,
        );
      }),
    );
  });

  test('takes nothing without a rule, and lets alone what is at work', () => {
    const none = { last: 0, daily: 0, weekly: 0, monthly: 0 };
    const of = (...statuses: readonly string[]): DatedBackup[] =>
      statuses.map((status, index) => ({ id: String(index), status, at: timestampOf(START_MS + index * HOUR_MS) }));
    assert.deepEqual(surplusOf(none, 'UTC', of('error', 'available', 'available')), []);
    const busy = of('deleting', 'restoring', 'creating', 'error_deleting', 'error', 'available', 'available', 'error');
    assert.deepEqual(surplusOf({ ...none, last: 1 }, 'UTC', busy), ['4', '5']);
    assert.deepEqual(surplusOf({ ...none, last: 1 }, 'UTC', of('error', 'creating')), []);
  });

  test('counts days as they are in the zone', () => {
    const at = (time: string, id: string): DatedBackup => ({ id, status: 'available', at: `${time}:00.000000` });
    const backups = [at('2026-06-01T21:30', 'a'), at('2026-06-01T22:30', 'b'), at('2026-06-02T21:00', 'c')];
    const daily = { last: 0, daily: 2, weekly: 0, monthly: 0 };
    assert.deepEqual(surplusOf(daily, 'UTC', backups), ['a']);
    assert.deepEqual(surplusOf(daily, 'Europe/Berlin', backups), ['b']);
  });
});
