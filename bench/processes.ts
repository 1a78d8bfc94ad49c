/**
 * The processes a run starts: none outlives it.
 *
 * What is measured runs in a process of its own, so that neither another subject's garbage nor the load's is counted with it.
 * A child that can speak Node's IPC is asked for its usage; others print a line of JSON and end.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export function remember(child: ChildProcess): void {
  living.add(child);
  child.once('exit', () => living.delete(child));
}

/** The path of a file beside this one. */
export const beside = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** Runs a program to its end; the JSON in the last line it printed. */
export async function result<T>(program: string, args: readonly string[]): Promise<T> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  remember(child);
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err = (err + text).slice(-4_000);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${err}`);
  return JSON.parse(out.trim().split('\n').at(-1) ?? '') as T;
}

/** What a server process has used since it began. */
export interface Usage {
  readonly cpuMs: number;
  readonly rssBytes: number;
  /** Of JavaScript's, what is in use; after `kept()`, what cannot be given back. */
  readonly heapBytes: number;
  /** Durable commits; none of a server without a database. */
  readonly commits: number;
  /** The longest time between two turns of its event loop since it was last watched. */
  readonly stop: Stop;
}

export interface Stop {
  readonly ms: number;
  /** The longest work in such a time: what neighbours took the processor for, and waits for a disk, are not in it. */
  readonly cpuMs: number;
}

export interface Server {
  readonly address: string;
  usage(): Promise<Usage>;
  /** The same, after everything that can be given back was. */
  kept(): Promise<Usage>;
  /** The same; from here on its event loop is watched anew. */
  watched(): Promise<Usage>;
  stop(): Promise<void>;
}

/** Starts a file of bench/ that calls `answerUsage`; of this checkout, or of another whose `root` is given. */
export async function startServer(file: string, args: readonly string[], root = beside('..')): Promise<Server> {
  const child = spawn(process.execPath, [join(root, 'bench', file), ...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  remember(child);
  const next = async <T>(): Promise<T> => {
    const over = new AbortController();
    try {
      return await Promise.race([
        once(child, 'message', over).then(([message]) => message as T),
        once(child, 'exit', over).then(([code]) => {
          throw new Error(`${file} ended with ${code}.`);
        }),
      ]);
    } finally {
      over.abort();
    }
  };
  const { address } = await next<{ address: string }>();
  const asked = (what: Question): Promise<Usage> => {
    const answer = next<Usage>();
    child.send(what);
    return answer;
  };
  return {
    address,
    usage: () => asked('usage'),
    kept: () => asked('kept'),
    watched: () => asked('watched'),
    stop: async () => {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

type Question = 'usage' | 'kept' | 'watched';

/** In the child: tells where it listens, answers each question, and ends with its parent. */
export function answerUsage(address: string, commits: () => number, close: () => Promise<void>): void {
  let watch: ReturnType<typeof watchTurns> | undefined;
  process.on('message', (question: Question) => {
    const stop = watch?.() ?? { ms: 0, cpuMs: 0 };
    if (question === 'watched') watch ??= watchTurns();
    if (question === 'kept') collectGarbage();
    const { user, system } = process.cpuUsage();
    const { rss: rssBytes, heapUsed: heapBytes } = process.memoryUsage();
    process.send?.({ cpuMs: (user + system) / 1000, rssBytes, heapBytes, commits: commits(), stop });
  });
  process.once('disconnect', () => void close().then(() => process.exit()));
  process.send?.({ address });
}

/** In the child: the same of a bare server, on a free port. */
export function listenAsPeer(server: HttpServer, commits: () => number = () => 0): void {
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as AddressInfo;
    answerUsage(`http://127.0.0.1:${port}`, commits, async () => void server.close());
  });
}

/** Costs a timer each millisecond, so who is not watched does without. What it gives is the longest since it was asked last. */
function watchTurns(): () => Stop {
  const clock = (): Stop => {
    const { user, system } = process.threadCpuUsage();
    return { ms: performance.now(), cpuMs: (user + system) / 1000 };
  };
  let longest = { ms: 0, cpuMs: 0 };
  let before = clock();
  setInterval(() => {
    const now = clock();
    longest = {
      ms: Math.max(longest.ms, now.ms - before.ms),
      cpuMs: Math.max(longest.cpuMs, now.cpuMs - before.cpuMs),
    };
    before = now;
  }, 1).unref();
  return () => {
    const told = longest;
    longest = { ms: 0, cpuMs: 0 };
    return told;
  };
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
