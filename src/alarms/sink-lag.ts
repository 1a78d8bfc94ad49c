/** How far each sink is behind. */
import type { Database } from '../db/database.ts';
import { undelivered } from '../db/outbox.ts';
import { readSinks } from '../db/sinks.ts';
import { fromNow, millis } from '../lib/clock.ts';

export interface SinkLag {
  readonly sink: string;
  /** The age of the oldest event that it has not had; 0 when it has all. */
  readonly seconds: number;
  /** Why it takes nothing, where it is known to fail. */
  readonly reason?: string | undefined;
}

/** `deliveredUpTo`: of each sink, a `seq` up to which it has had all, so that no more is read than needed. */
export async function sinkLags(
  { read }: Pick<Database, 'read'>,
  deliveredUpTo: ReadonlyMap<string, number>,
): Promise<readonly SinkLag[]> {
  const lags: SinkLag[] = [];
  const states = await readSinks(read, [...deliveredUpTo.keys()]);
  for (const [sink, seq] of deliveredUpTo) {
    const [oldest] = await undelivered(read, sink, seq, 1);
    const seconds = oldest === undefined ? 0 : Math.max(0, ageMs(oldest.createdAt) / 1000);
    lags.push({ sink, seconds, reason: states.get(sink)?.failing?.reason });
  }
  return lags;
}

const ageMs = (at: string): number => millis(fromNow(0)) - millis(at);
