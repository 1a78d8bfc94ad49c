/** A real cinder-api over a database, where Debian's is installed; nobody need sign in (`noauth`: the token is USER:PROJECT). */
import { spawn } from 'node:child_process';
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

export interface RealCinder {
  /** `http://127.0.0.1:PORT` */
  readonly address: string;
  stop(): Promise<void>;
}

export const noCinder: string | false = [PROGRAM, PASTE].every((path) => existsSync(path))
  ? false
  : 'no cinder-api is installed (apt-get install cinder-common python3-cinder)';

/** `connection` as SQLAlchemy has it. Rejects with what it said, when it does not answer. */
export async function startCinder(connection: string): Promise<RealCinder> {
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
      'transport_url = fake:/',
      `state_path = ${directory}`,
      '[database]',
      `connection = ${connection}`,
      '[oslo_concurrency]',
      `lock_path = ${directory}`,
    ].join('\n'),
  );
  const child = spawn(PROGRAM, ['--port', String(port), '--host', '127.0.0.1', '--', '--config-file', conf], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4_000);
  });
  const ended = once(child, 'close');
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    rmSync(directory, { recursive: true });
  };
  const address = `http://127.0.0.1:${port}`;
  const until = performance.now() + READY_MS;
  while (
    !(await fetch(address).then(
      () => true,
      () => false,
    ))
  ) {
    if (child.exitCode !== null || performance.now() > until) {
      await stop();
      throw new Error(`cinder-api does not answer: ${said}`);
    }
    await pause(100);
  }
  return { address, stop };
}
