/**
 * A semaphore: a limit on how many do the same at once, such as copies of data, of which more only take the disk from the guests.
 *
 * Those over the limit wait, and stop waiting when aborted. Projects take turns, whichever of them asks for much: the next is the one that
 * waits whose last turn is the longest ago, and of its own the first that came.
 */
import type { DriverCall } from './driver.ts';

export class Semaphore {
  #free: number;
  /** By project, the next to have its turn first. Nobody has an empty list. */
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(limit: number) {
    this.#free = limit;
  }

  async run<Result>(
    { signal, projectId = '', aside }: Pick<DriverCall, 'signal' | 'projectId' | 'aside'>,
    work: () => Promise<Result>,
  ): Promise<Result> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else {
      const turn = this.#turn(signal, projectId);
      await (aside === undefined ? turn : aside(turn));
    }
    try {
      return await work();
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
    const [project, [next, ...others]] = turn;
    this.#waiting.delete(project);
    if (others.length > 0) this.#waiting.set(project, others);
    next?.();
  }

  #turn(signal: AbortSignal, project: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        const others = (this.#waiting.get(project) ?? []).filter((each) => each !== go);
        if (others.length > 0) this.#waiting.set(project, others);
        else this.#waiting.delete(project);
        reject(signal.reason);
      };
      const go = (): void => {
        signal.removeEventListener('abort', stop);
        resolve();
      };
      signal.addEventListener('abort', stop, { once: true });
      this.#waiting.set(project, [...(this.#waiting.get(project) ?? []), go]);
    });
  }
}
