/**
 * A real Cinder over a database, where Debian's is installed: its cinder-api alone, or with the scheduler and cinder-volume, which want a
 * broker. Nobody need sign in (`noauth`: the token is USER:PROJECT).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../free-port.ts';

const PROGRAM = '/usr/bin/cinder-wsgi';
const PASTE = '/etc/cinder/api-paste.ini';
const FILTERS = '/etc/cinder/resource_filters.json';
const READY_MS = 90_000;
/** To put away what a service has in hand. */
const ENDING_MS = 20_000;

export interface CinderOptions {
  /** `rabbit://…`; by default messages reach nobody. */
  readonly transport?: string;
  /** More of its cinder.conf: of `[DEFAULT]`, and whole sections. */
  readonly more?: { readonly defaults: readonly string[]; readonly sections: readonly string[] };
  /** What runs beside the API. */
  readonly services?: readonly ('scheduler' | 'volume')[];
  /** So many take requests, each many at once. By default one does, one request after the other. */
  readonly apiProcesses?: number;
}

export interface RealCinder {
  /** `http://127.0.0.1:PORT` */
  readonly address: string;
  /** Its cinder.conf. It is there until `stop`. */
  readonly conf: string;
  /** Once more does nothing. */
  stop(): Promise<void>;
}

export const noCinder: string | false = [PROGRAM, PASTE].every((path) => existsSync(path))
  ? false
  : 'no cinder-api is installed (apt-get install cinder-common python3-cinder)';

/** `connection` as SQLAlchemy has it. Rejects with what it said, when it does not answer. */
export async function startCinder(
  connection: string,
  { transport = 'fake:/', more, services = [], apiProcesses }: CinderOptions = {},
): Promise<RealCinder> {
  const directory = mkdtempSync(join(tmpdir(), 'pumice-cinder-'));
  const port = await freePort();
  const conf = join(directory, 'cinder.conf');
  writeFileSync(
    conf,
    [
      '[DEFAULT]',
      'auth_strategy = noauth',
      `api_paste_config = ${PASTE}`,
      `resource_query_filters_file = ${FILTERS}`,
      `transport_url = ${transport}`,
      `state_path = ${directory}`,
      'osapi_volume_listen = 127.0.0.1',
      `osapi_volume_listen_port = ${port}`,
      `osapi_volume_workers = ${apiProcesses ?? 1}`,
      ...(more?.defaults ?? []),
      '[database]',
      `connection = ${connection}`,
      '[oslo_concurrency]',
      `lock_path = ${directory}`,
      '[coordination]',
      `backend_url = file://${directory}/coordination`,
      ...(more?.sections ?? []),
      '',
    ].join('\n'),
  );
  const service = (name: string): Service => new Service([PYTHON, '-c', mainOf(name), '--config-file', conf]);
  const api =
    apiProcesses === undefined
      ? new Service([PROGRAM, '--port', String(port), '--host', '127.0.0.1', '--', '--config-file', conf])
      : service('api');
  const all = [api, ...services.map(service)];
  const stop = async (): Promise<void> => {
    await Promise.all(all.map((each) => each.end()));
    rmSync(directory, { recursive: true, force: true });
  };
  const address = `http://127.0.0.1:${port}`;
  const until = performance.now() + READY_MS;
  while (
    !(await fetch(address).then(
      () => true,
      () => false,
    ))
  ) {
    if (api.hasEnded || performance.now() > until) {
      await stop();
      throw new Error(`cinder-api does not answer: ${api.said}`);
    }
    await pause(100);
  }
  return { address, conf, stop };
}

const PYTHON = '/usr/bin/python3';
const mainOf = (name: string): string => `from cinder.cmd.${name} import main; main()`;

/** With the processes that it forks. */
class Service {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #kill = (): void => this.#signal('SIGKILL');
  #isOver = false;
  said = '';

  constructor([program = '', ...args]: readonly string[]) {
    this.#child = spawn(program, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.said = (this.said + text).slice(-4_000);
    });
    // Not before those that it forked have ended, which have its error stream, too.
    this.#ended = once(this.#child, 'close').then(() => {
      this.#isOver = true;
      process.off('exit', this.#kill);
    });
    process.once('exit', this.#kill);
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async end(): Promise<void> {
    this.#signal('SIGTERM');
    await Promise.race([this.#ended, pause(ENDING_MS, undefined, { ref: false })]);
    this.#signal('SIGKILL');
    await this.#ended;
  }

  #signal(signal: NodeJS.Signals): void {
    if (!this.#isOver && this.#child.pid !== undefined) process.kill(-this.#child.pid, signal);
  }
}
