/**
 * The only place that starts a program: argv arrays, no shell, `LC_ALL=C`, no standard input but what it is given, its own process
 * group, a deadline, an abort signal, bounded output, and optional limits on memory and CPU.
 *
 * The end of the wait also ends the whole process group with SIGKILL: some block tools ignore SIGTERM while they retry, and
 * a copy that outlives its flow would write into a volume that has been given away.
 */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface ExecOptions {
  readonly signal: AbortSignal;
  /** Milliseconds until SIGKILL. Default 60,000. `Infinity`: it runs until it is aborted. */
  readonly timeoutMs?: number;
  /** Address space, bytes (`prlimit --as`). */
  readonly memoryBytes?: number;
  /** CPU seconds (`prlimit --cpu`). */
  readonly cpuSeconds?: number;
  /** The kernel ends it with this process, as behind `DIES_WITH_US`. */
  readonly diesWithUs?: boolean;
  /**
   * All of its standard input, or what is said to it bit by bit, which ends with this process at the latest. What others may not see goes
   * here: they see arguments and environments.
   */
  readonly input?: string | Readable;
  /** Beside what this process has. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Called with each piece of standard output, which is then not kept. */
  readonly onOutput?: (text: string) => void;
}

/** Runs a program to its end and returns its standard output. Handed in, so that a test can script it. */
export type Exec = (argv: readonly [string, ...string[]], options: ExecOptions) => Promise<string>;

/**
 * Before a program that writes to what is already somebody's: the kernel ends it with this process, also where it is frozen, so that it
 * writes nothing when somebody else goes on there.
 */
export const DIES_WITH_US = ['setpriv', '--pdeathsig', 'KILL'] as const;

/**
 * Before a program that may take long, and for which nobody is to wait. How nice it is counts only among the processes of its session, and each that is
 * started here has one of its own: where Linux shares the processor among sessions first (`sched_autogroup_enabled`), the session must be nice,
 * too. Only one in a tenth of a second is heard.
 */
export const BEHIND_OTHERS = [
  'sh',
  '-c',
  'for try in 1 2 3; do ! [ -w /proc/self/autogroup ] || echo 10 >/proc/self/autogroup && break; sleep 0.1; done 2>/dev/null; exec nice -n 10 "$@"',
  'sh',
] as const;

/** The program ended, but not well. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
  readonly argv: readonly string[];
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly stderr: string;
  readonly timedOut: boolean;
  constructor(argv: readonly string[], exitCode: number | null, stderr: string, timedOut: boolean) {
    super(
      `${argv[0]} ${timedOut ? 'took too long and was killed' : `ended with ${exitCode ?? 'a signal'}`}: ${stderr.trim()}`,
    );
    this.argv = argv;
    this.exitCode = exitCode;
    this.stderr = stderr;
    this.timedOut = timedOut;
  }
}

/** The program is not installed. */
export class CommandMissing extends Error {
  override readonly name = 'CommandMissing';
}

const TOO_MUCH = 'It printed more than';

/** Whether it was ended since it printed more than is kept. */
export const printedTooMuch = (error: unknown): boolean =>
  error instanceof CommandFailed && error.stderr.startsWith(TOO_MUCH);

/**
 * glibc reserves address space for each thread that allocates, 64 MiB or more at a time. `qemu-img` with its dozens of threads
 * met a limit of 1 GiB by that alone, in one run of a hundred, and aborted.
 */
const ONE_ARENA = { MALLOC_ARENA_MAX: '1' };

/**
 * Characters of standard output, beyond which a program is ended: a part of what it prints would be taken for the whole. And of
 * standard error, whose beginning goes into messages.
 */
const OUTPUT_LIMIT = 4 * 1024 * 1024;
const COMPLAINT_LIMIT = 16 * 1024;
/** How long the output of a program that has ended may stay open and silent: another, which it left behind, may hold it for ever. */
const LINGER_MS = 1_000;

export const exec: Exec = (argv, options) =>
  new Promise((resolve, reject) => {
    if (options.signal.aborted) return reject(options.signal.reason);
    const [program, ...args] = limited(argv, options);
    const child = spawn(program, args, {
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      detached: true,
      env: {
        ...process.env,
        LC_ALL: 'C',
        LANGUAGE: 'C',
        ...(options.memoryBytes !== undefined && ONE_ARENA),
        ...options.environment,
      },
    });
    let stdout = '';
    let stderr = '';
    let pieces = 0;
    let timedOut = false;
    let unheard: { readonly reason: unknown } | undefined;
    const kill = (): void => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // The group has ended by itself.
      }
    };
    const { timeoutMs = 60_000 } = options;
    const late = (): void => {
      timedOut = true;
      kill();
    };
    const deadline = timeoutMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(late, timeoutMs);
    let lingering: NodeJS.Timeout | undefined;
    options.signal.addEventListener('abort', kill, { once: true });
    const settle = (): void => {
      clearTimeout(deadline);
      clearTimeout(lingering);
      options.signal.removeEventListener('abort', kill);
    };
    // Before all else: without files or processes to spare it is this event alone that tells, and there are no streams.
    child.once('error', (error: NodeJS.ErrnoException) => {
      settle();
      reject(error.code === 'ENOENT' ? new CommandMissing(`${argv[0]} is not installed.`) : error);
    });
    // It need not read what it is given.
    child.stdin?.on('error', () => {});
    if (typeof options.input === 'string') child.stdin?.end(options.input);
    else if (child.stdin) options.input?.pipe(child.stdin);
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      pieces += 1;
      if (options.onOutput === undefined) {
        stdout += text;
        if (stdout.length <= OUTPUT_LIMIT) return;
        unheard ??= {
          reason: new CommandFailed(argv, null, `${TOO_MUCH} ${OUTPUT_LIMIT} characters.`, false),
        };
        stdout = '';
        kill();
        return;
      }
      try {
        options.onOutput(text);
      } catch (error) {
        unheard ??= { reason: error };
        kill();
      }
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      pieces += 1;
      if (stderr.length < COMPLAINT_LIMIT) stderr = (stderr + text).slice(0, COMPLAINT_LIMIT);
    });
    const linger = (): void => {
      const before = pieces;
      lingering = setTimeout(() => {
        // What had come while this process was busy is read first.
        setImmediate(() => {
          if (pieces > before) return linger();
          child.stdout?.destroy();
          child.stderr?.destroy();
        });
      }, LINGER_MS);
    };
    child.once('exit', linger);
    child.once('close', (code) => {
      settle();
      if (options.signal.aborted) reject(options.signal.reason);
      else if (unheard !== undefined) reject(unheard.reason);
      else if (code === 0) resolve(stdout);
      else reject(new CommandFailed(argv, code, stderr, timedOut));
    });
  });

function limited(argv: readonly [string, ...string[]], options: ExecOptions): [string, ...string[]] {
  const limits = [
    ...(options.memoryBytes === undefined ? [] : [`--as=${options.memoryBytes}`]),
    ...(options.cpuSeconds === undefined ? [] : [`--cpu=${options.cpuSeconds}`]),
  ];
  const limitedArgv: [string, ...string[]] = limits.length === 0 ? [...argv] : ['prlimit', ...limits, '--', ...argv];
  return options.diesWithUs ? [...DIES_WITH_US, '--', ...limitedArgv] : limitedArgv;
}
