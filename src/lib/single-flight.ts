/**
 * Single flight: work that many want at once is done by the first of them, and the others wait for its end and have its result, or its failure.
 *
 * Who does it may be stopped: then one of those who wait begins anew. Unlike a `SharedCall` it is about things, each with a key,
 * and what was done before one asked is as good as what is done after.
 */
interface Flight<Result> {
  readonly ends: Promise<Result>;
  /** Stops it. */
  readonly signal: AbortSignal;
}

interface Caller {
  readonly signal: AbortSignal;
  aside?<Result>(wait: Promise<Result>): Promise<Result>;
}

const itself = <Result>(wait: Promise<Result>): Promise<Result> => wait;

export class SingleFlight<Result> {
  readonly #flights = new Map<string, Flight<Result>>();

  isUnderWay(key: string): boolean {
    return this.#flights.has(key);
  }

  /**
   * Rejects with the signal's reason soon after it is aborted, when somebody else does the work; `work` sees to that itself. `aside` is told of
   * a wait for somebody else.
   */
  async run(key: string, { signal, aside = itself }: Caller, work: () => Promise<Result>): Promise<Result> {
    for (;;) {
      signal.throwIfAborted();
      const flight = this.#flights.get(key);
      if (flight === undefined) return this.#lead(key, signal, work);
      try {
        return await aside(until(signal, flight.ends));
      } catch (error) {
        if (signal.aborted || !flight.signal.aborted) throw error;
      }
    }
  }

  async #lead(key: string, signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    const ends = work();
    this.#flights.set(key, { ends, signal });
    try {
      return await ends;
    } finally {
      this.#flights.delete(key);
    }
  }
}

async function until<Result>(signal: AbortSignal, ends: Promise<Result>): Promise<Result> {
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => stopped.reject(signal.reason);
  signal.addEventListener('abort', stop);
  try {
    return await Promise.race([ends, stopped.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
