/** What a pool is to the RBD driver beside its operations: clients that have images open, others that serve it, a full one, and what Cinder left. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { ExportRef, VolumeRef } from '../../../src/drivers/driver.ts';
import { HostCopies } from '../../../src/drivers/host-copies.ts';
import { RbdClient } from '../../../src/drivers/rbd/rbd-client.ts';
import { RbdDriver } from '../../../src/drivers/rbd/rbd-driver.ts';
import { pause, uuid } from '../../../src/lib/clock.ts';
import { exec } from '../../../src/lib/exec.ts';
import {
  BackendFull,
  DriverFailed,
  DriverNotInitialized,
  ImageTooBig,
  VolumeIsBusy,
} from '../../../src/model/errors.ts';
import type { Specs } from '../../../src/model/specs.ts';
import { noRbd, sharedCeph } from '../../ceph-cluster.ts';
import { block, GIB, MIB, same } from '../content.ts';
import { calm, theVolume } from '../driver-world.ts';
import { unharmed } from '../faulty-exec.ts';
import { type Images, makeImages } from '../images/images.ts';
import { Helpers } from './helpers-begun.ts';
import { makePool, Pools, rbdWorld, WORLD } from './rbd-world.ts';

const { signal } = calm();
const DEADLINE_MS = 60_000;
const SLOW = ['ms_inject_delay_type=osd', 'ms_inject_delay_max=0.1', 'ms_inject_delay_probability=1'];

describe('a pool of a Ceph cluster', { skip: noRbd }, () => {
  const pools = new Pools();
  let images: Images;
  before(async () => {
    images = await makeImages();
  });
  after(async () => {
    await pools.end();
    await images.remove();
  });

  async function enter(t: TestContext) {
    const world = await rbdWorld(pools, exec, unharmed);
    t.after(() => world.cleanup());
    const bytes = await pools.bytes();
    const ceph = await sharedCeph();
    return {
      ...world,
      ceph,
      config: ceph.config,
      ask: <Result>(op: string, ...args: readonly unknown[]) => bytes.ask<Result>(world.pool, op, ...args),
    };
  }

  /** Another process that serves the pool. */
  async function another(t: TestContext, pool: string, options: readonly string[] = []) {
    const helpers = new Helpers();
    const ceph = await sharedCeph();
    const address = { conf: ceph.config, user: 'cinder', cluster: 'ceph', pool, options };
    const client = new RbdClient({ exec: helpers.exec, address, patienceMs: 60_000 });
    const directory = await mkdtemp(join(tmpdir(), 'pumice-rbd-'));
    const who = uuid();
    const driver = new RbdDriver({ name: 'ceph', address, rbd: client, exec, directory, who });
    t.after(async () => {
      driver.release();
      await driver.closed();
      await rm(directory, { recursive: true, force: true });
    });
    await driver.start(signal);
    await driver.hold(signal);
    return { driver, helpers, who };
  }

  describe('whose images clients have open', () => {
    it('cuts off the client of an attachment that ends, and no other disk of its machine', async (t) => {
      const { driver, pool, config } = await enter(t);
      const [one, other] = [volume(), volume()];
      const clients: Client[] = [];
      for (const each of [one, other]) {
        await driver.createVolume(each, calm());
        await driver.ensureExport(exportOf(each), calm());
        const client = new Client(config, pool, `volume-${each.id}`);
        t.after(() => client.end());
        await client.write();
        clients.push(client);
      }
      await assert.rejects(driver.deleteVolume(one, calm()), VolumeIsBusy);
      await driver.removeExport(closed(one), calm());
      await assert.rejects(clients[0]?.write() as Promise<void>, /transport endpoint shutdown/);
      await clients[1]?.write();
      assert.deepEqual(await driver.listExports(signal), [{ attachmentId: exportOf(other).attachmentId }]);
      await driver.deleteVolume(one, calm());
      await clients[1]?.end();
      await driver.removeExport(closed(other), calm());
    });

    it('waits for a client that closes the image by itself, and fences nobody', async (t) => {
      const { driver, pool, config, ceph } = await enter(t);
      const one = volume();
      await driver.createVolume(one, calm());
      await driver.ensureExport(exportOf(one), calm());
      const client = new Client(config, pool, `volume-${one.id}`);
      await client.write();
      const before = await ceph.run('ceph', 'osd', 'blocklist', 'ls');
      const removed = driver.removeExport(closed(one), calm());
      await client.end();
      await removed;
      assert.equal(await ceph.run('ceph', 'osd', 'blocklist', 'ls'), before);
    });

    it('says who has it open where nobody can tell whose client that is, and cuts nobody off', async (t) => {
      const { driver, pool, config } = await enter(t);
      const one = volume();
      await driver.createVolume(one, calm());
      const elsewhere = { ...exportOf(one), connector: { host: 'compute-1', ip: '192.0.2.7' } };
      await driver.ensureExport(elsewhere, calm());
      const client = new Client(config, pool, `volume-${one.id}`);
      t.after(() => client.end());
      await client.write();
      const unsure = { ...closed(one), connector: elsewhere.connector };
      await assert.rejects(driver.removeExport(unsure, calm()), /open at 127\.0\.0\.1.*compute-1 \(192\.0\.2\.7\)/);
      await client.write();
      await client.end();
      await driver.removeExport(unsure, calm());
      assert.deepEqual(await driver.listExports(signal), []);
    });

    it('keeps clients to what the QoS specs of its type say, and leaves what was set by hand', async (t) => {
      const { driver, pool, config, ceph } = await enter(t);
      const one = volume();
      await driver.createVolume(one, calm());
      const client = new Client(config, pool, `volume-${one.id}`);
      t.after(() => client.end());
      await client.write();
      const image = ({ id }: VolumeRef): string => `${pool}/volume-${id}`;
      await ceph.run('rbd', 'config', 'image', 'set', image(one), 'rbd_qos_bps_burst', '4194304');
      const limited = async (limits?: Specs, of = one): Promise<Readonly<Record<string, string>>> => {
        await driver.ensureExport({ ...exportOf(of), ...(limits && { limits: async () => limits }) }, calm());
        const options = JSON.parse(await ceph.run('rbd', 'config', 'image', 'list', image(of), '--format', 'json'));
        const set = options.filter(({ source }: { source: string }) => source === 'image');
        return Object.fromEntries(set.map(({ name, value }: Record<'name' | 'value', string>) => [name, value]));
      };
      const byHand = { rbd_qos_bps_burst: '4194304' };
      assert.deepEqual(await limited(), byHand);
      const operations = { ...byHand, rbd_qos_iops_limit: '500', rbd_qos_iops_burst: '1000' };
      const specs = { total_iops_sec: '500', total_iops_sec_max: '1000.9', read_bytes_sec: 'many', another: '7' };
      assert.deepEqual(await limited(specs), operations);
      assert.deepEqual(await limited(specs), operations);
      assert.deepEqual(await limited(), operations, 'as it was');
      const bytes = { ...byHand, rbd_qos_write_bps_limit: '1048576' };
      assert.deepEqual(await limited({ write_bytes_sec: '1048576' }), bytes);
      await client.write();
      const clone = volume();
      await driver.createClonedVolume(clone, one, calm());
      assert.deepEqual(await limited({}), byHand);
      assert.deepEqual(await limited({}, clone), byHand, 'Ceph gives a clone the limits of its parent');
    });

    it('grows under a client, which sees it, and keeps all features for a second one', async (t) => {
      const { driver, pool, config } = await enter(t);
      const one = volume();
      await driver.createVolume(one, calm());
      for (const each of [1, 2])
        await driver.ensureExport({ ...exportOf(one), attachmentId: uuid(), readOnly: each === 2 }, calm());
      const clients = [new Client(config, pool, `volume-${one.id}`), new Client(config, pool, `volume-${one.id}`)];
      t.after(() => Promise.all(clients.map((client) => client.end())));
      for (const client of clients) await client.write();
      await driver.extendVolume(one, 2, calm());
      await driver.createSnapshot({ id: uuid(), volumeId: one.id, sizeGiB: 2 }, calm());
      for (const client of clients) await client.write();
    });
  });

  describe('that others serve, too', () => {
    it('is swept of removals that were cut short, which no list shows', async (t) => {
      const { driver, ask } = await enter(t);
      const names = [`.tmp-volume-${uuid()}.${uuid()}`, `backup-${uuid()}`, `volume-${uuid()}`];
      for (const name of names) {
        await ask('create', name, GIB);
        await ask('half_remove', name);
      }
      assert.notDeepEqual(await ask('leftovers'), []);
      const [, , busy = ''] = names;
      const swept = await driver.sweep(new Set([busy.slice('volume-'.length)]), signal);
      assert.deepEqual(new Set(swept), new Set(names.slice(0, 2)));
      // Who is at it goes on.
      await driver.deleteVolume({ id: busy.slice('volume-'.length), sizeGiB: 1 } as VolumeRef, calm());
      assert.deepEqual(await ask('leftovers'), []);
    });

    it('cuts off a program of theirs that still reads what a backup was made from, when that goes', async (t) => {
      const { driver, pool, config } = await enter(t);
      const one = volume();
      await driver.createVolume(one, calm());
      const backup = uuid();
      await driver.keepForBackup(backup, { volume: one }, calm());
      const left = new Client(config, pool, `backup-${backup}`);
      t.after(() => left.end());
      await left.write();
      await driver.dropForBackup(backup, one, calm());
      await assert.rejects(left.write(), /transport endpoint shutdown/);
      await driver.deleteVolume(one, calm());
    });

    it('is told who does, and that a process which has let go needs no fence', async (t) => {
      const { pool } = await enter(t);
      const [first, second] = [await another(t, pool), await another(t, pool)];
      const others = async () => (await first.driver.processes(signal)).filter((who) => who !== WORLD);
      assert.deepEqual(new Set(await others()), new Set([first.who, second.who]));
      second.driver.release();
      await second.driver.closed();
      assert.deepEqual(await others(), [first.who]);
    });

    it('gets nothing more from a process that was frozen in a call, was fenced, and is thawed', async (t) => {
      const { pool } = await enter(t);
      const [slow, taker] = [await another(t, pool, SLOW), await another(t, pool)];
      const [source, target] = [volume(), { id: uuid(), sizeGiB: 2 }];
      await taker.driver.createVolume(source, calm());
      const stale = slow.driver.createClonedVolume(target, source, calm());
      stale.catch(() => {});
      await pause(300, signal);
      slow.helpers.freeze();
      const begun = performance.now();
      await taker.driver.fence(slow.who, signal);
      await taker.driver.createClonedVolume(target, source, calm());
      const tookMs = performance.now() - begun;
      t.diagnostic(`fenced and asked again in ${Math.round(tookMs)} ms`);
      assert.ok(tookMs < 10_000);
      slow.helpers.thaw();
      await assert.rejects(stale, DriverNotInitialized);
      await assert.rejects(slow.driver.createVolume(volume(), calm()), DriverNotInitialized);
      assert.deepEqual(await taker.driver.probe(theVolume(target), signal), { is: 'present', bytes: 2 * GIB });
      await taker.driver.sweep(new Set(), signal);
    });
  });

  describe('that is full', () => {
    it('is told before a byte is written, and in the middle of a copy, and still deletes', async (t) => {
      const { driver, pool, ceph, ask } = await enter(t);
      const quota = (bytes: number) => ceph.run('ceph', 'osd', 'pool', 'set-quota', pool, 'max_bytes', String(bytes));
      t.after(() => quota(0));
      const [one, two] = [volume(), volume()];
      for (const each of [one, two]) await driver.createVolume(each, calm());
      await quota(8 * MIB);
      await assert.rejects(driver.copyImageToVolume(one, images.dense, calm()), BackendFull);
      assert.deepEqual(await ask('leftovers'), []);
      await quota(40 * MIB);
      const address = { conf: ceph.config, user: 'cinder', cluster: 'ceph', pool };
      const directory = await mkdtemp(join(tmpdir(), 'pumice-rbd-'));
      const client = new RbdClient({ exec, address });
      // So slow that somebody else takes the room meanwhile.
      const copies = new HostCopies({ atOnce: 1, bytesPerSecond: MIB });
      const slow = new RbdDriver({ name: 'ceph', address, rbd: client, exec, directory, who: uuid(), copies });
      t.after(async () => {
        slow.release();
        await slow.closed();
        await rm(directory, { recursive: true, force: true });
      });
      await slow.start(signal);
      const copied = slow.copyImageToVolume(one, images.dense, calm());
      await Promise.all([assert.rejects(copied, BackendFull), pause(1_000, signal).then(() => quota(4 * MIB))]);
      await ask('write', `volume-${two.id}`, 0, Buffer.alloc(8 * MIB, 'x').toString('base64'));
      await ceph.until('the pool is full', async () =>
        (await ceph.run('ceph', 'health', 'detail')).includes('POOL_FULL'),
      );
      await assert.rejects(driver.createVolume(volume(), calm()), BackendFull);
      for (const each of [one, two]) {
        await driver.deleteVolume(each, calm());
        assert.deepEqual(await driver.probe(theVolume(each), signal), { is: 'absent' });
      }
      assert.deepEqual(await ask('leftovers'), []);
    });
  });

  describe('that has images of Glance', () => {
    it('shares them with volumes, copies nothing, and says when they do not fit or cannot be had so', async (t) => {
      const { driver, pool, ceph, read } = await enter(t);
      const others = await enter(t);
      await others.ask('create', 'image-1', GIB);
      await others.ask('write', 'image-1', 0, block('image', 0).toString('base64'));
      await others.ask('snapshot', 'image-1', 'snap');
      const location = `rbd://${ceph.fsid}/${others.pool}/image-1/snap`;
      const target = { id: uuid(), sizeGiB: 2 };
      const image = { path: null, format: 'raw' as const, locations: ['file:///elsewhere', location] };
      for (const refused of [
        { ...image, format: 'qcow2' as const },
        { ...image, locations: [location.replace(ceph.fsid, uuid())] },
        { ...image, locations: [location.replace('image-1', 'image-2')] },
        { ...image, locations: ['http://192.0.2.1/image'] },
      ])
        assert.deepEqual(await driver.cloneImage(target, refused, calm()), { cloned: false, model: {} });
      assert.deepEqual(await driver.probe(theVolume(target), signal), { is: 'absent' });
      await assert.rejects(driver.cloneImage({ ...target, sizeGiB: 0 }, image, calm()), ImageTooBig);
      for (const _ of [1, 2]) assert.equal((await driver.cloneImage(target, image, calm())).cloned, true);
      same(await read(theVolume(target), 0, 4096), block('image', 0).subarray(0, 4096));
      const { parent } = (await new Pooled(pool).look(target)) as { parent: { pool: string } };
      assert.equal(parent.pool, others.pool);
      await driver.deleteVolume(target, calm());
    });
  });

  it('has nothing more in it when it was only looked at', async (t) => {
    const ceph = await sharedCeph();
    const pool = await makePool(ceph);
    const address = { conf: ceph.config, user: 'cinder', cluster: 'ceph', pool };
    const directory = await mkdtemp(join(tmpdir(), 'pumice-rbd-'));
    const rbd = new RbdClient({ exec, address });
    const driver = new RbdDriver({ name: 'ceph', address, rbd, exec, directory, who: uuid() });
    t.after(async () => {
      driver.release();
      await driver.closed();
      await rm(directory, { recursive: true, force: true });
    });
    await driver.start(signal);
    await driver.list(signal);
    assert.equal(await ceph.run('rados', '--pool', pool, 'ls', '--all'), '');
  });

  describe('that was used before', () => {
    it('lists what is half made with the reason, and is listed all the same', async (t) => {
      const { driver, ask } = await enter(t);
      await ask('create', 'whole', GIB);
      await ask('create', 'half', GIB);
      await ask('unheaded', 'half');
      const found = await driver.listManageable('volume', new Set(), signal);
      assert.deepEqual(
        found.map(({ reference, safe, reason }) => [reference['source-name'], safe, reason]),
        [
          ['half', false, 'it is half made: a create or a removal of it was cut short'],
          ['whole', true, null],
        ],
      );
      assert.deepEqual((await driver.list(signal)).map(({ name }) => name).toSorted(), ['half', 'whole']);
    });

    it('makes a volume whose creation was cut short, and finishes its removal', async (t) => {
      const { driver, ask } = await enter(t);
      const one = volume();
      for (const work of [() => driver.createVolume(one, calm()), () => driver.deleteVolume(one, calm())]) {
        await driver.createVolume(one, calm());
        await ask('unheaded', `volume-${one.id}`);
        await work();
      }
      assert.deepEqual(await driver.probe(theVolume(one), signal), { is: 'absent' });
      assert.deepEqual(await ask('leftovers'), []);
    });

    it('knows what Cinder has deleted and keeps for its clones, and deletes snapshots that Cinder protected', async (t) => {
      const { driver, ask } = await enter(t);
      const one = volume();
      const snapshot = { id: uuid(), volumeId: one.id, sizeGiB: 1 };
      await ask('create', `volume-${uuid()}.deleted`, GIB);
      await ask('create', `volume-${one.id}`, GIB);
      await ask('snapshot', `volume-${one.id}`, `snapshot-${snapshot.id}`);
      await ask('protect', `volume-${one.id}`, `snapshot-${snapshot.id}`);
      const [deleted] = (await driver.listManageable('volume', new Set(), signal)).filter(({ reference }) =>
        reference['source-name']?.endsWith('.deleted'),
      );
      assert.equal(deleted?.reason, 'Cinder has deleted it, and keeps it for its clones');
      const clone = { id: uuid(), sizeGiB: 1 };
      await driver.createVolumeFromSnapshot(clone, snapshot, calm());
      await driver.deleteSnapshot(snapshot, calm());
      await driver.deleteVolume(one, calm());
      await driver.deleteVolume(clone, calm());
      assert.deepEqual(await driver.probe(theVolume(one), signal), { is: 'absent' });
    });

    it('gives back the room of what was deleted with clones when the last of them is gone', async (t) => {
      const { driver, ask } = await enter(t);
      const [one, clone] = [volume(), volume()];
      await driver.createVolume(one, calm());
      await driver.createClonedVolume(clone, one, calm());
      await driver.deleteVolume(one, calm());
      await driver.hold(signal);
      await driver.stats(signal);
      assert.deepEqual(await ask('trashed'), [`volume-${one.id}`]);
      await driver.deleteVolume(clone, calm());
      await eventually(async () => {
        await driver.stats(signal);
        assert.deepEqual(await ask('trashed'), []);
      });
    });

    it('flattens a clone of too many clones in the background, and lets go of it when it is to be deleted', async (t) => {
      const { pool, ask } = await enter(t);
      const [{ driver }, other] = [await another(t, pool, SLOW), await another(t, pool)];
      const chain = Array.from({ length: 8 }, volume);
      const [first, ...clones] = chain as [VolumeRef, ...VolumeRef[]];
      await driver.createVolume(first, calm());
      await ask('write', `volume-${first.id}`, 0, block('first', 0).toString('base64'));
      let source = first;
      for (const clone of clones) {
        await other.driver.createClonedVolume(clone, source, calm());
        source = clone;
      }
      const parentOf = async ({ id }: VolumeRef) => (await ask<string | null>('parent', `volume-${id}`)) !== null;
      assert.ok(await parentOf(source));
      await eventually(async () => {
        await other.driver.stats(signal);
        assert.equal(await parentOf(source), false);
      });
      assert.ok(await parentOf(clones[3] as VolumeRef), 'five are not too many');
      const last = volume();
      await other.driver.createClonedVolume(last, clones[5] as VolumeRef, calm());
      // The slow one has it in its hands, and nobody waits for its end.
      await ask('fill', `volume-${clones[5]?.id}`);
      await driver.stats(signal);
      await pause(200, signal);
      await other.driver.deleteVolume(last, calm());
      assert.deepEqual(await other.driver.probe(theVolume(last), signal), { is: 'absent' });
    });

    it('is refused where clones would need protected snapshots', async (t) => {
      const { pool } = await enter(t);
      const ceph = await sharedCeph();
      const address = { conf: ceph.config, user: 'cinder', cluster: 'ceph', pool };
      const client = new RbdClient({ exec, address });
      const old = {
        isSilent: false,
        start: (until: AbortSignal) => client.start(until),
        enter: async () => {},
        stop: () => client.stop(),
        ask: async () => ({ minCompatClient: 'luminous' }),
      };
      const driver = new RbdDriver({ name: 'ceph', address, rbd: old, exec, directory: '/nowhere', who: uuid() });
      t.after(() => client.stop());
      await assert.rejects(driver.start(signal), /set-require-min-compat-client mimic/);
    });
  });

  /** What the helper says of a volume. */
  class Pooled {
    readonly #pool: string;
    constructor(pool: string) {
      this.#pool = pool;
    }
    async look({ id }: VolumeRef): Promise<unknown> {
      const ceph = await sharedCeph();
      const client = new RbdClient({
        exec,
        address: { conf: ceph.config, user: 'cinder', cluster: 'ceph', pool: this.#pool },
      });
      await client.start(signal);
      return client.ask({ op: 'look', args: { name: `volume-${id}` } }, { signal }).finally(() => client.stop());
    }
  }
});

const volume = (): VolumeRef => ({ id: uuid(), sizeGiB: 1 });

const exportOf = (of: VolumeRef): ExportRef => ({
  attachmentId: of.id,
  volume: of,
  connector: { host: 'compute-0', ip: '127.0.0.1' },
  readOnly: false,
  secret: 'unused',
});

const closed = (of: VolumeRef) => ({ attachmentId: of.id, volume: of, connector: exportOf(of).connector });

/** A machine that has an image open, and writes to it now and then. */
class Client {
  readonly #child: ChildProcess;
  #said = '';

  constructor(config: string, pool: string, image: string) {
    const options = `driver=rbd,pool=${pool},image=${image},user=cinder,conf=${config}`;
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', 'qemu-io', '--image-opts', options], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#said += text;
      });
  }

  /** Rejects with what it was told. */
  async write(): Promise<void> {
    this.#said = '';
    this.#child.stdin?.write('write -P 0x55 0 64k\nflush\nread 0 512\n');
    for (const until = performance.now() + DEADLINE_MS; performance.now() < until; await pause(20, signal)) {
      if (/fail|rror/.test(this.#said)) throw new DriverFailed(this.#said);
      if (/wrote 65536/.test(this.#said)) return;
    }
    throw new Error(`It says nothing: ${this.#said}`);
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.end('quit\n');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    await ended;
    clearTimeout(late);
  }
}

async function eventually(work: () => Promise<void>): Promise<void> {
  for (const until = performance.now() + DEADLINE_MS; ; await pause(50, signal)) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > until) throw error;
    }
  }
}
