/**
 * The throttle of sign-ins, against guessing of passwords (brute force): it slows down and does not lock anybody out.
 *
 * Secrets for one name from one address are tried one after another; after some that were wrong each waits longer before it
 * is tried, up to half a minute, until one is right or nobody has tried for a while. More than a few waiting are sent
 * away, and all names together may keep only so much of the machine busy.
 */
import { elapsed } from '../../lib/clock.ts';
import { PumiceError } from '../../model/errors.ts';

export class TooManySignIns extends PumiceError {
  override readonly status = 429;
}

interface Tries {
  wrong: number;
  waiting: number;
  lastMs: number;
  turn: Promise<unknown>;
}

const FREE_TRIES = 3;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const FORGOTTEN_MS = 15 * 60_000;
const MOST_WAITING = 8;
const MOST_WAITING_IN_ALL = 256;
const MOST_NAMES = 10_000;
/** Each takes a thread and tens of MiB. */
const AT_ONCE = 2;

export class SignInThrottle {
  readonly #pause: (ms: number) => Promise<void>;
  readonly #names = new Map<string, Tries>();
  readonly #queue: (() => void)[] = [];
  #waiting = 0;
  #trying = 0;

  constructor(pause: (ms: number) => Promise<void>) {
    this.#pause = pause;
  }

  /** Resolves with what `isRight` says, when its turn has come. */
  async attempt(name: string, isRight: () => Promise<boolean>): Promise<boolean> {
    const tries = this.#triesOf(name);
    if (tries.waiting >= MOST_WAITING || this.#waiting >= MOST_WAITING_IN_ALL)
      throw new TooManySignIns('There are too many attempts to sign in. Try again later.');
    tries.waiting += 1;
    this.#waiting += 1;
    const turn = tries.turn.then(() => this.#inTurn(tries, isRight));
    tries.turn = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      tries.waiting -= 1;
      this.#waiting -= 1;
      tries.lastMs = elapsed();
    }
  }

  async #inTurn(tries: Tries, isRight: () => Promise<boolean>): Promise<boolean> {
    if (tries.wrong >= FREE_TRIES)
      await this.#pause(Math.min(FIRST_WAIT_MS * 2 ** (tries.wrong - FREE_TRIES), LONGEST_WAIT_MS));
    const right = await this.#amongFew(isRight);
    tries.wrong = right ? 0 : tries.wrong + 1;
    return right;
  }

  async #amongFew<T>(work: () => Promise<T>): Promise<T> {
    if (this.#trying >= AT_ONCE) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#trying += 1;
    try {
      return await work();
    } finally {
      // Whoever waits takes over the place.
      const next = this.#queue.shift();
      if (next === undefined) this.#trying -= 1;
      else next();
    }
  }

  #triesOf(name: string): Tries {
    const known = this.#names.get(name);
    const tries =
      known === undefined || (known.waiting === 0 && elapsed() - known.lastMs > FORGOTTEN_MS)
        ? { wrong: 0, waiting: 0, lastMs: elapsed(), turn: Promise.resolve() }
        : known;
    this.#names.delete(name);
    this.#names.set(name, tries);
    for (const [oldest, { waiting }] of this.#names) {
      if (this.#names.size <= MOST_NAMES) break;
      if (waiting === 0) this.#names.delete(oldest);
    }
    return tries;
  }
}
