/** Times and durations as people say them. */
import { millis, type Timestamp } from './clock.ts';

/** `<1 ms`, `12 ms`, `1.24 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1) return '<1 ms';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${ms % 1_000 === 0 ? seconds : (ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  if (seconds < 3_600) return parts(seconds, 60, 'min', 1, 's');
  if (seconds < 86_400) return parts(seconds, 3_600, 'h', 60, 'min');
  return parts(seconds, 86_400, 'd', 3_600, 'h');
}

function parts(seconds: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const whole = Math.floor(seconds / large);
  const rest = Math.floor((seconds - whole * large) / small);
  return rest === 0 ? `${whole} ${largeUnit}` : `${whole} ${largeUnit} ${rest} ${smallUnit}`;
}

/** From one to the other, never negative. */
export const between = (from: Timestamp, to: Timestamp): string => duration(Math.max(0, millis(to) - millis(from)));

/** The same for people to whom a second is enough. */
export function age(from: Timestamp, to: Timestamp): string {
  const seconds = Math.max(0, Math.floor((millis(to) - millis(from)) / 1_000));
  return seconds === 0 ? '0 s' : duration(seconds * 1_000);
}

/** Its largest unit: `2 h` of `2 h 5 min`. */
export const roughly = (time: string): string => time.split(' ', 2).join(' ');

/** `2026-01-31 12:00:00.123`, UTC. */
export const clockTime = (at: Timestamp): string => at.replace('T', ' ').slice(0, 23);
