/**
 * The loop of an upkeep: it runs the work every so often for as long as the process lives, and no failure ends the loop.
 * After one it rests for as long as `Troubles` says, which also tells of it.
 */
import type { Pace, Troubles } from './troubles.ts';

export interface Loop {
  readonly upkeep: string;
  /** Of what: a host, the node. */
  readonly about: string;
  readonly everyMs: number;
  /** Of the pauses after failures. */
  readonly pace: Pace;
  /** Resolves with how many milliseconds to rest, when it is another time than `everyMs`. */
  // biome-ignore lint/suspicious/noConfusingVoidType: most work has nothing to say
  work(signal: AbortSignal): Promise<number | void>;
}

/** Until the signal is aborted. The first round comes after a pause. */
export async function keepUp(loop: Loop, troubles: Troubles, signal: AbortSignal): Promise<void> {
  for (let restMs = loop.everyMs; !signal.aborted; ) {
    await troubles.clock.pause(restMs, signal).catch(() => {});
    if (!signal.aborted) restMs = await round(loop, troubles, signal);
  }
}

/** Once. Resolves with how many milliseconds to rest, whether it worked or not. */
export async function round(loop: Loop, troubles: Troubles, signal: AbortSignal): Promise<number> {
  const { upkeep, about, everyMs, pace } = loop;
  try {
    const restMs = await loop.work(signal);
    troubles.worked(upkeep, about);
    return restMs ?? everyMs;
  } catch (error) {
    return signal.aborted ? everyMs : troubles.failed(upkeep, about, error, pace).pauseMs;
  }
}
