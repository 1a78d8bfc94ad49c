/** Times of a Cinder database: UTC without a zone, in whole seconds on MySQL, in microseconds on PostgreSQL. */
import type { Timestamp } from '../../lib/clock.ts';

/** Of `2026-01-31 12:00:00`, with a fraction or without. Null of what is none, as MySQL's `0000-00-00 00:00:00`. */
export function cinderTime(value: unknown): Timestamp | null {
  if (typeof value !== 'string') return null;
  const [, day, time, fraction = ''] = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?/.exec(value) ?? [];
  if (day === undefined || day.startsWith('0000')) return null;
  return `${day}T${time}.${fraction.padEnd(6, '0')}`;
}
