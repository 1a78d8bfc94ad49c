/**
 * What only real LVM shows, beside the proof of the driver (`lvm-driver.test.ts`): pages in memory, writers that wait, programs of LVM's that are
 * killed in their middle, a pool without any room, extents of the usual size, and volumes over iSCSI.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { after, before, describe, it, type TestContext } from 'node:test';
import { deviceMapperName } from '../../../src/drivers/lvm/lvm-names.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { CommandFailed, type Exec, exec } from '../../../src/lib/exec.ts';
import * as errors from '../../../src/model/errors.ts';
import { freePort } from '../../free-port.ts';
import { proveDriver } from '../../prove-driver.ts';
import { BLOCK_BYTES, block, GIB, holds, MIB, same } from '../content.ts';
import { calm, perform, type Request, theSnapshot, theVolume } from '../driver-world.ts';
import { noTgt } from '../exports/tgt-world.ts';
import { EXPORT_OPERATIONS, overwrittenSource, writtenSource } from '../operations.ts';
import { cannotLvm, givenDisk, type LvmGround, type LvmWorld, layGround, lvmWorld } from './lvm-world.ts';

/** Of each operation, LVM's programs killed at random. */
const ROUNDS = Number(process.env.LVM_KILLS ?? 6);
const LONGEST_MS = 900;

describe('real LVM', { skip: cannotLvm() ?? false }, () => {
  let ground: LvmGround;
  before(async () => {
    ground = await layGround(givenDisk() ?? '', '4m');
  });
  after(() => ground.remove());

  const enter = async (t: TestContext, run: Exec = exec): Promise<LvmWorld> => {
    const world = await lvmWorld(ground, run);
    t.after(() => world.cleanup());
    return world;
  };
  const volume = (sizeGiB = 1) => ({ id: uuid(), sizeGiB });

  it('puts into a snapshot what was written before it and nobody has synced', async (t) => {
    const world = await enter(t);
    const source = volume();
    const snapshot = { id: uuid(), volumeId: source.id, sizeGiB: 1 };
    await world.driver.createVolume(source, calm());
    const { path } = await world.driver.locateVolume(source, 'write', calm().signal);
    const file = await open(path, 'r+');
    await file.write(block('in memory', 0), 0, BLOCK_BYTES, 5 * MIB);
    await world.driver.createSnapshot(snapshot, calm());
    await file.close();
    same(await world.read(theSnapshot(snapshot), 5 * MIB, BLOCK_BYTES), block('in memory', 0));
  });

  it('lets a volume go on that was left suspended, at the next look', async (t) => {
    const world = await enter(t);
    const source = volume();
    await world.driver.createVolume(source, calm());
    await world.lvm('dmsetup', 'suspend', deviceMapperName(world.group.group, `volume-${source.id}`));
    await world.driver.list(calm().signal);
    await world.write(source, 0, block('goes on', 0));
    same(await world.read(theVolume(source), 0, BLOCK_BYTES), block('goes on', 0));
  });

  it('says that a pool has no room, makes nothing in it once a write has failed, and goes on when there is room again', async (t) => {
    const world = await enter(t);
    const { driver, fill } = world;
    const source = volume();
    await writtenSource({ world, source });
    const empty = await fill?.(0);
    const [{ free_capacity_gb: free } = {}] = await driver.stats(calm().signal);
    assert.equal(free, 0);
    const written = ['if=/dev/zero', `of=${world.group.path(`volume-${source.id}`)}`, 'bs=64k', 'count=1', 'seek=100'];
    // LVM refuses nothing before.
    await assert.rejects(world.lvm('dd', ...written, 'oflag=direct'), /No space left on device/);
    await assert.rejects(driver.createVolume(volume(), calm()), errors.BackendFull);
    const snapshot = { id: uuid(), volumeId: source.id, sizeGiB: 1 };
    await assert.rejects(driver.createSnapshot(snapshot, calm()), errors.BackendFull);
    await assert.rejects(driver.createClonedVolume(volume(), source, calm()), errors.BackendFull);
    assert.deepEqual(await world.leftovers(), []);
    await driver.extendVolume(source, 2, calm());
    await empty?.();
    await driver.createSnapshot({ ...snapshot, sizeGiB: 2 }, calm());
    await holds(world, theSnapshot(snapshot), 2 * GIB, 'source');
    await driver.createVolume(volume(), calm());
  });

  it('rounds what an operator made up to extents, keeps it so, and grows it to whole GiB', async (t) => {
    const world = await enter(t);
    const { driver } = world;
    const managed = volume();
    const ref = await world.foreign('an-odd-one', 512 * MIB + 512, block('foreign', 0));
    await driver.manageExisting(managed, ref, calm());
    assert.deepEqual(await driver.probe(theVolume(managed), calm().signal), { is: 'present', bytes: 516 * MIB });
    await driver.extendVolume(managed, 1, calm());
    await driver.extendVolume(managed, 1, calm());
    assert.deepEqual(await driver.probe(theVolume(managed), calm().signal), { is: 'present', bytes: GIB });
    same(await world.read(theVolume(managed), 0, BLOCK_BYTES), block('foreign', 0));
  });

  it(`is put right by the call that comes again when LVM's own programs were killed, ${ROUNDS} times each`, async (t) => {
    const killing = new KillingExec();
    const world = await enter(t, killing.exec);
    const { driver } = world;
    const source = volume();
    const first = { id: uuid(), volumeId: source.id, sizeGiB: 1 };
    await writtenSource({ world, source });
    await driver.createSnapshot(first, calm());
    for (let round = 0; round < ROUNDS; round += 1) {
      const [clone, blank] = [volume(2), volume()];
      const snapshot = { id: uuid(), volumeId: source.id, sizeGiB: 1 };
      const steps: readonly (readonly [Request, () => Promise<void>])[] = [
        [['createVolume', blank], async () => {}],
        [['createSnapshot', snapshot], () => holds(world, theSnapshot(snapshot), GIB, 'source')],
        [['createVolumeFromSnapshot', clone, snapshot], () => holds(world, theVolume(clone), 2 * GIB, 'source')],
        [['extendVolume', blank, 2], async () => {}],
        [['revertToSnapshot', source, first], () => holds(world, theVolume(source), GIB, 'source')],
        [['deleteSnapshot', snapshot], async () => {}],
        [['deleteVolume', clone], async () => {}],
        [['deleteVolume', { ...blank, sizeGiB: 2 }], async () => {}],
      ];
      for (const [request, check] of steps) {
        if (request[0] === 'revertToSnapshot') await overwrittenSource({ world, source });
        killing.kill = true;
        await perform(driver, request, calm()).catch(() => {});
        killing.kill = false;
        await perform(driver, request, calm());
        await check();
        assert.deepEqual(await world.leftovers(), [], request[0]);
        assert.doesNotMatch(
          await world.lvm('dmsetup', 'info', '--columns', '--noheadings', '-o', 'name,suspended'),
          /Suspended/,
        );
      }
    }
    t.diagnostic(`${killing.killed} programs were killed`);
    assert.ok(killing.killed > 0);
  });
});

/** Kills programs of LVM's after a random time. */
class KillingExec {
  kill = false;
  killed = 0;

  readonly exec: Exec = async (argv, options) => {
    if (!this.kill || !argv[0].startsWith('lv')) return exec(argv, options);
    const [program, ...args] = argv;
    const child = spawn(program, args, { stdio: 'ignore', env: { ...process.env, ...options.environment } });
    const timer = setTimeout(() => child.kill('SIGKILL'), Math.random() * LONGEST_MS);
    const [code] = await once(child, 'exit');
    clearTimeout(timer);
    if (code === null) this.killed += 1;
    if (code !== 0) throw new CommandFailed(argv, code, 'killed', false);
    return argv[0] === 'lvs' ? exec(argv, options) : '';
  };
}

let ground: Promise<LvmGround> | undefined;
proveDriver({
  name: 'thin volumes of LVM over iSCSI',
  skip: cannotLvm() ?? noTgt,
  copies: false,
  operations: EXPORT_OPERATIONS,
  exports: true,
  faults: [],
  open: () => {
    ground = layGround(givenDisk() ?? '', '4m');
  },
  close: () => ground?.then((laid) => laid.remove()),
  world: async (run) => lvmWorld(await (ground as Promise<LvmGround>), run, `127.0.0.1:${await freePort()}`),
});
