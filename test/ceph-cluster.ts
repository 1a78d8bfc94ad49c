/**
 * A Ceph cluster for the length of a test or of a run: one monitor, one OSD that keeps everything in memory (or on disk) and, where it is asked for, one
 * manager (without one nobody tells how full a pool is), on free ports of loopback or of another address of this machine. Its daemons die with the process that started them, however that
 * ends, and may be frozen, killed and begun again meanwhile.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { uuid } from '../src/lib/clock.ts';
import { freePort } from './free-port.ts';

const run = promisify(execFile);
const READY_MS = 90_000;

export interface CephOptions {
  /** `radosgw`: its temporary directory begins so. */
  readonly name: string;
  readonly manager?: boolean;
  /** What the OSD has room for. Default: 2 GiB. */
  readonly bytes?: number;
  /** The OSD keeps everything in a sparse file, and has it again after it was killed. */
  readonly onDisk?: boolean;
  /** Where its daemons listen. Default: 127.0.0.1. */
  readonly address?: string;
  /** Lines of its configuration, by section. */
  readonly more?: (directory: string) => Readonly<Record<string, readonly string[]>>;
}

export type Daemon = 'mon' | 'mgr' | 'osd';

const IDS: Readonly<Record<Daemon, string>> = { mon: 'a', mgr: 'a', osd: '0' };

/** What a cluster takes, and whose packages they are in. */
export const CEPH_PROGRAMS = ['ceph', 'ceph-mon', 'ceph-osd'];

/** Why there is none that RBD can be used of; false when there is. */
export const noRbd: string | false = whyNoRbd();

function whyNoRbd(): string | false {
  const programs = [...CEPH_PROGRAMS, 'ceph-mgr', 'rbd', 'qemu-storage-daemon', 'setpriv'];
  const missing = programs.filter((name) => !existsSync(`/usr/bin/${name}`));
  if (!existsSync('/usr/share/doc/python3-rbd')) missing.push('python3-rbd');
  if (!existsSync('/usr/share/doc/qemu-block-extra')) missing.push('qemu-block-extra');
  if (missing.length === 0) return false;
  return `${missing.join(', ')} not installed (apt-get install ceph-mon ceph-osd ceph-mgr ceph-common python3-rbd qemu-block-extra qemu-system-common)`;
}

export class CephCluster {
  readonly directory: string;
  readonly fsid = uuid();
  readonly #options: CephOptions;
  readonly #daemons = new Map<Daemon, ChildProcess>();

  static async start(options: CephOptions): Promise<CephCluster> {
    const directory = await mkdtemp(join(tmpdir(), `pumice-${options.name}-${process.pid}-`));
    const cluster = new CephCluster(directory, options);
    try {
      await cluster.#start();
      return cluster;
    } catch (error) {
      const logs = await Promise.all(['mon.a', 'osd.0', 'mgr.a'].map((name) => cluster.log(name)));
      await cluster.remove();
      throw new Error(`Ceph did not come up:\n${logs.join('\n')}`, { cause: error });
    }
  }

  private constructor(directory: string, options: CephOptions) {
    this.directory = directory;
    this.#options = options;
  }

  get config(): string {
    return this.at('ceph.conf');
  }

  at(name: string): string {
    return join(this.directory, name);
  }

  async run(program: string, ...args: readonly string[]): Promise<string> {
    return (await run(program, [...args, '-c', this.config], { timeout: READY_MS, maxBuffer: 64 * 1024 ** 2 })).stdout;
  }

  /** In the foreground, until this process ends at the latest. It keeps nobody from ending. */
  spawn(program: string, ...args: readonly string[]): ChildProcess {
    const argv = ['--pdeathsig', 'KILL', program, '-f', ...args, '-c', this.config];
    const child = spawn('setpriv', argv, { stdio: 'ignore' });
    child.unref();
    return child;
  }

  async begin(daemon: Daemon): Promise<void> {
    this.#daemons.set(daemon, this.spawn(`ceph-${daemon}`, '-i', IDS[daemon]));
    if (daemon === 'osd')
      await this.until('the OSD is up', async () => (await this.run('ceph', 'osd', 'stat')).includes('1 up'));
  }

  async kill(daemon: Daemon): Promise<void> {
    await ended(this.#daemons.get(daemon));
  }

  /** It says nothing any more, and keeps its connections. */
  freeze(daemon: Daemon): void {
    this.#daemons.get(daemon)?.kill('SIGSTOP');
  }

  thaw(daemon: Daemon): void {
    this.#daemons.get(daemon)?.kill('SIGCONT');
  }

  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    for (const deadline = performance.now() + READY_MS; !(await holds()); await pause(100))
      if (performance.now() > deadline) throw new Error(`Never: ${what}.`);
  }

  log(name: string): Promise<string> {
    return readFile(this.at(`${name}.log`), 'utf8').then(
      (text) => text.slice(-2000),
      () => '',
    );
  }

  async remove(): Promise<void> {
    await Promise.all([...this.#daemons.values()].map(ended));
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  /** At the end of the process, when nobody waits any more. */
  abandon(): void {
    for (const daemon of this.#daemons.values()) daemon.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  async #start(): Promise<void> {
    const { manager = false, address = '127.0.0.1' } = this.#options;
    const port = await freePort();
    await writeFile(this.config, this.#configuration(port));
    const daemons: readonly Daemon[] = manager ? ['mon', 'mgr', 'osd'] : ['mon', 'osd'];
    for (const name of daemons) await mkdir(this.at(name));
    const all = ['mon', 'osd', 'mgr'].flatMap((each) => ['--cap', each, 'allow *']);
    const names = ['mon.', 'osd.0', 'client.admin', ...(manager ? ['mgr.a'] : [])];
    await Promise.all(
      names.map((name) => run('ceph-authtool', ['--create-keyring', this.at(name), '--gen-key', '-n', name, ...all])),
    );
    const keys = await Promise.all(names.map((name) => readFile(this.at(name), 'utf8')));
    await writeFile(this.at('keyring'), keys.join('\n'));
    const addressed = ['--create', '--addv', 'a', `[v2:${address}:${port}]`, '--fsid', this.fsid];
    await run('monmaptool', [...addressed, this.at('monmap')]);
    const made = ['--monmap', this.at('monmap'), '--keyring', this.at('keyring')];
    await this.run('ceph-mon', '-i', 'a', '--mkfs', ...made);
    await this.begin('mon');
    const osd = uuid();
    await this.run('ceph', '--connect-timeout', '60', 'osd', 'new', osd);
    if (manager) {
      // The monitor knows of keys only what it was made with, and what it is told.
      await this.run('ceph', 'auth', 'import', '-i', this.at('mgr.a'));
      await this.begin('mgr');
    }
    await this.run('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osd);
    await this.begin('osd');
  }

  #configuration(port: number): string {
    const { bytes = 2 * 1024 ** 3, address = '127.0.0.1', onDisk = false, more } = this.#options;
    const store = onDisk
      ? ['osd objectstore = bluestore', `bluestore block size = ${bytes}`, 'bluestore block create = true']
      : ['osd objectstore = memstore', `memstore device bytes = ${bytes}`];
    const sections: Record<string, readonly string[]> = {
      global: [
        `fsid = ${this.fsid}`,
        `run dir = ${this.directory}`,
        `keyring = ${this.directory}/keyring`,
        'admin socket =',
        `log file = ${this.directory}/$name.log`,
        `crash dir = ${this.directory}`,
        `mon host = v2:${address}:${port}/0`,
        'mon initial members = a',
        `public addr = ${address}`,
        `cluster addr = ${address}`,
        'osd pool default size = 1',
        'osd pool default min size = 1',
        'osd pool default pg num = 4',
        'osd pool default pgp num = 4',
        'osd pool default pg autoscale mode = off',
        'osd crush chooseleaf type = 0',
        'mon allow pool size one = true',
        'mon allow pool delete = true',
        'mon max pg per osd = 2000',
        'auth allow insecure global id reclaim = false',
        'mon data avail crit = 1',
        'mon data avail warn = 2',
        // Each snapshot and each fence is a round of the monitors, and waits a second for it by default.
        'paxos propose interval = 0.05',
      ],
      'mon.a': [`mon data = ${this.directory}/mon`],
      'mgr.a': [`mgr data = ${this.directory}/mgr`, 'mgr initial modules ='],
      'osd.0': [`osd data = ${this.directory}/osd`, ...store, 'osd scrub load threshold = 0'],
      client: ['log file ='],
    };
    for (const [section, lines] of Object.entries(more?.(this.directory) ?? {}))
      sections[section] = [...(sections[section] ?? []), ...lines];
    return Object.entries(sections)
      .map(([section, lines]) => `[${section}]\n${lines.join('\n')}\n`)
      .join('');
  }
}

async function ended(program: ChildProcess | undefined): Promise<void> {
  if (program === undefined || program.exitCode !== null || program.signalCode !== null) return;
  const exited = once(program, 'exit');
  program.ref();
  program.kill('SIGKILL');
  await exited;
}

let shared: Promise<CephCluster> | undefined;

/** The one of this process, which all tests share that have pools of their own. It ends with the process. */
export function sharedCeph(): Promise<CephCluster> {
  shared ??= cephForVolumes().then((cluster) => {
    process.once('exit', () => cluster.abandon());
    return cluster;
  });
  return shared;
}

/** With a user that may serve volumes, `client.cinder`. */
export async function cephForVolumes(options: Pick<CephOptions, 'address' | 'onDisk'> = {}): Promise<CephCluster> {
  const cluster = await CephCluster.start({ name: 'ceph', manager: true, bytes: 3 * 1024 ** 3, ...options });
  try {
    // Clones of format 2: their snapshots need no protection, and may be deleted before them.
    await cluster.run('ceph', 'osd', 'set-require-min-compat-client', 'mimic');
    const caps = ['mon', 'profile rbd', 'osd', 'profile rbd', 'mgr', 'profile rbd'];
    await cluster.run('ceph', 'auth', 'get-or-create', 'client.cinder', ...caps, '-o', cluster.at('cinder'));
    const own = `[client.cinder]\nkeyring = ${cluster.at('cinder')}\n`;
    await writeFile(cluster.config, own, { flag: 'a' });
    return cluster;
  } catch (error) {
    await cluster.remove();
    throw error;
  }
}
