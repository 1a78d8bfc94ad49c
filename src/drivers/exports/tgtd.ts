/**
 * The daemon that serves exports, and the way to it: tgtd, spoken to with `tgtadm` through its control socket.
 *
 * One of our own is started with the first export and ended with the last. It is no child that dies with us: while Pumice
 * is restarted, or killed, clients go on reading and writing, and the next Pumice finds the daemon by its socket. It keeps
 * nothing of what it exports: after its own death everything is exported again (`upkeep/reconcile-exports.ts`). A daemon of the
 * system is only spoken to.
 *
 * **No order of tgtd's stops a write.** A logical unit that is told `online=0` goes on writing, and while `path=` takes effect its
 * workers write to descriptor 0. So the own one is started with a descriptor 0 that cannot be written, where a write is
 * answered as an error and never as done, and with one worker thread a unit, which `runHeld` and `hold` can hold meanwhile.
 *
 * Every `tgtadm` has a time limit, since one whose daemon dies may wait for ever, and runs alone, under a mutex. No error
 * holds its arguments: one of them may be a secret.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { elapsed, pause } from '../../lib/clock.ts';
import { errno } from '../../lib/errno.ts';
import { CommandFailed, CommandMissing, type Exec } from '../../lib/exec.ts';
import { ConsistentSnapshotRefused, DriverFailed, DriverNotInitialized } from '../../model/errors.ts';
import { HeldWorkers } from './held-workers.ts';
import { parsePortals, parseTargets } from './tgt-show.ts';
import { endDaemon, showPortals, showTargets } from './tgtadm.ts';

export interface TgtdOptions {
  readonly exec: Exec;
  /** Begins the names of the control socket and of the file with the process' id; null for the system's daemon. */
  readonly own: string | null;
  /** Where the own one listens: `127.0.0.1:3260`. */
  readonly portal: string;
}

/** A thread of one life of the daemon: it reads and writes for one logical unit. */
export interface Worker {
  readonly daemon: number;
  readonly thread: number;
}

export const isSame =
  (one: Worker) =>
  (other: Worker): boolean =>
    one.daemon === other.daemon && one.thread === other.thread;

/** The daemon did not do it. It may the next time: it is restarted when it is gone. */
export class TargetDaemonFailed extends DriverFailed {
  override readonly transient = true;
}

/** Runs a command while threads are held. */
const HOLD = join(import.meta.dirname, 'tgt-hold.pl');
/** An order takes some milliseconds. */
const HELD_MS = 3_000;
const ANSWER_MS = 10_000;
const END_MS = 3_000;
const START_MS = 20_000;
const POLL_MS = 20;
/** Of the address of a socket, with what tgtd adds to it. */
const LONGEST_PATH = 100;

export class Tgtd {
  readonly #options: TgtdOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: TgtdOptions) {
    this.#options = options;
  }

  /** Whether this machine has the programs, and a way to them. */
  async check(signal: AbortSignal): Promise<void> {
    const { own, exec } = this.#options;
    if (own !== null && Buffer.byteLength(own) > LONGEST_PATH)
      throw new DriverNotInitialized(`${own} is too long for the address of a socket: use a shorter path.`);
    for (const program of own === null ? ['tgtadm'] : ['tgtadm', 'tgtd']) {
      await exec([program, '--help'], { signal, timeoutMs: ANSWER_MS }).catch((error: unknown) => {
        if (!(error instanceof CommandMissing)) throw error;
        throw new DriverNotInitialized(
          `${program} is not installed, and target_protocol = "iscsi" needs it (Debian's package is tgt). With target_protocol = "local" volumes can be attached on this machine without it.`,
        );
      });
    }
    if (own === null) await this.run(showTargets, signal);
  }

  /** Holds the mutex of the daemon: nobody else of this process speaks to it meanwhile. */
  exclusively<Result>(body: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(body, body);
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** What it prints. */
  async run(args: readonly string[], signal: AbortSignal): Promise<string> {
    try {
      return await this.#options.exec(this.#argv(args), { signal, timeoutMs: ANSWER_MS });
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      const doing = `${args[1] === 'new' && args[3] === 'account' ? 'new account' : args.join(' ')}`;
      throw new TargetDaemonFailed(
        `tgtadm could not do "${doing}": ${error.timedOut ? 'no answer' : error.stderr.trim()}`,
      );
    }
  }

  /**
   * What `run` does, while these worker threads have no write under way and begin none. Writes that come meanwhile wait; those of
   * other workers do not. False: they could not be held, and whether the order was heard is not known.
   */
  async runHeld(args: readonly string[], workers: readonly Worker[], signal: AbortSignal): Promise<boolean> {
    const holding = await this.#holding(workers, HELD_MS, signal);
    if (holding === null) return false;
    const argv = [...holding, ...this.#argv(args)] as const;
    try {
      // Not to be aborted: it ends by itself, and killed in the middle it would let writes through.
      await this.#options.exec(argv, { signal: new AbortController().signal, timeoutMs: ANSWER_MS });
      return true;
    } catch (error) {
      if (error instanceof CommandFailed || error instanceof CommandMissing) return false;
      throw error;
    }
  }

  /**
   * Runs `body`, which runs a program behind `holding` that says when it is ready: from when it is answered until it ends these worker
   * threads have no write under way and begin none. Rejects with `ConsistentSnapshotRefused` when they cannot be held at all, and
   * with what became of the program when they were not held so long.
   */
  async whileHeld<Result>(
    { workers, limitMs }: { readonly workers: readonly Worker[]; readonly limitMs: number },
    body: (holding: readonly string[]) => Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result> {
    return await body([...(await this.#demandHolding(workers, limitMs, signal)), '+']).catch(explainHold);
  }

  /** Holds these worker threads until it is told otherwise, or for so long at most. Rejects as `whileHeld` does. */
  async hold(workers: readonly Worker[], limitMs: number, signal: AbortSignal): Promise<HeldWorkers> {
    const holding = await this.#demandHolding(workers, limitMs, signal);
    return await HeldWorkers.hold(this.#options.exec, [...holding, '-'], limitMs).catch(explainHold);
  }

  async #demandHolding(
    workers: readonly Worker[],
    limitMs: number,
    signal: AbortSignal,
  ): Promise<readonly [string, ...string[]]> {
    const holding = await this.#holding(workers, limitMs, signal);
    if (holding !== null) return holding;
    throw new ConsistentSnapshotRefused(
      'Who writes to the volumes cannot be made to wait: they are attached through the tgtd of the system, or through one that an earlier release has started. Detach them first; with target_daemon = "own" they are attached so that it can be done.',
    );
  }

  /** What an argv is to come behind, to run while these threads are held, for so long at most. Null: they cannot be held. */
  async #holding(
    workers: readonly Worker[],
    limitMs: number,
    signal: AbortSignal,
  ): Promise<readonly [string, ...string[]] | null> {
    const pid = await this.#pid(signal);
    if (pid === null || workers.length === 0 || !(await hasOneWorkerPerUnit(pid))) return null;
    const threads = new Set(workers.map(({ thread }) => thread));
    return ['perl', HOLD, String(pid), [...threads].join(','), String(limitMs)];
  }

  /** Those of the own daemon; none of the system's, whose process is not known. */
  async workers(signal: AbortSignal): Promise<readonly Worker[]> {
    const daemon = await this.#pid(signal);
    if (daemon === null) return [];
    const threads = await readdir(`/proc/${daemon}/task`).catch(nothingWhenGone<string[]>([]));
    return threads.map((thread) => ({ daemon, thread: Number(thread) })).filter(({ thread }) => thread !== daemon);
  }

  async isRunning(signal: AbortSignal): Promise<boolean> {
    if (this.#options.own === null) return true;
    return (await this.#pid(signal)) !== null;
  }

  /** Starts the own one when it is not there. */
  async ensureRunning(signal: AbortSignal): Promise<void> {
    const { own, exec, portal } = this.#options;
    if (own === null) return;
    if (!(await this.isRunning(signal))) {
      const argv = [
        ...ONE_WORKER,
        '--iscsi',
        `portal=${portal},nop_interval=15,nop_count=3`,
        '--pid-file',
        pidFile(own),
      ];
      // As a daemon it would open a descriptor 0 that can be written, so it is sent to the background from here.
      const script = 'cd / && echo $$ >"$0" && exec tgtd -D "$@" </dev/null >/dev/null 2>&1';
      await exec(['env', `TGT_IPC_SOCKET=${own}`, 'setsid', '--fork', 'sh', '-c', script, pidFile(own), ...argv], {
        signal,
        timeoutMs: START_MS,
      });
    }
    // One that cannot have its portal listens on every address of the machine instead.
    if (parsePortals(await this.#firstAnswer(signal)).includes(portal)) return;
    const busy = parseTargets(await this.run(showTargets, signal)).length > 0;
    if (!busy) await this.end(signal);
    throw new TargetDaemonFailed(
      busy
        ? `tgtd serves other portals than ${portal}; detach everything, or set that back.`
        : `tgtd cannot listen on ${portal}; is it in use?`,
    );
  }

  async #firstAnswer(signal: AbortSignal): Promise<string> {
    const deadline = elapsed() + START_MS;
    for (;;) {
      try {
        return await this.run(showPortals, signal);
      } catch (error) {
        if (!(error instanceof TargetDaemonFailed) || elapsed() > deadline) throw error;
        await pause(POLL_MS, signal);
      }
    }
  }

  /** Ends the own one. It hears no signal but SIGKILL. */
  async end(signal: AbortSignal): Promise<void> {
    const { own, exec } = this.#options;
    if (own === null) return;
    const deadline = elapsed() + END_MS;
    await exec(this.#argv(endDaemon), { signal, timeoutMs: END_MS }).catch(() => signal.throwIfAborted());
    for (;;) {
      const pid = await this.#pid(signal);
      if (pid === null) return;
      if (elapsed() > deadline) return kill(pid);
      await pause(POLL_MS, signal);
    }
  }

  #argv(args: readonly string[]): readonly [string, ...string[]] {
    const { own } = this.#options;
    const argv = ['tgtadm', '--lld', 'iscsi', ...args] as const;
    return own === null ? argv : ['env', `TGT_IPC_SOCKET=${own}`, ...argv];
  }

  /** Of our own daemon; null when there is none. A process that has got its number since is not it. */
  async #pid(signal: AbortSignal): Promise<number | null> {
    signal.throwIfAborted();
    const { own } = this.#options;
    if (own === null) return null;
    const pid = Number(await readFile(pidFile(own), 'utf8').catch(nothingWhenGone('')));
    if (!Number.isInteger(pid) || pid <= 1) return null;
    return (await wordsOf(pid)).includes(pidFile(own)) ? pid : null;
  }
}

/** Of a program that ran behind `holding`: the last word says why it does not count, or that it failed by itself. */
function explainHold(error: unknown): never {
  const word = error instanceof CommandFailed ? error.stderr.trimEnd().split('\n').at(-1) : undefined;
  const cause = { cause: error };
  switch (word) {
    case 'refused':
      throw new ConsistentSnapshotRefused(
        'Who writes to the volumes cannot be made to wait: the service may not trace its tgtd (ptrace). Run it as root, or detach the volumes first.',
        cause,
      );
    case 'gone':
    case 'busy':
    case 'late':
      throw new TargetDaemonFailed(`tgtd did not hold still (${word}).`, cause);
    default:
      throw error;
  }
}

const ONE_WORKER = ['-t', '1'] as const;

/** One that an older Pumice started has more. */
async function hasOneWorkerPerUnit(pid: number): Promise<boolean> {
  const words = await wordsOf(pid);
  return words[words.indexOf(ONE_WORKER[0]) + 1] === ONE_WORKER[1];
}

/** The command line of a process; empty when it is gone. */
async function wordsOf(pid: number): Promise<readonly string[]> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(nothingWhenGone(''))).split('\0');
}

const nothingWhenGone =
  <Nothing>(nothing: Nothing) =>
  (error: unknown): Nothing => {
    if (errno(error) === 'ENOENT' || errno(error) === 'ESRCH') return nothing;
    throw error;
  };

const pidFile = (own: string): string => `${own}.pid`;

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (errno(error) !== 'ESRCH') throw error;
  }
}
