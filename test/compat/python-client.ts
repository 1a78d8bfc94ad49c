/** The command line of a Python client: each command in a process of its own, forked from one that has it imported. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { NEWEST, versionText } from '../../src/api/microversion.ts';

/** The Python that Debian's packages are for, whatever else is first on the PATH. */
export const PYTHON = '/usr/bin/python3';
const FORKS = fileURLToPath(new URL('forks.py', import.meta.url));

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export type Env = Readonly<Record<string, string>>;

/** Why tests of these modules are skipped, and what to type; false when they are there. */
export function missing(modules: readonly string[], packages: readonly string[]): string | false {
  try {
    execFileSync(PYTHON, ['-c', modules.map((name) => `import ${name}`).join('\n')], { stdio: 'ignore' });
    return false;
  } catch {
    return `not installed; to run these tests: apt-get install ${packages.join(' ')}`;
  }
}

/** The highest version of the API that both the client and Pumice know. */
export function highestVersion(): string {
  const theirs = execFileSync(PYTHON, ['-c', 'from cinderclient import api_versions as a; print(a.MAX_VERSION)'], {
    encoding: 'utf8',
  });
  return versionText(Math.min(Number(theirs.trim().split('.')[1]), NEWEST));
}

export class PythonClient {
  readonly #name: string;
  readonly #process: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  #last: Promise<unknown> = Promise.resolve();

  /** `name` is that of the program, `module` where its `main` is. */
  constructor(name: string, module: string) {
    this.#name = name;
    this.#process = spawn(PYTHON, [FORKS, module], { stdio: ['pipe', 'pipe', 'inherit'] });
    const { stdout } = this.#process;
    assert.ok(stdout);
    this.#answers = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  /** One after the other. Whatever its exit code. */
  async run(env: Env, argv: readonly string[]): Promise<Ran> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    await before;
    try {
      const { PATH = '', HOME = '/nowhere' } = process.env;
      const request = { argv: [this.#name, ...argv], env: { PATH, HOME, LC_ALL: 'C.UTF-8', COLUMNS: '200', ...env } };
      this.#process.stdin?.write(`${JSON.stringify(request)}\n`);
      const answer = await this.#answers.next();
      assert.ok(!answer.done, `${this.#name} has ended.`);
      return JSON.parse(answer.value);
    } finally {
      resolve();
    }
  }

  async close(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.stdin?.end();
    await ended;
  }
}
