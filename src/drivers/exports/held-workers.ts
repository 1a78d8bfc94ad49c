/**
 * Worker threads of a tgtd that are held for as long as who holds them says, by the helper `tgt-hold.pl`.
 *
 * They go on when they are let go, and also when the helper, this process or the time ends, until they are bound: from then on these
 * end the daemon instead, since nobody may write any more to what it has open.
 */
import { PassThrough } from 'node:stream';
import type { Exec } from '../../lib/exec.ts';

type Argv = readonly [string, ...string[]];

/** The helper says by itself when the time is over; this is for one that does not. */
const LINGER_MS = 2_000;

export class HeldWorkers {
  /** Resolves when the helper is gone, however it ended. */
  readonly ended: Promise<void>;
  readonly #input = new PassThrough();
  readonly #end: Promise<never>;
  #output = '';
  #heard: () => void = () => {};

  private constructor(exec: Exec, argv: Argv, limitMs: number) {
    const ran = exec(argv, {
      // Not to be aborted: killed in the middle it would let writes through, or end the daemon.
      signal: new AbortController().signal,
      timeoutMs: limitMs + LINGER_MS,
      input: this.#input,
      onOutput: (text) => {
        this.#output += text;
        this.#heard();
      },
    });
    this.#end = ran.then(() => {
      throw new Error('The threads are not held any more.');
    });
    this.ended = this.#end.catch(() => {});
  }

  /** `argv` begins the helper, with `-` for its command. Rejects with `CommandFailed` when they cannot be held. */
  static async hold(exec: Exec, argv: Argv, limitMs: number): Promise<HeldWorkers> {
    const held = new HeldWorkers(exec, argv, limitMs);
    await held.#hear('held');
    return held;
  }

  /** From here on they go on when they are let go, or never. Rejects when they are not held any more. */
  bind(): Promise<void> {
    return this.#ask('bind', 'bound');
  }

  /** Rejects when they were not held until now. */
  async letGo(): Promise<void> {
    await this.#ask('let-go', 'gone on');
    await this.ended;
  }

  /** Says nothing more. Bound threads die with their daemon; others go on. */
  async hangUp(): Promise<void> {
    this.#input.end();
    await this.ended;
  }

  #ask(word: string, answer: string): Promise<void> {
    this.#input.write(`${word}\n`);
    return this.#hear(answer);
  }

  async #hear(answer: string): Promise<void> {
    while (!this.#output.startsWith(`${answer}\n`)) {
      const more = new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
      await Promise.race([more, this.#end]);
    }
    this.#output = this.#output.slice(answer.length + 1);
  }
}
