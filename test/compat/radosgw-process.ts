/**
 * Ceph's radosgw for the length of a test: over one monitor and one OSD that keeps everything in memory, on free ports of loopback. It may be
 * frozen, killed and begun again. It answers over http, and over https with a certificate of its own.
 */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { NO_PAYLOAD, signed } from '../../src/backups/stores/s3-signature.ts';
import { S3Store } from '../../src/backups/stores/s3-store.ts';
import type { S3Address } from '../../src/backups/stores/store-address.ts';
import { uuid } from '../../src/lib/clock.ts';
import { CEPH_PROGRAMS, CephCluster } from '../ceph-cluster.ts';
import { freePort } from '../free-port.ts';

const SILENCE_MS = 30_000;
const NEVER = new AbortController().signal;

export const ACCESS_KEY = 'KEYOFPUMICE';
export const SECRET_KEY = 'secret-of-pumice/with+signs';
/** So much fits into a bucket. */
export const QUOTA_BYTES = 80 * 1024 ** 2;

/** So many objects are listed at once. */
export const PAGE = 50;

const PROGRAMS = [...CEPH_PROGRAMS, 'radosgw', 'radosgw-admin', 'openssl'];

/** Why there is none; false when there is. */
export const noRadosgw: string | false = PROGRAMS.every((name) => existsSync(`/usr/bin/${name}`))
  ? false
  : 'radosgw is not installed (apt-get install ceph-mon ceph-osd radosgw)';

export class Radosgw {
  /** Certificates (PEM) that vouch for it. */
  readonly caFile: string;
  readonly #cluster: CephCluster;
  readonly #port: number;
  readonly #tlsPort: number;
  #gateway: ChildProcess | undefined;

  static async start(): Promise<Radosgw> {
    const [port, tlsPort] = [await freePort(), await freePort()];
    const more = (directory: string) => ({
      'osd.0': ['osd client watch timeout = 3'],
      'client.admin': gatewayOptions(directory, [port, tlsPort]),
    });
    const cluster = await CephCluster.start({ name: 'radosgw', more });
    const radosgw = new Radosgw(cluster, port, tlsPort);
    try {
      await radosgw.#prepare();
      await radosgw.begin();
      return radosgw;
    } catch (error) {
      const log = await cluster.log('client.rgw');
      await radosgw.remove();
      throw new Error(`radosgw did not come up:\n${log}`, { cause: error });
    }
  }

  private constructor(cluster: CephCluster, port: number, tlsPort: number) {
    this.#cluster = cluster;
    this.caFile = cluster.at('certificate.pem');
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
    const log = ['--log-file', this.#cluster.at('client.rgw.log')];
    this.#gateway = this.#cluster.spawn('radosgw', '-n', 'client.admin', ...log);
    await this.#cluster.until('radosgw answers', () =>
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
    await end(this.#gateway);
    await this.#cluster.remove();
  }

  async #prepare(): Promise<void> {
    const at = (name: string): string => this.#cluster.at(name);
    await mkdir(at('rgw'));
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const made = ['-newkey', 'rsa:2048', '-nodes', '-keyout', at('key.pem'), '-out', this.caFile];
    execFileSync('openssl', ['req', '-x509', ...made, '-days', '2', ...subject], { stdio: 'ignore' });
    // The gateway wants both in one.
    await writeFile(at('both.pem'), [await readFile(at('key.pem')), await readFile(this.caFile)].join('\n'));
    await this.#cluster.run(
      'radosgw-admin',
      ...['user', 'create', '--uid', 'pumice', '--display-name', 'Pumice'],
      ...['--access-key', ACCESS_KEY, '--secret-key', SECRET_KEY],
    );
  }

  async #askOfBucket(method: 'PUT' | 'DELETE', bucket: string): Promise<void> {
    const url = new URL(`http://127.0.0.1:${this.#port}/${bucket}`);
    const credentials = this.address(bucket);
    const headers = signed({ method, url, headers: {}, payload: NO_PAYLOAD }, credentials, Date.now());
    const { status } = await fetch(url, { method, headers });
    if (status >= 300) throw new Error(`${method} ${bucket}: ${status}`);
  }
}

async function end(program: ChildProcess | undefined): Promise<void> {
  if (program === undefined || program.exitCode !== null || program.signalCode !== null) return;
  const ended = once(program, 'exit');
  program.ref();
  program.kill('SIGKILL');
  await ended;
}

const gatewayOptions = (directory: string, [http, https]: readonly [number, number]): string[] => [
  `rgw data = ${directory}/rgw`,
  `rgw frontends = beast endpoint=127.0.0.1:${http} ssl_endpoint=127.0.0.1:${https} ssl_certificate=${directory}/both.pem`,
  'rgw enable usage log = false',
  'rgw override bucket index max shards = 1',
  `rgw bucket default quota max size = ${QUOTA_BYTES}`,
  'rgw bucket quota ttl = 0',
  'rgw dynamic resharding = false',
  `rgw max listing results = ${PAGE}`,
  'rgw cache enabled = false',
  'rgw thread pool size = 16',
];
