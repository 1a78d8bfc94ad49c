import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nextTime, recurringTimes } from '../../src/lib/recurring-times.ts';
import { wallTime } from '../../src/lib/zoned-time.ts';

const NOW = '2026-01-15T10:20:30.000000';

/** The next ones, as the wall shows them. */
function nextOnes(times: string, zone: string, from: string, count: number): string[] {
  const found: string[] = [];
  for (let at = `${from}:00.000000`; found.length < count; found.push(wallTime(at, zone)))
    at = nextTime(times, zone, at);
  return found;
}

describe('times that come again', () => {
  test('are five fields, or plain words for the usual ones', () => {
    const said = (typed: string): string => recurringTimes(typed, 'UTC', NOW);
    assert.equal(said(' 30  2 * * MON-FRI '), '30 2 * * mon-fri');
    assert.equal(said('hourly'), '0 * * * *');
    assert.equal(said('Daily'), '0 0 * * *');
    assert.equal(said('daily at 2:05'), '5 2 * * *');
    assert.equal(said('weekly at 23:59'), '59 23 * * 0');
    assert.equal(said('monthly'), '0 0 1 * *');
  });

  test('are refused when they are none, never come, or are in no zone', () => {
    const refuses = (typed: string, zone: string, message: RegExp): void =>
      assert.throws(() => recurringTimes(typed, zone, NOW), { name: 'TimesInvalid', message });
    for (const typed of [
      '',
      'noon',
      'hourly at 02:00',
      '* * * *',
      '* * * * * *',
      '@daily',
      'daily at 2',
      'often at 02:00',
    ])
      refuses(typed, 'UTC', /five fields as in cron/);
    for (const typed of ['60 * * * *', '0 24 * * *', '0 0 * 13 *', 'x 0 * * *', 'daily at 24:00', '0 0 * * 9'])
      refuses(typed, 'UTC', /is no time that comes again/);
    refuses('0 0 31 2 *', 'UTC', /never comes/);
    refuses('daily', 'Europe/Nowhere', /no time zone Europe\/Nowhere/);
  });

  test('are those of their zone, and later than what they come after', () => {
    assert.equal(nextTime('30 2 * * *', 'UTC', NOW), '2026-01-16T02:30:00.000000');
    assert.equal(nextTime('30 2 * * *', 'Europe/Berlin', NOW), '2026-01-16T01:30:00.000000');
    assert.equal(nextTime('30 2 * * *', 'Asia/Kolkata', NOW), '2026-01-15T21:00:00.000000');
    const noon = nextTime('0 12 * * *', 'UTC', NOW);
    assert.notEqual(nextTime('0 12 * * *', 'UTC', noon), noon);
  });

  test('that are left out when clocks are put forward come when they have been', () => {
    assert.deepEqual(nextOnes('30 2 * * *', 'Europe/Berlin', '2026-03-28T00:00', 3), [
      '2026-03-28 02:30',
      '2026-03-29 03:00',
      '2026-03-30 02:30',
    ]);
  });

  test('come once when clocks are put back, and go on in between when they are of every hour', () => {
    assert.deepEqual(nextOnes('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00', 2), [
      '2026-10-25 02:30',
      '2026-10-26 02:30',
    ]);
    const hours: string[] = [];
    for (let at = '2026-10-24T23:30:00.000000'; hours.length < 3; hours.push(at))
      at = nextTime('0 * * * *', 'Europe/Berlin', at);
    assert.deepEqual(
      hours,
      ['00', '01', '02'].map((hour) => `2026-10-25T${hour}:00:00.000000`),
    );
  });
});
