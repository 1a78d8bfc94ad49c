/**
 * A process of the service, started, struck and waited for by condition.
 *
 * It has a process group of its own, and dies with the process that started it. The programs it runs have groups of their own
 * and outlive it: that is what the storm is about.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { condition } from './condition.ts';
import type { Site } from './site.ts';

const FAULTY = fileURLToPath(new URL('faulty-main.ts', import.meta.url));
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
/** Starts are many: what they compile is kept, as `main.ts` does. */
const COMPILED = fileURLToPath(new URL('../../node_modules/.cache/pumice', import.meta.url));
const READY_MS = 60_000;
const END_MS = 30_000;

export interface ChildOptions {
  readonly site: Pick<Site, 'directory' | 'programs'>;
  readonly name: string;
  readonly config: string;
  readonly port: number;
  /** One of `faulty-main.ts`; the service as it is without one. */
  readonly fault: string | undefined;
  /** The machine that it is on, where that is another: what is run there is run by this, and it listens on this address. */
  readonly machine?: { readonly run: readonly string[]; readonly address: string };
}

export class Child {
  readonly name: string;
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #log: string;

  constructor({ site, name, config, port, fault, machine }: ChildOptions) {
    this.name = name;
    this.url = `http://${machine?.address ?? '127.0.0.1'}:${port}`;
    this.#log = join(site.directory, `${name}.log`);
    const program = fault === undefined ? [MAIN, 'serve', '--config', config] : [FAULTY, config, fault];
    const log = openSync(this.#log, 'a');
    this.#process = spawn('setpriv', ['--pdeathsig', 'KILL', ...(machine?.run ?? []), process.execPath, ...program], {
      detached: true,
      stdio: ['ignore', log, log],
      env: {
        ...process.env,
        PATH: `${site.programs}${delimiter}${process.env.PATH}`,
        NODE_COMPILE_CACHE: COMPILED,
      },
    });
    this.#ended = once(this.#process, 'exit');
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  get alive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** With what it ended; null while it runs, and when a signal ended it. */
  get exitCode(): number | null {
    return this.#process.exitCode;
  }

  /** Rejects with its last words when it ends instead. */
  async ready(): Promise<void> {
    await condition(`${this.name} answers`, READY_MS, async () => {
      if (!this.alive) throw new Error(`${this.name} ended instead of serving:\n${await this.lastWords()}`);
      return fetch(`${this.url}/healthcheck/live`, { signal: AbortSignal.timeout(2_000) }).then(
        ({ ok }) => ok,
        () => false,
      );
    });
  }

  async kill(): Promise<void> {
    this.#signal('SIGKILL');
    await this.#ended;
  }

  freeze(): void {
    this.#signal('SIGSTOP');
  }

  thaw(): void {
    this.#signal('SIGCONT');
  }

  /** Resolves when it has ended by itself; false when it has not in time. */
  async ends(withinMs: number): Promise<boolean> {
    return Promise.race([this.#ended.then(() => true), pause(withinMs, false, { ref: false })]);
  }

  /** Asks it to stop; rejects when it does not stop well. */
  async stop(): Promise<void> {
    if (this.alive) process.kill(this.#process.pid as number, 'SIGTERM');
    if (!(await this.ends(END_MS))) throw new Error(`${this.name} did not stop:\n${await this.lastWords()}`);
    if (this.#process.exitCode !== 0)
      throw new Error(`${this.name} ended with ${this.#process.exitCode}:\n${await this.lastWords()}`);
  }

  async lastWords(): Promise<string> {
    return (await readFile(this.#log, 'utf8')).slice(-3_000);
  }

  #signal(signal: NodeJS.Signals): void {
    if (!this.alive) return;
    try {
      process.kill(-(this.#process.pid as number), signal);
    } catch {
      // It has ended by itself.
    }
  }
}

/** Command lines of whatever still works in the directories: programs that outlived their service. */
export async function survivors(...directories: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(join('/proc', pid, 'cmdline'), 'utf8').catch(() => '');
    if (Number(pid) !== process.pid && directories.some((directory) => line.includes(directory)))
      found.push(line.replaceAll('\0', ' ').trim());
  }
  return found;
}
