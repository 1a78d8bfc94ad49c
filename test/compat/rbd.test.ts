/** A service whose only backend is a Ceph pool, asked over HTTP: what a volume goes through, and what becomes of it when the process is killed. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { DirectoryImages } from '../../src/clients/image-directory.ts';
import { type CephCluster, noRbd, sharedCeph } from '../ceph-cluster.ts';
import { PoolBytes } from '../drivers/rbd/pool-bytes.ts';
import { makePool } from '../drivers/rbd/rbd-world.ts';
import { freePort } from '../free-port.ts';

const GIB = 1024 ** 3;
const DEADLINE_MS = 90_000;
const MAIN = join(import.meta.dirname, '../../src/main.ts');

// biome-ignore lint/suspicious/noExplicitAny: tests read answers of every shape
type Answer = any;

describe('a service on Ceph', { skip: noRbd }, () => {
  it('makes, shares, attaches, backs up and restores volumes, and leaves nothing of them in the pool', async (t) => {
    const site = await RbdSite.open(t);
    await site.begin();
    const image = await site.image('written in the image');
    const first = await site.make({ size: 1, imageRef: image });
    const snapshot = await site.api('POST', '/snapshots', { snapshot: { volume_id: first } });
    await site.rests('snapshot', snapshot.snapshot.id);
    const [larger, clone] = [
      await site.make({ size: 2, snapshot_id: snapshot.snapshot.id }),
      await site.make({ size: 1, source_volid: first }),
    ];
    for (const id of [first, larger, clone]) assert.equal(await site.begins(id, 20), 'written in the image');
    await site.api('POST', `/volumes/${clone}/action`, { 'os-extend': { new_size: 3 } });
    await site.rests('volume', clone);
    const connector = { host: 'compute', ip: '127.0.0.1', initiator: 'iqn.2004-10.test:i' };
    const { attachment } = await site.api('POST', '/attachments', { attachment: { volume_uuid: clone, connector } });
    assert.partialDeepStrictEqual(attachment.connection_info, {
      driver_volume_type: 'rbd',
      name: `${site.pool}/volume-${clone}`,
      auth_username: 'cinder',
      secret_uuid: site.ceph.fsid,
      volume_id: clone,
    });
    assert.doesNotMatch(JSON.stringify(attachment), /keyring|password/);
    await site.api('DELETE', `/attachments/${attachment.id}`);
    await site.rests('volume', clone);
    const backups: string[] = [];
    for (const incremental of [false, true]) {
      await site.write(clone, 1 << 20, incremental ? 'second' : 'first!');
      const { backup } = await site.api('POST', '/backups', { backup: { volume_id: clone, incremental } });
      await site.rests('backup', backup.id);
      backups.push(backup.id);
    }
    const { restore } = await site.api('POST', `/backups/${backups[1]}/restore`, { restore: {} });
    await site.rests('backup', backups[1] as string);
    await site.rests('volume', restore.volume_id);
    assert.equal(await site.begins(restore.volume_id, 6, 1 << 20), 'second');
    assert.equal(await site.begins(restore.volume_id, 20), 'written in the image');
    await site.write(first, 0, 'overwritten since    ');
    await site.api('POST', `/volumes/${first}/action`, { revert: { snapshot_id: snapshot.snapshot.id } });
    await site.rests('volume', first);
    assert.equal(await site.begins(first, 20), 'written in the image');
    assert.match(await site.doctor(), /All is well/);
    for (const id of backups.toReversed()) {
      await site.api('DELETE', `/backups/${id}`);
      await site.gone(`/backups/${id}`);
    }
    for (const id of [larger, clone, restore.volume_id]) await site.api('DELETE', `/volumes/${id}`);
    await site.api('DELETE', `/snapshots/${snapshot.snapshot.id}`);
    await site.gone(`/snapshots/${snapshot.snapshot.id}`);
    await site.api('DELETE', `/volumes/${first}`);
    for (const id of [first, larger, clone, restore.volume_id]) await site.gone(`/volumes/${id}`);
    await site.until('the pool is empty', async () => (await site.named()).length === 0);
    await site.end();
    await site.until(
      'no helper is left in the pool',
      async () => (await site.bytes.ask<string[]>(site.pool, 'helpers')).length === 0,
    );
  });

  it('finishes or undoes what a killed process had in hand, each time, and the doctor finds nothing', async (t) => {
    const site = await RbdSite.open(t);
    await site.begin();
    const image = await site.image('written in the image');
    const source = await site.make({ size: 1, imageRef: image });
    const asked: string[] = [];
    for (const round of [1, 2, 3]) {
      const wanted = [{ imageRef: image }, { source_volid: source }, {}, { imageRef: image }];
      const answers = await Promise.all(
        wanted.map((more) => site.api('POST', '/volumes', { volume: { size: round, ...more } })),
      );
      asked.push(...answers.map(({ volume }) => volume.id));
      await pause(150 * round);
      await site.kill();
      await site.begin();
    }
    for (const id of asked) await site.rests('volume', id);
    for (const id of asked.filter((_, index) => index % 4 !== 2))
      assert.equal(await site.begins(id, 20), 'written in the image');
    assert.match(await site.doctor(), /All is well/);
    assert.deepEqual(await site.bytes.ask(site.pool, 'leftovers'), []);
    for (const id of [...asked, source]) await site.api('DELETE', `/volumes/${id}`);
    await pause(100);
    await site.kill();
    await site.begin();
    for (const id of [...asked, source]) await site.gone(`/volumes/${id}`);
    await site.until('the pool is empty', async () => (await site.named()).length === 0);
  });
});

/** A directory, a pool, and a process that serves it. */
class RbdSite {
  readonly ceph: CephCluster;
  readonly pool: string;
  readonly bytes: PoolBytes;
  readonly #directory: string;
  readonly #port: number;
  #process: ChildProcess | undefined;

  static async open(t: TestContext): Promise<RbdSite> {
    const ceph = await sharedCeph();
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

  /** An id of a raw image of 1 GiB that begins with the text. */
  async image(text: string): Promise<string> {
    const raw = join(this.#directory, 'image.raw');
    await writeFile(raw, text);
    await truncate(raw, GIB);
    const store = new DirectoryImages({ directory: join(this.#directory, 'images') });
    return (await store.add({ name: 'image', diskFormat: 'raw' }, raw, new AbortController().signal)).id;
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
