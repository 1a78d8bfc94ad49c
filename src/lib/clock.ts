/**
 * The one source of time, ids and waiting below `main.ts`.
 *
 * A `Timestamp` is UTC text with microseconds and no zone suffix, the form every Block Storage client parses
 * (gophercloud accepts exactly this). Text sorts as time does, is the same in both databases and
 * is sent as it is stored. `now()` never returns the same value twice in a process, so rows made in one turn keep
 * their order.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

/** `2026-01-31T12:00:00.000000`, UTC. */
export type Timestamp = string;

let last = 0;

export function now(): Timestamp {
  last = Math.max(last + 1, Date.now() * 1000);
  return timestamp(last);
}

/** A timestamp that lies `ms` milliseconds from now; negative for the past. */
export function fromNow(ms: number): Timestamp {
  return timestamp((Date.now() + ms) * 1000);
}

/** Milliseconds since 1970 of a timestamp. */
export function millis(at: Timestamp): number {
  return Date.parse(`${at}Z`);
}

/** Monotonic milliseconds, for measuring. */
export const elapsed = (): number => performance.now();

export const uuid = (): string => randomUUID();

/** Resolves after `ms`; rejects with the signal's reason when it is aborted first. Never keeps a process alive. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal, ref: false }).catch((error: unknown) => {
    throw signal.aborted ? signal.reason : error;
  });
}

function timestamp(micros: number): Timestamp {
  const whole = new Date(Math.floor(micros / 1000)).toISOString();
  return `${whole.slice(0, 23)}${String(micros % 1000).padStart(3, '0')}`;
}
