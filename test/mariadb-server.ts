/**
 * A MariaDB for the tests of one process, from Debian's mariadb-server, else none, and then the reason; or MySQL, as `npm run prove:mysql` unpacks
 * it into `MYSQL_ROOT`. It lives in a directory of its own
 * (`scratch.ts`), listens on 127.0.0.1 on a free port with no password for `root`, and ends with the process that started it. If that was
 * killed, the next process that starts one ends what it left.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import mysql from 'mysql2/promise';
import { freePort } from './free-port.ts';
import type { NoServer, TestServer } from './postgresql-server.ts';
import { abandoned, scratchDirectory } from './scratch.ts';

const PREFIX = 'pumice-test-mariadb-';
const READY_MS = 30_000;
const SERVERS = ['/usr/sbin/mariadbd', '/usr/sbin/mysqld', '/usr/local/bin/mariadbd'];
const { MYSQL_ROOT } = process.env;

/** Its URL is `mysql://…/` without a database. `poolMegabytes`: what it keeps of its tables in memory. */
export async function startMariadb(directory = scratchDirectory(), poolMegabytes = 64): Promise<TestServer | NoServer> {
  for (const home of await abandoned(new RegExp(`^${PREFIX}(\\d+)-`), directory)) {
    const pid = await readFile(join(home, 'pid'), 'utf8').catch(() => '');
    end(pid ? Number(pid) : undefined, home);
  }
  const program = SERVERS.find((path) => existsSync(path));
  if (program === undefined && MYSQL_ROOT === undefined)
    return { missing: 'no MariaDB is installed (apt-get install mariadb-server)' };
  const home = await mkdtemp(join(directory, `${PREFIX}${process.pid}-`));
  try {
    const how = MYSQL_ROOT === undefined ? mariadb(program as string) : mysqlIn(MYSQL_ROOT);
    return await start(how, home, poolMegabytes);
  } catch (error) {
    await rm(home, { recursive: true, force: true });
    return { missing: `${MYSQL_ROOT ?? program}: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** How a server begins, and how its data directory is made before. */
interface Program {
  readonly argv: readonly string[];
  readonly installs: readonly string[];
}

const mariadb = (program: string): Program => ({
  argv: [program, '--no-defaults', '--skip-name-resolve', '--innodb-log-file-size=16M'],
  installs: [...['mariadb-install-db', '--no-defaults', '--auth-root-authentication-method=normal', '--skip-test-db']],
});

/** It is of a newer system than this one, so it runs with the loader and the libraries of its own. */
function mysqlIn(root: string): Program {
  const argv = [
    join(root, 'usr/lib64/ld-linux-x86-64.so.2'),
    ...['--library-path', [join(root, 'usr/lib/x86_64-linux-gnu'), join(root, 'usr/lib/mysql/private')].join(':')],
    ...[join(root, 'usr/sbin/mysqld'), '--no-defaults', `--lc-messages-dir=${join(root, 'usr/share/mysql')}`],
    ...['--secure-file-priv=NULL', '--mysqlx=OFF'],
  ];
  return { argv, installs: [...argv, '--initialize-insecure'] };
}

async function start({ argv, installs }: Program, home: string, poolMegabytes: number): Promise<TestServer> {
  const data = join(home, 'data');
  const account = process.getuid?.() === 0 ? ['--user=root'] : [];
  const [installer = '', ...how] = [...installs, `--datadir=${data}`, ...account];
  const installed = spawnSync(installer, how, { cwd: home, encoding: 'utf8' });
  if (installed.status !== 0) throw new Error(installed.error?.message ?? installed.stderr.trim());
  const port = await freePort();
  const [program = '', ...options] = argv;
  const server = spawn(
    program,
    [
      ...options,
      `--datadir=${data}`,
      `--socket=${join(home, 's')}`,
      `--pid-file=${join(home, 'pid')}`,
      '--bind-address=127.0.0.1',
      `--port=${port}`,
      '--innodb-flush-log-at-trx-commit=0',
      `--innodb-buffer-pool-size=${poolMegabytes}M`,
      '--performance-schema=OFF',
      ...account,
    ],
    { cwd: home, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  server.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-4000);
  });
  process.once('exit', () => end(server.pid, home));
  const url = `mysql://root@127.0.0.1:${port}/`;
  const until = performance.now() + READY_MS;
  while (!(await answers(url))) {
    if (server.exitCode !== null) throw new Error(`it ended: ${log}`);
    if (performance.now() > until) throw new Error(`it was not ready in time: ${log}`);
    await delay(50);
  }
  server.unref();
  (server.stderr as typeof server.stderr & { unref(): void }).unref();
  return { url };
}

async function answers(url: string): Promise<boolean> {
  try {
    const connection = await mysql.createConnection({ uri: url });
    await connection.end();
    return true;
  } catch {
    return false;
  }
}

/** What it holds is not wanted any more, so it need not be orderly. Synchronous, for an exiting process. */
function end(pid: number | undefined, home: string): void {
  if (pid !== undefined && belongsTo(pid, home)) {
    process.kill(pid, 'SIGKILL');
    const until = performance.now() + 5000;
    const nap = new Int32Array(new SharedArrayBuffer(4));
    while (belongsTo(pid, home) && performance.now() < until) Atomics.wait(nap, 0, 0, 10);
  }
  rmSync(home, { recursive: true, force: true, maxRetries: 3 });
}

/** Never by the number alone: it may have been given to another process since. */
function belongsTo(pid: number, home: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(home + sep);
  } catch {
    return false;
  }
}
