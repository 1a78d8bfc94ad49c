/** Times as people say them. */
import { millis, type Timestamp } from '../lib/clock.ts';

/** `0.4 ms`, `12 ms`, `1.24 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < 1) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(2)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${(ms / 1_000).toFixed(1)} s`;
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

/** `2026-01-31 12:00:00.123`, UTC. */
export const clockTime = (at: Timestamp): string => at.replace('T', ' ').slice(0, 23);
