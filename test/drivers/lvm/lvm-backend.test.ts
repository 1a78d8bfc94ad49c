/** What the LVM driver promises beside the contract of all drivers, on the model of LVM, and on what LVM was seen to print. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readlink, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { LocalExports } from '../../../src/drivers/exports/local-exports.ts';
import { LvmDriver } from '../../../src/drivers/lvm/lvm-driver.ts';
import { DEVICES, VolumeGroup } from '../../../src/drivers/lvm/volume-group.ts';
import { uuid } from '../../../src/lib/clock.ts';
import type { Exec } from '../../../src/lib/exec.ts';
import * as errors from '../../../src/model/errors.ts';
import { block, GIB, holds, MIB } from '../content.ts';
import { calm, perform, theSnapshot, theVolume } from '../driver-world.ts';
import { type Images, makeImages } from '../images/images.ts';
import { OPERATIONS, overwrittenSource, type Scene, together, writtenSource } from '../operations.ts';
import { FalseLvm, falsePrograms } from './false-lvm.ts';
import { type FalseLvmWorld, falseLvmDriver, falseLvmWorld, GROUP } from './false-lvm-world.ts';

const recorded = (name: string): string => readFileSync(join(import.meta.dirname, 'recorded', name), 'utf8');

async function enter(t: TestContext, run: Exec = falsePrograms, extentBytes?: number): Promise<FalseLvmWorld> {
  const world = await falseLvmWorld(run, extentBytes);
  t.after(() => world.cleanup());
  return world;
}

const volume = (sizeGiB = 1) => ({ id: uuid(), sizeGiB });

/** From the n-th program on none is run any more, as if the process were dead. */
function mortal(): { readonly exec: Exec; dieAt(n: number): void; readonly isDead: () => boolean } {
  let left = Number.POSITIVE_INFINITY;
  return {
    exec: async (argv, options) => {
      if (--left <= 0) throw new Error('dead');
      return falsePrograms(argv, options);
    },
    dieAt: (n) => {
      left = n;
    },
    isDead: () => left <= 0,
  };
}

describe('what an LVM driver that died left behind', () => {
  const replacing = OPERATIONS.filter(({ replaces }) => replaces !== undefined);
  const titles = [
    ...replacing.map(({ title }) => title),
    'cloning a volume into a larger one',
    'snapshotting two volumes in one moment',
    'keeping for a backup what a volume holds',
  ];

  for (const title of titles) {
    it(`is whole, old or new, wherever it died when ${title}, and the call that comes again completes it`, async (t) => {
      const operation = OPERATIONS.find((each) => each.title === title) ?? assert.fail(title);
      const images: Images = await makeImages();
      t.after(() => images.remove());
      for (let at = 1; ; at += 1) {
        const { exec, dieAt, isDead } = mortal();
        const world = await enter(t, exec);
        const source = volume();
        const snapshot = { id: uuid(), volumeId: source.id, sizeGiB: 1 };
        const located = { path: '', bytes: 0 };
        const scene: Scene = { world, source, snapshot, target: volume(2), images, ref: {}, located };
        await operation.prepare(scene);
        dieAt(at);
        await perform(world.driver, operation.request(scene), calm()).catch(() => {});
        if (!isDead()) break;
        dieAt(Number.POSITIVE_INFINITY);
        const after = { ...scene, world: { ...world, driver: falseLvmDriver(world.directory, falsePrograms) } };
        await after.world.driver.start(calm().signal);
        const made = operation.makes?.(after) ?? assert.fail();
        const probe = await after.world.driver.probe(made, calm().signal);
        if (operation.replaces !== undefined) await Promise.any([operation.replaces(after), operation.done(after)]);
        else if (probe.is === 'present' && made.kind !== 'snapshot') await operation.done(after);
        await perform(after.world.driver, operation.request(after), calm());
        await operation.done(after);
        assert.deepEqual(await world.leftovers(), [], `died at ${at}`);
      }
    });
  }

  it('is taken away by the next sweep, but for content that was to take the place of a volume', async (t) => {
    const swept: string[][] = [];
    for (let at = 1; ; at += 1) {
      const { exec, dieAt, isDead } = mortal();
      const world = await enter(t, exec);
      const source = volume();
      const snapshot = { id: uuid(), volumeId: source.id, sizeGiB: 1 };
      await writtenSource({ world, source });
      await world.driver.createSnapshot(snapshot, calm());
      await overwrittenSource({ world, source });
      dieAt(at);
      await world.driver.revertToSnapshot(source, snapshot, calm()).catch(() => {});
      if (!isDead()) break;
      dieAt(Number.POSITIVE_INFINITY);
      const left = await world.leftovers();
      assert.deepEqual(await world.driver.sweep(new Set([source.id]), calm().signal), []);
      assert.deepEqual(await world.leftovers(), left);
      swept.push([...(await world.driver.sweep(new Set(), calm().signal))]);
      assert.deepEqual(await world.leftovers(), []);
      const there = { kind: 'volume', ...source } as const;
      assert.deepEqual(await world.driver.probe(there, calm().signal), { is: 'present', bytes: GIB });
    }
    assert.ok(swept.some(({ length }) => length === 0) && swept.some(({ length }) => length > 0));
  });
});

describe('an LVM backend that another process serves', () => {
  it('is looked at by the doctor as it is, also in the middle of an exchange of names, which is left alone', async (t) => {
    for (let at = 1; ; at += 1) {
      const { exec, dieAt, isDead } = mortal();
      const world = await enter(t, exec);
      const source = volume();
      const snapshot = { id: uuid(), volumeId: source.id, sizeGiB: 1 };
      await world.driver.createVolume(source, calm());
      await world.driver.createSnapshot(snapshot, calm());
      await world.driver.hold(calm().signal);
      dieAt(at);
      await world.driver.revertToSnapshot(source, snapshot, calm()).catch(() => {});
      const names = world.lvm.names();
      const doctor = falseLvmDriver(world.directory, falsePrograms);
      await doctor.start(calm().signal);
      assert.deepEqual(await doctor.probe(theVolume(source), calm().signal), { is: 'present', bytes: GIB });
      const owned = (await doctor.list(calm().signal)).filter(({ owner }) => owner?.kind === 'volume');
      assert.deepEqual(
        owned.map(({ owner }) => owner?.id),
        [source.id],
        `died at ${at}`,
      );
      assert.deepEqual(world.lvm.names(), names);
      world.driver.release();
      if (!isDead()) break;
    }
  });
});

describe('an LVM backend', () => {
  it("has Cinder's names, so that either takes over what the other left", async (t) => {
    const world = await enter(t);
    const source = volume();
    const snapshot = { id: uuid(), volumeId: source.id, sizeGiB: 1 };
    await world.driver.createVolume(source, calm());
    await world.driver.createSnapshot(snapshot, calm());
    assert.deepEqual(world.lvm.names(), [`volume-${source.id}`, `_snapshot-${snapshot.id}`]);
  });

  it('makes volumes of whole GiB, and grows what was taken over to them, in extents of 4 MiB', async (t) => {
    const world = await enter(t, falsePrograms, 4 * MIB);
    const { driver } = world;
    const [source, managed] = [volume(3), volume()];
    await driver.createVolume(source, calm());
    assert.deepEqual(await driver.probe(theVolume(source), calm().signal), { is: 'present', bytes: 3 * GIB });
    const ref = await world.foreign('an-odd-one', 512 * MIB + 512, block('foreign', 0));
    assert.equal(await driver.manageExistingGetSize(ref, calm().signal), 1);
    await driver.manageExisting(managed, ref, calm());
    assert.deepEqual(await driver.probe(theVolume(managed), calm().signal), { is: 'present', bytes: 516 * MIB });
    const kept = await driver.keepForBackup(uuid(), { volume: managed }, calm());
    assert.equal(kept.bytes, GIB);
    await driver.extendVolume(managed, 1, calm());
    assert.deepEqual(await driver.probe(theVolume(managed), calm().signal), { is: 'present', bytes: GIB });
    await driver.extendVolume(managed, 1, calm());
  });

  it('does not start where extents make no GiB, where there is no group, and no pool unless it may make one', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'pumice-false-lvm-'));
    t.after(() => rm(directory, { recursive: true }));
    const lvm = new FalseLvm(directory);
    lvm.make('odd', 'odd-pool', 3 * 128 * 1024);
    const driverOf = (group: string, create: boolean): LvmDriver =>
      new LvmDriver({
        ...{ name: 'lvm', group, create, directory: join(directory, 'state'), exec: falsePrograms },
        ...{ configurationDirectory: directory, devices: lvm.devices, lockDirectory: directory },
      });
    const refused = (group: string, why: RegExp): Promise<void> =>
      assert.rejects(driverOf(group, false).start(calm().signal), (error) => {
        assert.ok(error instanceof errors.DriverNotInitialized);
        assert.match(error.message, why);
        return true;
      });
    await refused('odd', /no number is a GiB/);
    await refused('missing', /Volume group "missing" not found/);
    const bare = await mkdtemp(join(directory, 'bare-'));
    new FalseLvm(bare).make('bare', null, 4 * MIB);
    const inBare = (create: boolean): LvmDriver =>
      new LvmDriver({
        ...{ name: 'lvm', group: 'bare', create, directory: join(bare, 'state'), exec: falsePrograms },
        ...{ configurationDirectory: bare, devices: new FalseLvm(bare).devices, lockDirectory: bare },
      });
    await assert.rejects(inBare(false).start(calm().signal), /no thin pool bare-pool: make one/);
    await inBare(true).start(calm().signal);
    await inBare(false).start(calm().signal);
  });

  it('is held by one at a time', async (t) => {
    const world = await enter(t);
    const other = falseLvmDriver(world.directory, falsePrograms);
    assert.equal(await world.driver.hold(calm().signal), true);
    assert.equal(await world.driver.hold(calm().signal), true);
    assert.equal(await other.hold(calm().signal), false);
    world.driver.release();
    assert.equal(await other.hold(calm().signal), true);
    other.release();
  });

  it('neither deletes nor replaces what a program of the machine has open', async (t) => {
    const world = await enter(t);
    const { driver } = world;
    const source = volume();
    const snapshot = { id: uuid(), volumeId: source.id, sizeGiB: 1 };
    await writtenSource({ world, source });
    await driver.createSnapshot(snapshot, calm());
    const path = world.lvm.fileOf(`volume-${source.id}`);
    const program = spawn('sh', ['-c', 'exec 3<"$0"; echo open; read line', path], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    await once(program.stdout, 'data');
    await assert.rejects(driver.deleteVolume(source, calm()), errors.VolumeIsBusy);
    await assert.rejects(driver.revertToSnapshot(source, snapshot, calm()), errors.VolumeIsBusy);
    program.stdin.end();
    await once(program, 'exit');
    await holds(world, theVolume(source), GIB, 'source');
    await driver.revertToSnapshot(source, snapshot, calm());
    await driver.deleteVolume(source, calm());
  });

  it('takes for volumes of its own, and for manageable ones, only what is in its pool and not open', async (t) => {
    const answers = answering({ vgs: recorded('group.json.txt'), lvs: recorded('volumes.json.txt') });
    const directory = await mkdtemp(join(tmpdir(), 'pumice-lvm-'));
    t.after(() => rm(directory, { recursive: true }));
    const driver = new LvmDriver({ name: 'lvm', group: GROUP, directory, exec: answers.exec });
    await driver.start(calm().signal);
    const names = (await driver.list(calm().signal)).map(({ name }) => name);
    assert.deepEqual(names, ['_snapshot-1', 'clone', 'odd', 'volume-1']);
    const manageable = await driver.listManageable('volume', new Set(['volume-1']), calm().signal);
    assert.deepEqual(
      manageable.map(({ reference, reason }) => [reference['source-name'], reason]),
      [
        ['_snapshot-1', null],
        ['clone', 'it is in use on this machine'],
        ['odd', null],
        ['volume-1', 'already managed'],
      ],
    );
    const thick = driver.manageExistingGetSize({ 'source-name': 'thick' }, calm().signal);
    await assert.rejects(thick, errors.ManageExistingInvalidReference);
  });

  it('reads volumes although a process that was killed had reserved the metadata, and lets go of it', async (t) => {
    const world = await enter(t);
    const source = volume();
    await writtenSource({ world, source });
    const device = 'cinder--volumes-cinder--volumes--pool-tpool';
    const say = (word: string): Promise<string> =>
      falsePrograms(['dmsetup', 'message', device, '0', word], {
        ...calm(),
        environment: { LVM_SYSTEM_DIR: world.directory },
      });
    await say('reserve_metadata_snap');
    const { bytes } = await world.driver.readVolume(source, calm().signal);
    assert.equal(bytes, GIB);
    await say('reserve_metadata_snap');
  });

  it('lets nobody move a volume to it or from it while that is attached', async (t) => {
    const { driver } = await enter(t);
    await assert.rejects(driver.giveLive(volume()), errors.LiveMoveRefused);
    await assert.rejects(driver.receiveLive(volume()), errors.LiveMoveRefused);
  });

  it('refuses snapshots in one moment while a member is attached by its path, and makes none', async (t) => {
    const world = await enter(t);
    const { driver } = world;
    const [source, target] = [volume(), volume(2)];
    const snapshot = { id: uuid(), volumeId: source.id, sizeGiB: 1 };
    for (const each of [source, target]) await driver.createVolume(each, calm());
    const attachmentId = uuid();
    const connector = { host: hostname() };
    const wanted = { attachmentId, volume: source, connector, readOnly: false, secret: 'x' };
    await driver.ensureExport(wanted, calm());
    const members = together({ source, target, snapshot } as Scene);
    await assert.rejects(driver.createGroupSnapshot(members, calm()), errors.ConsistentSnapshotRefused);
    assert.deepEqual(await world.leftovers(), []);
    assert.deepEqual(await driver.probe(theSnapshot(snapshot), calm().signal), { is: 'absent' });
    await driver.removeExport({ attachmentId }, calm());
    await driver.createGroupSnapshot(members, calm());
  });
});

/** Every program prints what is said of it, and what it was given is kept. */
function answering(prints: Readonly<Record<string, string>>) {
  const given: string[] = [];
  const exec: Exec = async ([program, ...args]) => {
    given.push([program, ...args].join(' '));
    return prints[program] ?? '';
  };
  return { exec, given };
}

describe('a volume group', () => {
  const groupWith = async (prints: Readonly<Record<string, string>>) => {
    const { exec, given } = answering({
      vgs: recorded('group.json.txt'),
      lvs: recorded('volumes.json.txt'),
      ...prints,
    });
    const options = { exec, group: GROUP, pool: `${GROUP}-pool`, configurationDirectory: null, devices: DEVICES };
    const group = new VolumeGroup(options);
    await group.start(false, calm().signal);
    return { group, given };
  };
  const status = (metadata: string, data: string, mode = 'rw') => ({
    dmsetup: `0 2097152 thin-pool 4 ${metadata} ${data} - ${mode} discard_passdown error_if_no_space - 512 \n`,
  });

  it('lets writers go on that a killed program had left waiting', async () => {
    const { group, given } = await groupWith({ lvs: recorded('volumes-suspended.json.txt') });
    await group.all(calm().signal);
    assert.equal(given.at(-1), `lvchange --yes --refresh ${GROUP}/volume-1`);
    const other = await groupWith({});
    await other.group.all(calm().signal);
    assert.ok(!other.given.some((argv) => argv.includes('--refresh')));
  });

  it('has no more room than its data and its metadata have', async () => {
    const roomOf = async (...of: Parameters<typeof status>): Promise<number> =>
      (await (await groupWith(status(...of))).group.space(calm().signal)).freeBytes;
    assert.equal(await roomOf('216/2048', '16284/16384'), 100 * 65_536);
    assert.equal(await roomOf('1965/2048', '0/16384'), 136 * 65_536);
    assert.equal(await roomOf('2000/2048', '0/16384'), 0);
    assert.equal(await roomOf('216/2048', '16384/16384', 'out_of_data_space'), 0);
    assert.equal(await roomOf('216/2048', '0/16384', 'ro'), 0);
  });

  it('says that a pool has failed, and what would mend it', async () => {
    const { group } = await groupWith({ dmsetup: '0 2097152 thin-pool Fail\n' });
    await assert.rejects(group.space(calm().signal), /lvconvert --repair/);
  });

  it('is refused when its pool would give blocks of deleted volumes to new ones', async () => {
    const lvs = recorded('volumes.json.txt').replace(
      '"zero":"zero", "lv_tags":"", "lv_skip_activation":"", "lv_role":"private"',
      '"zero":"", "lv_tags":"", "lv_skip_activation":"", "lv_role":"private"',
    );
    await assert.rejects(groupWith({ lvs }), /lvchange --zero y/);
  });

  it('takes a file that stands in the place of a device for none', async () => {
    const { group } = await groupWith({});
    await assert.rejects(group.device('no-such-volume'), /is no device/);
    const file = new VolumeGroup({
      ...{ exec: async () => '', group: 'self', pool: 'p', configurationDirectory: null },
      devices: { ...DEVICES, directory: '/proc' },
    });
    await assert.rejects(file.device('status'), /is no device/);
  });
});

describe('an attachment by a path to a device', () => {
  it('is a link to the device, wherever links are kept', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'pumice-links-'));
    t.after(() => rm(directory, { recursive: true }));
    const exports = new LocalExports({ directory, hosts: ['here'] });
    const [attachmentId, path] = [uuid(), '/dev/cinder-volumes/volume-1'];
    const wanted = { attachmentId, volume: volume(), connector: { host: 'here' }, readOnly: false, secret: '' };
    const { data } = await exports.ensure(path, wanted);
    assert.equal(await readlink(String(data.device_path)), path);
    assert.equal(await exports.serves(path), true);
    assert.equal(await exports.serves('/dev/other/volume-1'), false);
    await exports.remove(attachmentId);
    assert.equal(await exports.serves(path), false);
  });
});
