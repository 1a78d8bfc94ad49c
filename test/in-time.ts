/** A deadline for what must end by itself: far longer than it may take, so that a slow machine is no failure. */
import { setTimeout as pause } from 'node:timers/promises';

const DEADLINE_MS = 30_000;

export class NeverEnded extends Error {
  override readonly name = 'NeverEnded';
}

export async function inTime<Value>(what: string, work: Promise<Value>): Promise<Value> {
  const over = new AbortController();
  const late = pause(DEADLINE_MS, undefined, { signal: over.signal }).then(() => {
    throw new NeverEnded(`${what} never ended`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    over.abort();
    await late.catch(() => {});
  }
}
