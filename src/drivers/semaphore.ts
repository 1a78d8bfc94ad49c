/**
 * A semaphore, or bulkhead: a limit on how many do the same at once, such as copies of data, of which more only take the disk from the
 * guests.
 *
 * Those over the limit wait, say in which place of the line they are, and stop waiting when aborted. Who is of a lower rank waits until none
 * of a higher one does. Within a rank projects take turns, whichever of them asks for much: the next is the one that waits whose last turn
 * is the longest ago, and of its own the first that came.
 */
import type { DriverCall } from './driver.ts';

/** Beyond these nobody is told his place: each turn would be news to thousands. */
const TOLD_PLACES = 99;

interface Waiter {
  go(): void;
  tell(why: string): void;
}

/** Those of a rank by project, the next to have its turn first. Nobody has an empty list. */
type Line = Map<string, readonly Waiter[]>;

export class Semaphore {
  readonly #limit: number;
  #free: number;
  /** The highest rank first. */
  readonly #lines: readonly Line[];

  constructor(limit: number, ranks = 1) {
    this.#limit = limit;
    this.#free = limit;
    this.#lines = Array.from({ length: ranks }, () => new Map());
  }

  get running(): number {
    return this.#limit - this.#free;
  }

  get waiting(): number {
    return this.#lines.reduce((all, line) => [...line.values()].reduce((sum, { length }) => sum + length, all), 0);
  }

  /** `rank`: 0 is the highest. */
  async run<Result>(
    call: Pick<DriverCall, 'signal' | 'projectId' | 'aside' | 'waiting'>,
    work: () => Promise<Result>,
    rank = 0,
  ): Promise<Result> {
    const { signal, aside } = call;
    signal.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else {
      const turn = this.#turn(call, this.#lines[rank] as Line);
      await (aside === undefined ? turn : aside(turn));
    }
    try {
      return await work();
    } finally {
      this.#give();
    }
  }

  #give(): void {
    const line = this.#lines.find(({ size }) => size > 0);
    const [turn] = line ?? [];
    if (line === undefined || turn === undefined) {
      this.#free++;
      return;
    }
    const [project, [next, ...others]] = turn;
    line.delete(project);
    if (others.length > 0) line.set(project, others);
    next?.go();
    this.#tellPlaces();
  }

  #turn(call: Pick<DriverCall, 'signal' | 'projectId' | 'waiting'>, line: Line): Promise<void> {
    const { signal, projectId: project = '' } = call;
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        const others = (line.get(project) ?? []).filter((each) => each !== waiter);
        if (others.length > 0) line.set(project, others);
        else line.delete(project);
        this.#tellPlaces();
        reject(signal.reason);
      };
      const waiter: Waiter = {
        go: () => {
          signal.removeEventListener('abort', stop);
          call.waiting?.(null);
          resolve();
        },
        tell: (why) => call.waiting?.({ what: 'its turn', why }),
      };
      signal.addEventListener('abort', stop, { once: true });
      line.set(project, [...(line.get(project) ?? []), waiter]);
      this.#tellPlaces();
    });
  }

  #tellPlaces(): void {
    const all = this.#lines.flatMap((line) => [...inTurn(line)]);
    const many = all.length > TOLD_PLACES ? `more than ${TOLD_PLACES}` : String(all.length);
    for (const [index, waiter] of all.entries())
      waiter.tell(index < TOLD_PLACES ? `${ordinal(index + 1)} of ${many}` : `behind ${TOLD_PLACES} others or more`);
  }
}

/** As they will have their turns if nobody else comes. */
function* inTurn(line: Line): Generator<Waiter, void, undefined> {
  let all = [...line.values()];
  for (let round = 0; all.length > 0; round += 1) {
    for (const waiters of all) yield waiters[round] as Waiter;
    all = all.filter(({ length }) => length > round + 1);
  }
}

const ORDINALS = new Intl.PluralRules('en', { type: 'ordinal' });
const ENDINGS: Readonly<Partial<Record<Intl.LDMLPluralRule, string>>> = { one: 'st', two: 'nd', few: 'rd' };
const ordinal = (place: number): string => `${place}${ENDINGS[ORDINALS.select(place)] ?? 'th'}`;
