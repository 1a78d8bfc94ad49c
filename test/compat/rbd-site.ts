/** A service whose only backend is a Ceph pool, in a process of its own, asked over HTTP. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { DirectoryImages } from '../../src/clients/image-directory.ts';
import { type CephCluster, sharedCeph } from '../ceph-cluster.ts';
import { PoolBytes } from '../drivers/rbd/pool-bytes.ts';
import { makePool } from '../drivers/rbd/rbd-world.ts';
import { freePort } from '../free-port.ts';

const GIB = 1024 ** 3;
const DEADLINE_MS = 90_000;
const MAIN = join(import.meta.dirname, '../../src/main.ts');

// biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
type Answer = any;

/** A directory, a pool, and a process that serves it. */
export class RbdSite {
  readonly ceph: CephCluster;
  readonly pool: string;
  readonly bytes: PoolBytes;
  readonly #directory: string;
  readonly #port: number;
  #process: ChildProcess | undefined;

  /** `cluster`: default, the one that tests share. `services`: lines of that section. */
  static async open(t: TestContext, cluster?: CephCluster, services: readonly string[] = []): Promise<RbdSite> {
    const ceph = cluster ?? (await sharedCeph());
    const directory = await mkdtemp(join(tmpdir(), `pumice-rbd-${process.pid}-`));
    const site = new RbdSite(ceph, directory, await makePool(ceph), await freePort());
    t.after(async () => {
      await site.kill();
      await rm(directory, { recursive: true, force: true });
    });
    await mkdir(join(directory, 'backups'));
    await writeFile(
      join(directory, 'pumice.toml'),
      `data_directory = "."
       node_name = "node"
       [api]
       port = ${site.#port}
       [quota]
       quota_volumes = 100
       [services]
       report_interval = 1
       backend_stats_polling_interval = 1
       ${services.join('\n')}
       [backup_stores.main]
       backup_driver = "posix"
       backup_posix_path = "backups"
       [backends.ceph]
       driver = "rbd"
       rbd_pool = "${site.pool}"
       rbd_ceph_conf = "${ceph.config}"
      `,
    );
    return site;
  }

  private constructor(ceph: CephCluster, directory: string, pool: string, port: number) {
    this.ceph = ceph;
    this.pool = pool;
    this.bytes = new PoolBytes(ceph);
    this.#directory = directory;
    this.#port = port;
  }

  async begin(): Promise<void> {
    const argv = [
      '--pdeathsig',
      'KILL',
      process.execPath,
      MAIN,
      'serve',
      '--config',
      join(this.#directory, 'pumice.toml'),
    ];
    this.#process = spawn('setpriv', argv, { stdio: 'ignore' });
    await this.until('it serves', async () => {
      const pools = await this.api('GET', '/scheduler-stats/get_pools?detail=true').catch(() => undefined);
      return pools?.pools?.[0]?.capabilities.backend_state === 'up';
    });
  }

  async kill(): Promise<void> {
    await this.#ended('SIGKILL');
  }

  async end(): Promise<void> {
    await this.#ended('SIGTERM');
  }

  /** Process ids of what works in the pool for the service. */
  async helpers(): Promise<readonly number[]> {
    const found: number[] = [];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const read = (file: string): Promise<string> => readFile(join('/proc', pid, file), 'utf8').catch(() => '');
      const stat = await read('stat');
      const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(parent) === this.#process?.pid && (await read('cmdline')).includes('rbd-helper'))
        found.push(Number(pid));
    }
    return found;
  }

  /** An id of a raw image of 1 GiB that begins with the text. */
  async image(text: string): Promise<string> {
    const raw = join(this.#directory, 'image.raw');
    await writeFile(raw, text);
    await truncate(raw, GIB);
    const store = new DirectoryImages({ directory: join(this.#directory, 'images') });
    return (await store.add({ name: 'image', diskFormat: 'raw' }, raw, new AbortController().signal)).id;
  }

  /** Of our own API. */
  async own(path: string): Promise<Answer> {
    const answer = await fetch(`http://127.0.0.1:${this.#port}/pumice/v1${path}`, {
      headers: { 'x-auth-token': 'test:demo' },
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return await answer.json();
  }

  async api(method: string, path: string, body?: object): Promise<Answer> {
    const headers = {
      'content-type': 'application/json',
      'x-auth-token': 'test:demo',
      'openstack-api-version': 'volume 3.70',
    };
    const answer = await fetch(`http://127.0.0.1:${this.#port}/v3${path}`, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok)
      throw Object.assign(new Error(`${method} ${path}: ${answer.status} ${text}`), { status: answer.status });
    return text === '' ? {} : JSON.parse(text);
  }

  async make(volume: object): Promise<string> {
    const { id } = (await this.api('POST', '/volumes', { volume })).volume;
    await this.rests('volume', id);
    return id;
  }

  rests(kind: 'volume' | 'snapshot' | 'backup', id: string): Promise<void> {
    return this.until(`${kind} ${id} is available`, async () => {
      const { status, fail_reason: why } = (await this.api('GET', `/${kind}s/${id}`))[kind];
      if (/error/.test(status)) throw new Error(`${kind} ${id} is ${status}: ${why ?? (await this.#log())}`);
      return status === 'available';
    });
  }

  gone(path: string): Promise<void> {
    return this.until(`${path} is gone`, () =>
      this.api('GET', path).then(
        () => false,
        ({ status }) => status === 404,
      ),
    );
  }

  async begins(id: string, length: number, at = 0): Promise<string> {
    const read = await this.bytes.ask<string>(this.pool, 'read', `volume-${id}`, null, at, length);
    return Buffer.from(read, 'base64').toString();
  }

  write(id: string, at: number, text: string): Promise<void> {
    return this.bytes.ask(this.pool, 'write', `volume-${id}`, at, Buffer.from(text).toString('base64'));
  }

  /** Names of images, also of those in the trash. */
  async named(): Promise<string[]> {
    const objects = await this.bytes.ask<string[]>(this.pool, 'objects');
    return objects.filter((name) => /^rbd_(id|header|data|object_map)\./.test(name));
  }

  async doctor(): Promise<string> {
    const argv = [MAIN, 'doctor', '--config', join(this.#directory, 'pumice.toml')];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => {
        said += text;
      });
    await once(child, 'close');
    return said;
  }

  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    for (const deadline = performance.now() + DEADLINE_MS; !(await holds()); await pause(30))
      if (performance.now() > deadline) throw new Error(`Never: ${what}.\n${await this.doctor()}`);
  }

  async #log(): Promise<string> {
    return JSON.stringify(await this.api('GET', '/messages').catch(() => ''));
  }

  async #ended(signal: NodeJS.Signals): Promise<void> {
    const process = this.#process;
    if (process === undefined || process.exitCode !== null || process.signalCode !== null) return;
    const ended = once(process, 'exit');
    process.kill(signal);
    await ended;
  }
}
