/**
 * A semaphore: a limit on how many copies of data a backend makes at once. More of them only take the disk from the guests.
 *
 * Those over the limit wait, and stop waiting when aborted. Parties take turns, whoever of them asks for much: the next is the one that
 * waits whose last turn is the longest ago, and of its own the first that came.
 */
export class Semaphore {
  #free: number;
  /** By party, the next to have its turn first. Nobody has an empty list. */
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(limit: number) {
    this.#free = limit;
  }

  async run<Result>(signal: AbortSignal, copy: () => Promise<Result>, party = ''): Promise<Result> {
    await this.#take(signal, party);
    try {
      return await copy();
    } finally {
      this.#give();
    }
  }

  #give(): void {
    const [turn] = this.#waiting;
    if (turn === undefined) {
      this.#free++;
      return;
    }
    const [party, [next, ...others]] = turn;
    this.#waiting.delete(party);
    if (others.length > 0) this.#waiting.set(party, others);
    next?.();
  }

  #take(signal: AbortSignal, party: string): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        const others = (this.#waiting.get(party) ?? []).filter((each) => each !== go);
        if (others.length > 0) this.#waiting.set(party, others);
        else this.#waiting.delete(party);
        reject(signal.reason);
      };
      const go = (): void => {
        signal.removeEventListener('abort', stop);
        resolve();
      };
      signal.addEventListener('abort', stop, { once: true });
      this.#waiting.set(party, [...(this.#waiting.get(party) ?? []), go]);
    });
  }
}
