/**
 * Group snapshots of images that clients of the cluster write to meanwhile, in order, are of one moment or are not made.
 *
 * `GROUP_SNAPSHOTS=1000` takes so many of them, and prints how long writes had to wait.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import type { SnapshotRef, VolumeDriver } from '../../../src/drivers/driver.ts';
import { RbdClient } from '../../../src/drivers/rbd/rbd-client.ts';
import { pause, uuid } from '../../../src/lib/clock.ts';
import { exec } from '../../../src/lib/exec.ts';
import { ConsistentSnapshotRefused } from '../../../src/model/errors.ts';
import { noRbd, sharedCeph } from '../../ceph-cluster.ts';
import { GIB } from '../content.ts';
import { calm, theSnapshot } from '../driver-world.ts';
import { disorder, type Newest, OrderedWriter } from '../exports/ordered-writer.ts';
import { unharmed } from '../faulty-exec.ts';
import { Helpers } from './helpers-begun.ts';
import { ImageClient } from './image-client.ts';
import { driverOn, Pools, rbdWorld } from './rbd-world.ts';

const TIMES = Number(process.env.GROUP_SNAPSHOTS ?? 5);
/** Of three that are taken one after another hardly any are of one moment. */
const MOST_TIMES = 20;
const KILLS = Math.ceil(TIMES / 2);
const VOLUMES = 3;

const { signal } = calm();

describe('group snapshots of images that are written', { skip: noRbd }, () => {
  const pools = new Pools();
  after(() => pools.end());

  /** Volumes that are all open to one machine, which writes to them in order. */
  async function written(t: TestContext) {
    const world = await rbdWorld(pools, exec, unharmed);
    const directory = await mkdtemp(join(tmpdir(), 'pumice-moment-'));
    const { config } = await sharedCeph();
    const bytes = await pools.bytes();
    const volumes = Array.from({ length: VOLUMES }, () => ({ id: uuid(), sizeGiB: 1 }));
    for (const volume of volumes) await world.driver.createVolume(volume, calm());
    const writer = new OrderedWriter(volumes.map(({ id }) => new ImageClient(config, world.pool, `volume-${id}`, GIB)));
    t.after(async () => {
      await writer.stop();
      await rm(directory, { recursive: true, force: true });
      await world.cleanup();
    });
    await writer.goesOn();

    const asked = () => volumes.map(({ id }) => ({ id: uuid(), volumeId: id, sizeGiB: 1 }));
    const disorderOf = async (snapshots: readonly SnapshotRef[], answered: Newest) => {
      const paths = snapshots.map(({ id }) => join(directory, id));
      for (const [at, { id, volumeId }] of snapshots.entries())
        await bytes.ask(world.pool, 'exported', `volume-${volumeId}`, paths[at], `snapshot-${id}`);
      const wrong = await disorder(paths, answered);
      for (const path of paths) await rm(path);
      return wrong;
    };
    const dropped = async (snapshots: readonly SnapshotRef[]) => {
      for (const snapshot of snapshots) await world.driver.deleteSnapshot(snapshot, calm());
    };
    /** What is wrong with those that are taken now. */
    const disorderNow = async (driver: VolumeDriver = world.driver): Promise<string | null> => {
      const snapshots = asked();
      const { answered } = writer;
      await driver.createGroupSnapshot(snapshots, calm());
      const wrong = await disorderOf(snapshots, answered);
      await dropped(snapshots);
      return wrong;
    };
    return { ...world, volumes, writer, asked, disorderOf, disorderNow, dropped };
  }

  it(`are never out of order, in ${TIMES} of them, and no write fails`, {
    timeout: 120_000 + TIMES * 5_000,
  }, async (t) => {
    const { writer, disorderNow, leftovers } = await written(t);
    const waits: number[] = [];
    for (let times = 0; times < TIMES; times += 1) {
      writer.longestMs = 0;
      assert.equal(await disorderNow(), null);
      await writer.goesOn();
      waits.push(writer.longestMs);
    }
    assert.equal(writer.failed, 0);
    assert.deepEqual(await leftovers(), []);
    waits.sort((a, b) => a - b);
    const [half, most] = [0.5, 0.99].map((part) => waits[Math.floor(waits.length * part)]?.toFixed(0));
    t.diagnostic(`the longest write beside each: ${half} ms p50, ${most} ms p99, ${waits.at(-1)?.toFixed(0)} ms`);
  });

  it('are out of order soon when they are taken one by one, so that the writer would tell', async (t) => {
    const { driver, writer, asked, disorderOf, dropped } = await written(t);
    for (let times = 0; times < MOST_TIMES; times += 1) {
      const snapshots = asked();
      const { answered } = writer;
      // What comes first is snapshotted first.
      for (const snapshot of snapshots) await driver.createSnapshot(snapshot, calm());
      if ((await disorderOf(snapshots, answered)) !== null) return;
      await dropped(snapshots);
    }
    assert.fail('never out of order');
  });

  it('are refused of an image that has no lock, by its name, and none is made', async (t) => {
    const { driver, pool, volumes, writer, asked, leftovers } = await written(t);
    const ceph = await sharedCeph();
    const image = `volume-${volumes[1]?.id}`;
    for (const feature of ['object-map', 'exclusive-lock'])
      await ceph.run('rbd', 'feature', 'disable', `${pool}/${image}`, feature);
    const snapshots = asked();
    await assert.rejects(driver.createGroupSnapshot(snapshots, calm()), (error: Error) => {
      assert.ok(error instanceof ConsistentSnapshotRefused);
      assert.match(error.message, new RegExp(`${image} has no exclusive lock`));
      return true;
    });
    for (const each of snapshots) assert.deepEqual(await driver.probe(theSnapshot(each), signal), { is: 'absent' });
    assert.deepEqual(await leftovers(), []);
    await writer.goesOn();
    assert.equal(writer.failed, 0);
  });

  it('are of one moment or not there when the helper is killed meanwhile, and no write fails', {
    timeout: 120_000 + KILLS * 20_000,
  }, async (t) => {
    const { pool, driver, writer, asked, disorderOf, dropped, leftovers } = await written(t);
    const { config } = await sharedCeph();
    const address = { conf: config, user: 'cinder', cluster: 'ceph', pool };
    for (let kill = 0; kill < KILLS; kill += 1) {
      const helpers = new Helpers();
      const client = new RbdClient({ exec: helpers.exec, address, patienceMs: 60_000 });
      const victim = driverOn(address, client, '/nowhere', exec, uuid());
      await victim.start(signal);
      await victim.hold(signal);
      const snapshots = asked();
      const { answered } = writer;
      const taken = victim.createGroupSnapshot(snapshots, calm());
      await pause((kill * 200) / KILLS, signal);
      helpers.kill();
      // Another helper fences the first, and is asked again.
      await taken;
      assert.equal(await disorderOf(snapshots, answered), null);
      await dropped(snapshots);
      await writer.goesOn();
      victim.release();
      await victim.closed();
      for (const each of snapshots) assert.deepEqual(await driver.probe(theSnapshot(each), signal), { is: 'absent' });
    }
    assert.equal(writer.failed, 0);
    await driver.sweep(new Set(), signal);
    assert.deepEqual(await leftovers(), []);
  });
});
