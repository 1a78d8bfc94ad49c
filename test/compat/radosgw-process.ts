/**
 * Ceph's radosgw for the length of a test: over one monitor and one OSD that keeps everything in memory, on free ports of loopback. It may be
 * frozen, killed and begun again. It answers over http, and over https with a certificate of its own.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { NO_PAYLOAD, signed } from '../../src/backups/stores/s3-signature.ts';
import { S3Store } from '../../src/backups/stores/s3-store.ts';
import type { S3Address } from '../../src/backups/stores/store-address.ts';
import { uuid } from '../../src/lib/clock.ts';
import { freePort } from '../free-port.ts';

const run = promisify(execFile);
const READY_MS = 90_000;
const SILENCE_MS = 30_000;
const NEVER = new AbortController().signal;

export const ACCESS_KEY = 'KEYOFPUMICE';
export const SECRET_KEY = 'secret-of-pumice/with+signs';
/** So much fits into a bucket. */
export const QUOTA_BYTES = 80 * 1024 ** 2;

/** So many objects are listed at once. */
export const PAGE = 50;

const PROGRAMS = ['ceph', 'ceph-mon', 'ceph-osd', 'radosgw', 'radosgw-admin', 'openssl'];

/** Why there is none; false when there is. */
export const noRadosgw: string | false = PROGRAMS.every((name) => existsSync(`/usr/bin/${name}`))
  ? false
  : 'radosgw is not installed (apt-get install ceph-mon ceph-osd radosgw)';

export class Radosgw {
  readonly directory: string;
  /** Certificates (PEM) that vouch for it. */
  readonly caFile: string;
  readonly #port: number;
  readonly #tlsPort: number;
  readonly #cluster: ChildProcess[] = [];
  #gateway: ChildProcess | undefined;

  static async start(): Promise<Radosgw> {
    const directory = await mkdtemp(join(tmpdir(), `pumice-radosgw-${process.pid}-`));
    const radosgw = new Radosgw(directory, await freePort(), await freePort());
    try {
      await radosgw.#startCluster(await freePort());
      await radosgw.begin();
      return radosgw;
    } catch (error) {
      const logs = await Promise.all(['mon.a', 'osd.0', 'client.rgw'].map((name) => radosgw.#log(name)));
      await radosgw.remove();
      throw new Error(`radosgw did not come up:\n${logs.join('\n')}`, { cause: error });
    }
  }

  private constructor(directory: string, port: number, tlsPort: number) {
    this.directory = directory;
    this.caFile = join(directory, 'certificate.pem');
    this.#port = port;
    this.#tlsPort = tlsPort;
  }

  /** Where a bucket is, over http unless told otherwise. */
  address(bucket: string, more: Partial<S3Address> = {}): S3Address {
    return {
      kind: 's3',
      endpoint: `http://127.0.0.1:${this.#port}`,
      region: 'us-east-1',
      bucket,
      prefix: '',
      addressing: 'path',
      accessKey: ACCESS_KEY,
      secretKey: SECRET_KEY,
      caFile: null,
      silenceMs: SILENCE_MS,
      ...more,
    };
  }

  get tlsEndpoint(): string {
    return `https://127.0.0.1:${this.#tlsPort}`;
  }

  /** A new one, with nothing in it. */
  async makeBucket(): Promise<string> {
    const bucket = `bucket-${uuid()}`;
    await this.#askOfBucket('PUT', bucket);
    return bucket;
  }

  async removeBucket(bucket: string): Promise<void> {
    const store = new S3Store(this.address(bucket));
    for await (const { name } of store.list('', NEVER)) await store.delete(name, NEVER);
    await this.#askOfBucket('DELETE', bucket);
  }

  async begin(): Promise<void> {
    this.#gateway = this.#spawn('radosgw', '-n', 'client.admin', '--log-file', join(this.directory, 'client.rgw.log'));
    await this.#until('radosgw answers', () =>
      fetch(`http://127.0.0.1:${this.#port}/`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  }

  async kill(): Promise<void> {
    await end(this.#gateway);
    this.#gateway = undefined;
  }

  /** It says nothing any more, and keeps its connections. */
  freeze(): void {
    this.#gateway?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#gateway?.kill('SIGCONT');
  }

  async remove(): Promise<void> {
    await Promise.all([this.#gateway, ...this.#cluster].map(end));
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  async #startCluster(port: number): Promise<void> {
    const at = (name: string): string => join(this.directory, name);
    const [cluster, osd] = [uuid(), uuid()];
    await writeFile(this.#config, configuration(this.directory, cluster, port, [this.#port, this.#tlsPort]));
    for (const name of ['mon', 'osd', 'rgw']) await mkdir(at(name));
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const made = ['-newkey', 'rsa:2048', '-nodes', '-keyout', at('key.pem'), '-out', this.caFile];
    execFileSync('openssl', ['req', '-x509', ...made, '-days', '2', ...subject], { stdio: 'ignore' });
    // The gateway wants both in one.
    await writeFile(at('both.pem'), [await readFile(at('key.pem')), await readFile(this.caFile)].join('\n'));
    const all = ['mon', 'osd', 'mgr'].flatMap((each) => ['--cap', each, 'allow *']);
    for (const name of ['mon.', 'osd.0', 'client.admin'])
      await run('ceph-authtool', ['--create-keyring', at(name), '--gen-key', '-n', name, ...all]);
    const keys = await Promise.all(['mon.', 'osd.0', 'client.admin'].map((name) => readFile(at(name), 'utf8')));
    await writeFile(at('keyring'), keys.join('\n'));
    await run('monmaptool', ['--create', '--addv', 'a', `[v2:127.0.0.1:${port}]`, '--fsid', cluster, at('monmap')]);
    await this.#run('ceph-mon', '-i', 'a', '--mkfs', '--monmap', at('monmap'), '--keyring', at('keyring'));
    this.#cluster.push(this.#spawn('ceph-mon', '-i', 'a'));
    await this.#run('ceph', '--connect-timeout', '60', 'osd', 'new', osd);
    await this.#run('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osd);
    this.#cluster.push(this.#spawn('ceph-osd', '-i', '0'));
    await this.#until('the OSD is up', async () => (await this.#run('ceph', 'osd', 'stat')).includes('1 up'));
    await this.#run(
      'radosgw-admin',
      ...['user', 'create', '--uid', 'pumice', '--display-name', 'Pumice'],
      ...['--access-key', ACCESS_KEY, '--secret-key', SECRET_KEY],
    );
  }

  async #run(program: string, ...args: readonly string[]): Promise<string> {
    return (await run(program, [...args, '-c', this.#config], { timeout: READY_MS })).stdout;
  }

  #spawn(program: string, ...args: readonly string[]): ChildProcess {
    return spawn(program, ['-f', ...args, '-c', this.#config], { stdio: 'ignore' });
  }

  async #askOfBucket(method: 'PUT' | 'DELETE', bucket: string): Promise<void> {
    const url = new URL(`http://127.0.0.1:${this.#port}/${bucket}`);
    const credentials = this.address(bucket);
    const headers = signed({ method, url, headers: {}, payload: NO_PAYLOAD }, credentials, Date.now());
    const { status } = await fetch(url, { method, headers });
    if (status >= 300) throw new Error(`${method} ${bucket}: ${status}`);
  }

  async #until(what: string, holds: () => Promise<boolean>): Promise<void> {
    for (const deadline = performance.now() + READY_MS; !(await holds()); await pause(100))
      if (performance.now() > deadline) throw new Error(`Never: ${what}.`);
  }

  get #config(): string {
    return join(this.directory, 'ceph.conf');
  }

  #log(name: string): Promise<string> {
    return readFile(join(this.directory, `${name}.log`), 'utf8').then(
      (text) => text.slice(-2000),
      () => '',
    );
  }
}

async function end(program: ChildProcess | undefined): Promise<void> {
  if (program === undefined || program.exitCode !== null || program.signalCode !== null) return;
  const ended = once(program, 'exit');
  program.kill('SIGKILL');
  await ended;
}

const configuration = (
  directory: string,
  cluster: string,
  port: number,
  [http, https]: readonly [number, number],
): string => `[global]
fsid = ${cluster}
run dir = ${directory}
keyring = ${directory}/keyring
admin socket =
log file = ${directory}/$name.log
crash dir = ${directory}
mon host = v2:127.0.0.1:${port}/0
mon initial members = a
public addr = 127.0.0.1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
auth allow insecure global id reclaim = false
mon data avail crit = 1
mon data avail warn = 2
paxos propose interval = 0.05
rgw bucket default quota max size = ${QUOTA_BYTES}
[mon.a]
mon data = ${directory}/mon
[osd.0]
osd data = ${directory}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
[client.admin]
log file =
rgw data = ${directory}/rgw
rgw frontends = beast endpoint=127.0.0.1:${http} ssl_endpoint=127.0.0.1:${https} ssl_certificate=${directory}/both.pem
rgw enable usage log = false
rgw override bucket index max shards = 1
rgw bucket quota ttl = 0
rgw dynamic resharding = false
rgw max listing results = ${PAGE}
rgw cache enabled = false
osd client watch timeout = 3
rgw thread pool size = 16
`;
