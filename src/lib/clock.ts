/**
 * The clock: the one source of time and ids below `main.ts`, and pauses that can be aborted.
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

/** Of milliseconds since 1970. */
export function timestampOf(ms: number): Timestamp {
  return timestamp(Math.floor(ms) * 1000);
}

/** Milliseconds since 1970 of a timestamp. */
export function millis(at: Timestamp): number {
  return Date.parse(`${at}Z`);
}

/** Monotonic milliseconds, for measuring. */
export const elapsed = (): number => performance.now();

export const uuid = (): string => randomUUID();

let idMs = 0;
let idsOfMs = 0;

/**
 * An id that begins with the time (UUID version 7), each greater than the last of this process: rows that are made together
 * lie together in every index, and are written with a few pages instead of one each.
 */
export function orderedUuid(): string {
  const ms = Date.now();
  idsOfMs += 1;
  if (ms > idMs || idsOfMs > 0xfff) {
    idMs = Math.max(ms, idMs + 1);
    idsOfMs = 0;
  }
  const time = idMs.toString(16).padStart(12, '0');
  const count = idsOfMs.toString(16).padStart(3, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${count}${randomUUID().slice(18)}`;
}

/** Resolves after `ms`; rejects with the signal's reason when it is aborted first. Keeps a process alive only by `ref`. */
export async function pause(ms: number, signal: AbortSignal, { ref = false } = {}): Promise<void> {
  await delay(ms, undefined, { signal, ref }).catch((error: unknown) => {
    throw signal.aborted ? signal.reason : error;
  });
}

/** Time for those who wait, so that a test can let an hour pass in a moment. */
export interface Clock {
  /** Monotonic milliseconds. */
  elapsed(): number;
  /** As `pause`. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
}

export const CLOCK: Clock = { elapsed, pause };

let madeMs = Number.NaN;
let madeText = '';

/** Some hundred are made in a millisecond, and the date is what costs. */
function timestamp(micros: number): Timestamp {
  const ms = Math.floor(micros / 1000);
  if (ms !== madeMs) {
    madeMs = ms;
    madeText = new Date(ms).toISOString().slice(0, 23);
  }
  return `${madeText}${String(micros - ms * 1000).padStart(3, '0')}`;
}
