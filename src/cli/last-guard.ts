/**
 * The last guard of a server: the handler of uncaught exceptions and rejections. Such an error ends the process, since nobody
 * knows which work it left half done, and the next life goes on with the journal. Here it only ends well: the error and the work
 * in flight are told, in the log and in the record of lives (`lib/life.ts`), and the exit code says which end it was.
 *
 * It ends in any case. The record comes first, since the log may be a pipe that nobody reads; a thread ends the
 * process when telling takes too long; and the end itself waits for nothing (`leave`).
 */
import { Worker } from 'node:worker_threads';
import { LifeRecord } from '../lib/life.ts';
import type { Log } from '../lib/logging.ts';
import { EXIT } from './exit-codes.ts';

export interface InFlight {
  readonly flows: readonly object[];
  readonly requests: readonly object[];
}

export interface GuardOptions {
  readonly log: Log;
  /** Where the record of lives is kept. */
  readonly record: string;
  /** For whoever looks at a terminal. */
  tell(line: string): void;
}

/** What is told by name; the rest is counted. */
const MOST = 100;
/** Characters of a message, and of a stack. */
const LONGEST = 10_000;
/** How long telling may take. Whoever waits for the process waits as long. */
const TELL_MS = 5_000;

const NOTHING: InFlight = { flows: [], requests: [] };

export class LastGuard {
  readonly #options: GuardOptions;
  #record: LifeRecord | undefined;
  #inFlight: () => InFlight = () => NOTHING;
  #dying = false;

  /** From now on; what is in flight is known with `begin`. */
  constructor(options: GuardOptions) {
    this.#options = options;
    process.on('uncaughtException', (error, origin) => this.#die(error, origin));
  }

  /** The data is this process' own now. Tells how the life before ended, once. */
  begin(owner: string, inFlight: () => InFlight): void {
    const { log, record } = this.#options;
    this.#inFlight = inFlight;
    try {
      this.#record = new LifeRecord(record, { process: owner, pid: process.pid });
    } catch (error) {
      log.warn({ err: error, file: record }, 'how this life ends cannot be kept for the next');
      return;
    }
    const { before } = this.#record;
    if (before?.error) {
      const { began_at, ended_at, error } = before;
      log.error({ began_at, ended_at, ...error }, 'the last life ended by an error that nobody caught');
    } else if (before !== undefined && before.ended_at === undefined && !isAlive(before.pid)) {
      log.warn({ began_at: before.began_at }, 'the last life ended without a word: killed, or the machine went down');
    }
  }

  /** The life ends in order. */
  ended(): void {
    const record = this.#record;
    this.#record = undefined;
    try {
      record?.ended();
    } catch (error) {
      this.#options.log.warn({ err: error }, 'that this life ended in order cannot be kept for the next');
    }
  }

  #die(error: unknown, origin: string): void {
    if (this.#dying) return;
    this.#dying = true;
    attempt(endInTime);
    const inFlight = attempt(this.#inFlight) ?? NOTHING;
    const { flows, requests } = inFlight;
    const counts = { flows: flows.length, requests: requests.length };
    attempt(() => this.#record?.died(error, counts));
    attempt(() =>
      this.#options.log.error(
        { err: shortened(error), origin, counts, flows: flows.slice(0, MOST), requests: requests.slice(0, MOST) },
        'an error that nobody caught ends this process',
      ),
    );
    attempt(() => this.#options.tell(`pumice: ended by an error that nobody caught: ${cut(String(error))}`));
    leave(EXIT.crashed);
  }
}

/** A log takes no line of any length. */
function shortened(error: unknown): unknown {
  if (!(error instanceof Error)) return cut(String(error));
  if ((error.stack ?? '').length > LONGEST) error.stack = cut(error.stack ?? '');
  if (error.message.length > LONGEST) error.message = cut(error.message);
  return error;
}

const cut = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);

/** Whatever fails on the way, the way goes on. */
function attempt<Result>(step: () => Result): Result | undefined {
  try {
    return step();
  } catch {
    return undefined;
  }
}

/** A thread of its own: the event loop may stand in a write that never ends. */
function endInTime(): void {
  const wait = `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${TELL_MS});`;
  new Worker(`${wait} process.kill(process.pid, 'SIGKILL');`, { eval: true }).unref();
}

/**
 * Ends the process now. `process.exit` waits for what threads of the pool do, and a read from a disk that hangs never ends;
 * to become another program waits for none of them.
 */
export function leave(exitCode: number): never {
  try {
    process.execve?.('/bin/sh', ['sh', '-c', `exit ${exitCode}`], {});
  } catch {
    // There is no shell.
  }
  process.exit(exitCode);
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
