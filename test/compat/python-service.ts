/** A service of OpenStack's, from Debian's packages, as a process that may be killed and begun again. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';

export const DEADLINE_MS = 60_000;

export interface PythonServiceOptions {
  /** The program with its arguments. */
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly url: string;
  /** Of its answer at `url`. */
  isUp(answer: Response): boolean;
  /** What it said, for when it does not come up. */
  log?(): Promise<string>;
}

export class PythonService {
  readonly #options: PythonServiceOptions;
  #process: ChildProcess | undefined;

  constructor(options: PythonServiceOptions) {
    this.#options = options;
  }

  async begin(): Promise<void> {
    const { argv, env, url, isUp, log } = this.#options;
    this.#process = spawn('/usr/bin/python3', argv, { stdio: 'ignore', env: { ...process.env, ...env } });
    const deadline = performance.now() + DEADLINE_MS;
    const answers = (): Promise<boolean> => fetch(url).then(isUp, () => false);
    while (!(await answers())) {
      assert.ok(performance.now() < deadline, `${argv[0]} never answered: ${(await log?.()) ?? ''}`);
      await pause(100);
    }
  }

  /** Says nothing any more, and keeps its connections. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  async end(): Promise<void> {
    if (this.#process === undefined) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
    this.#process = undefined;
  }
}
