/**
 * Debian's Swift for the length of a test: a proxy, and a server each for accounts, containers and objects, with one copy of everything, on free
 * ports of loopback. Who asks is known by TempAuth, which keeps its tokens in memcached, or by a Keystone that is given.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { SwiftAddress } from '../../src/backups/stores/store-address.ts';
import { SwiftStore } from '../../src/backups/stores/swift-store.ts';
import { uuid } from '../../src/lib/clock.ts';
import { freePort } from '../free-port.ts';

const run = promisify(execFile);
const READY_MS = 60_000;
const SILENCE_MS = 30_000;
const NEVER = new AbortController().signal;

export const KEY = 'secret-of-pumice/with+signs';
/** So much fits into a container, as soon as it has been counted. */
export const QUOTA_BYTES = 96 * 1024 ** 2;

const SERVERS = ['account', 'container', 'object'] as const;
const PROGRAMS = [...SERVERS, 'proxy'].map((name) => `swift-${name}-server`);

/** Why there is none; false when there is. */
export const noSwift: string | false = [...PROGRAMS, 'memcached'].every((name) => existsSync(`/usr/bin/${name}`))
  ? keepsNoAttributes()
  : 'Swift is not installed (apt-get install swift-proxy swift-account swift-container swift-object memcached)';

/** What Swift knows of an object it keeps beside it, in the file system. */
function keepsNoAttributes(): string | false {
  const tries =
    "import os, sys, tempfile; f = tempfile.NamedTemporaryFile(dir=sys.argv[1]); os.setxattr(f.name, 'user.a', b'b')";
  try {
    execFileSync('/usr/bin/python3', ['-c', tries, tmpdir()], { stdio: 'ignore' });
    return false;
  } catch {
    return `${tmpdir()} keeps no extended attributes`;
  }
}

export class Swift {
  readonly #directory: string;
  readonly #port: number;
  #memcachedPort = 0;
  readonly #running = new Map<string, ChildProcess>();

  /** `filters`: of the proxy, in place of TempAuth, by name. */
  static async start(filters: Readonly<Record<string, string>> = { tempauth: TEMPAUTH }): Promise<Swift> {
    const swift = new Swift(await mkdtemp(join(tmpdir(), `pumice-swift-${process.pid}-`)), await freePort());
    try {
      await swift.#write(filters);
      await Promise.all(SERVERS.map((server) => swift.begin(server)));
      await swift.begin('proxy');
      return swift;
    } catch (error) {
      await swift.remove();
      throw error;
    }
  }

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.#port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Where a container is, for whom TempAuth knows. */
  address(container: string, more: Partial<SwiftAddress> = {}): SwiftAddress {
    return {
      kind: 'swift',
      authUrl: `${this.url}/auth/v1.0`,
      authVersion: '1',
      user: 'test:pumice',
      key: KEY,
      userDomain: 'Default',
      project: 'service',
      projectDomain: 'Default',
      region: null,
      storageUrl: null,
      container,
      caFile: null,
      silenceMs: SILENCE_MS,
      ...more,
    };
  }

  /** A new one, with nothing in it. */
  async makeContainer(): Promise<string> {
    const container = `container-${uuid()}`;
    await this.#askOfContainer('PUT', container);
    return container;
  }

  async removeContainer(container: string): Promise<void> {
    const store = new SwiftStore(this.address(container));
    for await (const { name } of store.list('', NEVER)) await store.delete(name, NEVER);
    await this.#askOfContainer('DELETE', container);
  }

  /** Of all who have signed in. */
  async forgetTokens(): Promise<void> {
    const memcached = connect(this.#memcachedPort, '127.0.0.1');
    memcached.write('flush_all\r\n');
    await once(memcached, 'data');
    memcached.destroy();
  }

  async begin(server: string): Promise<void> {
    const config = join(this.#directory, `${server}-server.conf`);
    this.#running.set(
      server,
      spawn('/usr/bin/python3', [`/usr/bin/swift-${server}-server`, config], { stdio: 'ignore' }),
    );
    const port = /bind_port = (\d+)/.exec(await readFile(config, 'utf8'))?.[1];
    const answers = (): Promise<boolean> =>
      fetch(`http://127.0.0.1:${port}/healthcheck`).then(
        ({ ok }) => ok,
        () => false,
      );
    for (const deadline = performance.now() + READY_MS; !(await answers()); await pause(50))
      if (performance.now() > deadline) throw new Error(`Swift's ${server} server never answered.`);
  }

  async kill(server: string): Promise<void> {
    const running = this.#running.get(server);
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, 'exit');
    running.kill('SIGKILL');
    await ended;
  }

  /** It says nothing any more, and keeps its connections. */
  freeze(server: string): void {
    this.#running.get(server)?.kill('SIGSTOP');
  }

  thaw(server: string): void {
    this.#running.get(server)?.kill('SIGCONT');
  }

  async remove(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((server) => this.kill(server)));
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }

  async #write(filters: Readonly<Record<string, string>>): Promise<void> {
    const at = (name: string): string => join(this.#directory, name);
    const common = `swift_dir = ${this.#directory}\nuser = ${userInfo().username}\nworkers = 0\nbind_ip = 127.0.0.1`;
    const ports: number[] = [];
    for (const server of SERVERS) {
      const port = await freePort();
      await mkdir(at(`devices/${server}`), { recursive: true });
      await writeFile(
        at(`${server}-server.conf`),
        `[DEFAULT]
${common}
bind_port = ${port}
devices = ${at('devices')}
mount_check = false
disable_fallocate = true
[pipeline:main]
pipeline = healthcheck ${server}-server
[filter:healthcheck]
use = egg:swift#healthcheck
[app:${server}-server]
use = egg:swift#${server}
`,
      );
      ports.push(port);
    }
    await run('/usr/bin/python3', [
      '-c',
      RINGS,
      this.#directory,
      ...SERVERS.flatMap((server, i) => [server, `${ports[i]}`]),
    ]);
    const memcached = await freePort();
    this.#memcachedPort = memcached;
    this.#running.set(
      'memcached',
      spawn('memcached', ['-l', '127.0.0.1', '-p', String(memcached), '-U', '0', '-u', 'nobody'], { stdio: 'ignore' }),
    );
    await writeFile(
      at('proxy-server.conf'),
      `[DEFAULT]
${common}
bind_port = ${this.#port}
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache listing_formats ${Object.keys(filters).join(' ')} container-quotas proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:${memcached}
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:container-quotas]
use = egg:swift#container_quotas
${Object.entries(filters)
  .map(([name, text]) => `[filter:${name}]\n${text}`)
  .join('\n')}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
recheck_container_existence = 1
node_timeout = 60
conn_timeout = 10
error_suppression_limit = 1000000
`,
    );
  }

  async #askOfContainer(method: 'PUT' | 'DELETE', container: string): Promise<void> {
    const headers = { 'x-auth-user': 'test:pumice', 'x-auth-key': KEY };
    const door = await fetch(`${this.url}/auth/v1.0`, { headers });
    const url = `${door.headers.get('x-storage-url')}/${container}`;
    const token = door.headers.get('x-auth-token') ?? '';
    const quota = { 'x-container-meta-quota-bytes': String(QUOTA_BYTES) };
    // What was deleted may not yet have been counted.
    for (let tries = 1; ; tries += 1) {
      const { status } = await fetch(url, { method, headers: { 'x-auth-token': token, ...quota } });
      if (status < 300) return;
      if (status !== 409 || tries > 100) throw new Error(`${method} ${container}: ${status}`);
      await pause(100);
    }
  }
}

/** Which server has what: here one has all. */
const RINGS = `
import sys
from swift.common.ring import RingBuilder
directory, *servers = sys.argv[1:]
for server, port in zip(servers[::2], servers[1::2]):
    builder = RingBuilder(2, 1, 1)
    builder.add_dev({'region': 1, 'zone': 1, 'weight': 1, 'ip': '127.0.0.1', 'port': int(port), 'device': server})
    builder.rebalance()
    builder.get_ring().save(directory + '/' + server + '.ring.gz')
`;

const TEMPAUTH = `use = egg:swift#tempauth
user_test_pumice = ${KEY} .admin
user_test_guest = ${KEY}`;
