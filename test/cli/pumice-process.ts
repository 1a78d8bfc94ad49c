/** The real program, in a process of its own, killed at the end of a test whatever happens. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const DEADLINE_MS = 60_000;

export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export class Pumice {
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ended>;
  #out = '';
  #err = '';

  constructor(main: string, args: readonly string[], env: NodeJS.ProcessEnv, stdio: StdioOptions) {
    const child = spawn(process.execPath, [main, ...args], {
      stdio,
      env: { ...process.env, NO_COLOR: '1', ...env },
    });
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#out += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#err += text;
    });
    this.#ended = once(child, 'close').then(([code]) => ({ code, out: this.#out, err: this.#err }));
  }

  /** Resolves with the first match in what it has written; rejects when it ends without. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    const deadline = AbortSignal.timeout(DEADLINE_MS);
    for (;;) {
      const match = pattern.exec(this.#out);
      if (match !== null) return match;
      const more = Promise.race([
        once(this.#child.stdout as NodeJS.ReadableStream, 'data', { signal: deadline }),
        this.#ended,
      ]);
      const ended = await more;
      if (!Array.isArray(ended) && pattern.exec(this.#out) === null)
        throw new Error(`It ended with ${ended.code} and did not say ${pattern}:\n${ended.out}${ended.err}`);
    }
  }

  /** `http://127.0.0.1:…` */
  async address(): Promise<string> {
    return (await this.says(/serves on (http:\S+)/))[1] ?? '';
  }

  /** Its end of what it writes to is gone from now on. */
  hangUp(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  ended(): Promise<Ended> {
    return this.#ended;
  }
}

export interface Bench {
  readonly directory: string;
  run(...args: readonly string[]): Pumice;
  /** With more in its environment. */
  runWith(env: NodeJS.ProcessEnv, ...args: readonly string[]): Pumice;
  /** With other standard streams. */
  runOn(stdio: StdioOptions, env: NodeJS.ProcessEnv, ...args: readonly string[]): Pumice;
}

/** The program of the sources, or of a bundle whose `main` is given. */
export async function withPumice(body: (bench: Bench) => Promise<void>, main = MAIN): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'pumice-process-'));
  const started: Pumice[] = [];
  const runOn: Bench['runOn'] = (stdio, env, ...args) => {
    const pumice = new Pumice(main, args, env, stdio);
    started.push(pumice);
    return pumice;
  };
  const runWith: Bench['runWith'] = (env, ...args) => runOn(['ignore', 'pipe', 'pipe'], env, ...args);
  try {
    await body({ directory, run: (...args) => runWith({}, ...args), runWith, runOn });
  } finally {
    for (const pumice of started) pumice.signal('SIGKILL');
    await Promise.all(started.map((pumice) => pumice.ended()));
    await rm(directory, { recursive: true, force: true });
  }
}
