/**
 * Which backups of one volume a schedule has too many of.
 *
 * A backup is kept when any part of the rule asks for it, and the newest whole one whatever the rule says. Whoever deletes what is surplus after
 * each backup is left with the same as whoever does it at last: what is surplus once is never asked for later.
 */
import type { Timestamp } from '../lib/clock.ts';
import { wallTime } from '../lib/zoned-time.ts';
import type { KeepRule } from './backup-schedule.ts';

export interface DatedBackup {
  readonly id: string;
  readonly status: string;
  /** When the volume was as the backup has it. */
  readonly at: Timestamp;
}

/** Ids, the oldest first. One that failed is surplus when a whole one is newer; what is being made, restored or deleted is let alone. */
export function surplusOf(rule: KeepRule, zone: string, backups: readonly DatedBackup[]): readonly string[] {
  if (Object.values(rule).every((count) => count === 0)) return [];
  const newestFirst = backups.toSorted((a, b) => (a.at === b.at ? (a.id < b.id ? 1 : -1) : a.at < b.at ? 1 : -1));
  const whole = newestFirst.filter(({ status }) => status === 'available');
  const [newest] = whole;
  if (newest === undefined) return [];
  const kept = new Set([newest, ...whole.slice(0, rule.last)].map(({ id }) => id));
  for (const [count, periodOf] of [
    [rule.daily, dayOf],
    [rule.weekly, weekOf],
    [rule.monthly, monthOf],
  ] as const) {
    for (const id of newestOfEach(count, whole, ({ at }) => periodOf(wallTime(at, zone)))) kept.add(id);
  }
  const surplus = newestFirst.filter(
    ({ id, status, at }) => (status === 'available' && !kept.has(id)) || (status === 'error' && at < newest.at),
  );
  return surplus.map(({ id }) => id).reverse();
}

/** Of so many periods that have one. */
function newestOfEach(count: number, newestFirst: readonly DatedBackup[], periodOf: (backup: DatedBackup) => string) {
  const newest = new Map<string, string>();
  for (const backup of newestFirst) {
    const period = periodOf(backup);
    if (!newest.has(period) && newest.size < count) newest.set(period, backup.id);
  }
  return newest.values();
}

const DAY_MS = 86_400_000;

const dayOf = (time: string): string => time.slice(0, 10);
const monthOf = (time: string): string => time.slice(0, 7);

/** The Monday with which it begins. */
function weekOf(time: string): string {
  const day = Date.parse(dayOf(time));
  return String(day - ((new Date(day).getUTCDay() + 6) % 7) * DAY_MS);
}
