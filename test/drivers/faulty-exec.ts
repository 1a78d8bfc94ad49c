/**
 * Programs, requests to a helper, and what a driver does in this process instead, that do not end well: the n-th one fails, or does its
 * work and the answer is lost, or is aborted while it runs.
 */
import type { DriverCall } from '../../src/drivers/driver.ts';
import { CommandFailed, type Exec, exec } from '../../src/lib/exec.ts';

/** Runs what a driver asks of others. `what`: in words, or its argv. */
export type Around = <Result>(
  what: readonly string[],
  work: () => Promise<Result>,
  failure: () => Error,
) => Promise<Result>;

/** Nothing happens to it. */
export const unharmed: Around = (_what, work) => work();

export type Strike = 'before' | 'after' | 'abort';

export const FAULTS: readonly { readonly title: string; readonly strike: Strike }[] = [
  { title: 'a program failed', strike: 'before' },
  { title: 'the answer of a program was lost', strike: 'after' },
  { title: 'it was aborted', strike: 'abort' },
];

/** Programs run for real, but the n-th one after `arm(n)` does not end well. */
export class FaultyExec {
  readonly #strike: Strike;
  readonly #programs: Exec;
  #countdown = Number.POSITIVE_INFINITY;
  #aborter = new AbortController();
  struck = false;
  /** Runs before each program. */
  before: (argv: readonly string[]) => Promise<void> = async () => {};

  /** `programs` runs them. */
  constructor(strike: Strike, programs: Exec = exec) {
    this.#strike = strike;
    this.#programs = programs;
  }

  arm(at: number): void {
    this.#countdown = at;
  }

  disarm(): void {
    this.#countdown = Number.POSITIVE_INFINITY;
  }

  get call(): DriverCall {
    return { signal: this.#aborter.signal, progress: () => {} };
  }

  get reason(): unknown {
    return this.#aborter.signal.reason;
  }

  /** What is one of those that are counted, and how it fails. */
  readonly around: Around = async (what, work, failure) => {
    await this.before(what);
    if (--this.#countdown !== 0) return work();
    this.struck = true;
    if (this.#strike === 'abort') {
      const running = work();
      this.#aborter.abort(new Error('not wanted any more'));
      return running;
    }
    if (this.#strike === 'after') await work();
    throw failure();
  };

  readonly exec: Exec = (argv, options) =>
    this.around(
      argv,
      () => this.#programs(argv, options),
      () => new CommandFailed(argv, 1, 'Input/output error', false),
    );
}
