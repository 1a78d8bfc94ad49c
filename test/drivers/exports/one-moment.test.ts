/**
 * Group snapshots of two volumes that are written over iSCSI meanwhile, in order, are of one moment or are not made.
 *
 * `GROUP_SNAPSHOTS=1000` takes so many of them, and prints how long writes had to wait.
 */
import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import type { SnapshotRef, VolumeDriver } from '../../../src/drivers/driver.ts';
import { IscsiExports } from '../../../src/drivers/exports/iscsi-exports.ts';
import { TargetDaemonFailed, Tgtd } from '../../../src/drivers/exports/tgtd.ts';
import { FileDriver } from '../../../src/drivers/file/file-driver.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { type Exec, exec } from '../../../src/lib/exec.ts';
import { ConsistentSnapshotRefused, DriverFailed } from '../../../src/model/errors.ts';
import { calm, theSnapshot } from '../driver-world.ts';
import { cannotMount, mountFileSystem } from '../file/file-systems.ts';
import { fileWorld } from '../file/file-world.ts';
import { disorder, type Newest, OrderedWriter } from './ordered-writer.ts';
import { killTgtd, noTgt, tgtWorld, withWorkers } from './tgt-world.ts';

const TIMES = Number(process.env.GROUP_SNAPSHOTS ?? 20);
/** One in some pairs that are cloned without a hold is out of order. */
const MOST_TIMES = 300;

const skip = noTgt ?? cannotMount('xfs');

/** The program that clones, and what it runs behind while somebody has a volume open. */
const isCloneProgram = (word: string): boolean => word.endsWith('clone-files.pl');
const isClone = (argv: readonly string[]): boolean => argv.some(isCloneProgram);
const HOLDING_WORDS = ['perl', 'tgt-hold.pl', 'process', 'threads', 'milliseconds', '+'];
const MILLISECONDS = HOLDING_WORDS.indexOf('milliseconds');
const isHeld = (argv: readonly string[]): boolean =>
  isClone(argv) && argv[1]?.endsWith(HOLDING_WORDS[1] ?? '') === true;

/** Runs a line of Perl in the program that clones, before that is compiled. */
function inPerl(argv: readonly string[], line: string): readonly string[] {
  const at = argv.findIndex(isCloneProgram);
  return [...argv.slice(0, at), '-e', `BEGIN { ${line} } do shift; die $@ if $@`, ...argv.slice(at)];
}

/** Runs what clones in another way. */
const cloning =
  (change: (argv: readonly string[]) => readonly string[]): Exec =>
  (argv, options) =>
    exec(isHeld(argv) ? (change(argv) as [string, ...string[]]) : argv, options);

describe('group snapshots of volumes that are written over iSCSI, on XFS', { skip: skip ?? false }, () => {
  const mounted = skip === null ? mountFileSystem('xfs', 400) : undefined;
  after(() => mounted?.remove());

  /** Two volumes, both open to a machine that writes to them in order. */
  async function written(t: TestContext, run: Exec) {
    const world = await tgtWorld(run, mounted?.path);
    t.after(() => world.cleanup());
    const volumes = [uuid(), uuid()].map((id) => ({ id, sizeGiB: 1 }));
    const exports = volumes.map((volume) => ({
      attachmentId: uuid(),
      volume,
      connector: { host: hostname(), initiator: 'iqn.2004-10.test:initiator' },
      readOnly: false,
      secret: 'abcdefghijklmnop',
    }));
    const clients = [];
    for (const wanted of exports) {
      await world.driver.createVolume(wanted.volume, calm());
      clients.push(await world.client(wanted, await world.driver.ensureExport(wanted, calm())));
    }
    const writer = new OrderedWriter(clients);
    t.after(() => writer.stop());
    await writer.goesOn();
    const asked = () => volumes.map(({ id }) => ({ id: uuid(), volumeId: id, sizeGiB: 1 }));
    const disorderOf = (snapshots: readonly { readonly id: string }[], answered: Newest) =>
      disorder(
        snapshots.map(({ id }) => join(world.directory, `snapshot-${id}`)),
        answered,
      );
    /** What is wrong with the pair that is taken now. */
    const disorderNow = async (driver: VolumeDriver = world.driver): Promise<string | null> => {
      const snapshots = asked();
      const { answered } = writer;
      await driver.createGroupSnapshot(snapshots, calm());
      const wrong = await disorderOf(snapshots, answered);
      for (const snapshot of snapshots) await driver.deleteSnapshot(snapshot, calm());
      return wrong;
    };
    /** Nothing was made, and the writes go on. */
    const nothingMade = async (snapshots: readonly SnapshotRef[]): Promise<void> => {
      for (const snapshot of snapshots)
        assert.deepEqual(await world.driver.probe(theSnapshot(snapshot), calm().signal), { is: 'absent' });
      assert.deepEqual(await world.leftovers(), []);
      await writer.goesOn();
      assert.equal(writer.failed, 0);
    };
    return { ...world, exports, writer, asked, disorderNow, nothingMade };
  }

  it(`are never out of order, in ${TIMES} of them, and no write fails`, {
    timeout: 120_000 + TIMES * 2_000,
  }, async (t) => {
    const { writer, disorderNow } = await written(t, exec);
    const waits: number[] = [];
    for (let times = 0; times < TIMES; times += 1) {
      writer.longestMs = 0;
      assert.equal(await disorderNow(), null);
      await writer.goesOn();
      waits.push(writer.longestMs);
    }
    assert.equal(writer.failed, 0);
    waits.sort((a, b) => a - b);
    const [half, most] = [0.5, 0.99].map((part) => waits[Math.floor(waits.length * part)]?.toFixed(1));
    t.diagnostic(`the longest write beside each: ${half} ms p50, ${most} ms p99, ${waits.at(-1)?.toFixed(1)} ms`);
  });

  it('are out of order soon when nobody is held, so that the writer would tell', async (t) => {
    // So long apart that the writer comes between.
    const apart =
      '*CORE::GLOBAL::ioctl = sub (*$$) { select undef, undef, undef, 0.02; CORE::ioctl $_[0], $_[1], $_[2] }';
    const unheld = cloning((argv) => inPerl(argv.slice(HOLDING_WORDS.length), apart));
    const { disorderNow } = await written(t, unheld);
    for (let times = 0; times < MOST_TIMES; times += 1) if ((await disorderNow()) !== null) return;
    assert.fail('never out of order');
  });

  it('are of one moment after the process that opened the volumes was followed by another', async (t) => {
    const { restarted, disorderNow } = await written(t, exec);
    const next = await restarted();
    for (let times = 0; times < 5; times += 1) assert.equal(await disorderNow(next), null);
  });

  it('hold the volumes of the group alone', async (t) => {
    const threads: number[] = [];
    const run: Exec = (argv, options) => {
      if (isHeld(argv)) threads.push(String(argv[3]).split(',').length);
      return exec(argv, options);
    };
    const { driver, exports, disorderNow } = await written(t, run);
    const [first] = exports;
    assert.ok(first);
    const beside = { ...first, attachmentId: uuid(), volume: { id: uuid(), sizeGiB: 1 } };
    await driver.createVolume(beside.volume, calm());
    await driver.ensureExport(beside, calm());
    assert.equal(await disorderNow(), null);
    // A second machine has a target of its own for the same volume.
    await driver.ensureExport({ ...first, attachmentId: uuid() }, calm());
    assert.equal(await disorderNow(), null);
    assert.deepEqual(threads, [2, 3]);
  });

  /** Runs a line of Perl when the writes are held, in the program that is about to clone; `$first` is the file that it clones first. */
  const beforeCloning = (line: string): Exec =>
    cloning((argv) => {
      const told = `sub (;*) { my $told = CORE::readline *main::STDIN; ${line}; $told }`;
      return inPerl(argv, `$first = $ARGV[1]; *CORE::GLOBAL::readline = ${told}`);
    });

  it('are not made when what holds them is killed, although all were cloned', async (t) => {
    const { driver, asked, nothingMade } = await written(t, beforeCloning('kill KILL => getppid'));
    const snapshots = asked();
    await assert.rejects(driver.createGroupSnapshot(snapshots, calm()), DriverFailed);
    await nothingMade(snapshots);
  });

  it('are of one moment when tgtd is killed while it is held', async (t) => {
    const killing = beforeCloning('$first =~ s{[^/]*$}{.tgtd.pid}; kill KILL => `cat $first`');
    const { driver, exports, disorderNow, nothingMade } = await written(t, killing);
    assert.equal(await disorderNow(), null);
    for (const wanted of exports) await driver.ensureExport(wanted, calm());
    await nothingMade([]);
  });

  it('are not made when the hold ends before the clones, and may be asked for again', async (t) => {
    const slow = beforeCloning('sleep 1');
    const late: Exec = (argv, options) =>
      slow(isHeld(argv) ? (argv.with(MILLISECONDS, '1') as [string, ...string[]]) : argv, options);
    const { driver, asked, nothingMade } = await written(t, late);
    const snapshots = asked();
    await assert.rejects(driver.createGroupSnapshot(snapshots, calm()), (error: Error) => {
      assert.ok(error instanceof TargetDaemonFailed && error.transient);
      assert.match(error.message, /late/);
      return true;
    });
    await nothingMade(snapshots);
  });

  for (const [why, run] of [
    ['the kernel lets nobody hold writes', cloning((argv) => ['setpriv', '--bounding-set=-sys_ptrace', ...argv])],
    ['an older Pumice started the daemon, with two workers', withWorkers(2)],
    [
      'the volumes lie in too many pieces',
      (argv, options) => (argv.includes('-e') ? Promise.resolve('250001') : exec(argv, options)),
    ],
  ] as const satisfies readonly (readonly [string, Exec])[]) {
    it(`are refused by name when ${why}`, async (t) => {
      const { driver, asked, nothingMade } = await written(t, run);
      const snapshots = asked();
      await assert.rejects(driver.createGroupSnapshot(snapshots, calm()), ConsistentSnapshotRefused);
      await nothingMade(snapshots);
    });
  }

  it('are refused by name when the tgtd is the one of the system', async (t) => {
    const { directory, portal, asked, nothingMade } = await written(t, exec);
    const own = join(directory, '.tgtd');
    const asSystem: Exec = ([program, ...args], options) =>
      exec(['env', `TGT_IPC_SOCKET=${own}`, program, ...args], options);
    const exports = new IscsiExports({
      daemon: new Tgtd({ exec: asSystem, own: null, portal }),
      prefix: 'iqn.2010-10.org.openstack:',
      portal,
    });
    const driver = new FileDriver({ name: 'file', directory, exec, exports });
    await driver.start(calm().signal);
    const snapshots = asked();
    await assert.rejects(driver.createGroupSnapshot(snapshots, calm()), ConsistentSnapshotRefused);
    await nothingMade(snapshots);
  });

  it('are refused by name while a volume is attached by its path, also when that came meanwhile, and taken afterwards', async (t) => {
    let meanwhile = async (): Promise<void> => {};
    const run: Exec = async (argv, options) => {
      if (isClone(argv)) await meanwhile();
      return exec(argv, options);
    };
    const { driver, leftovers, cleanup } = await fileWorld(mounted?.path ?? '', run);
    t.after(cleanup);
    const volumes = [uuid(), uuid()].map((id) => ({ id, sizeGiB: 1 }));
    const [volume] = volumes;
    assert.ok(volume);
    for (const each of volumes) await driver.createVolume(each, calm());
    const snapshots = volumes.map(({ id }) => ({ id: uuid(), volumeId: id, sizeGiB: 1 }));
    const connector = { host: hostname() };
    const wanted = { attachmentId: uuid(), volume, connector, readOnly: false, secret: '' };
    meanwhile = async () => void (await driver.ensureExport(wanted, calm()));
    for (const when of ['meanwhile', 'before']) {
      await assert.rejects(driver.createGroupSnapshot(snapshots, calm()), ConsistentSnapshotRefused, when);
      assert.deepEqual(await leftovers(), []);
    }
    meanwhile = async () => {};
    await driver.removeExport(wanted, calm());
    await driver.createGroupSnapshot(snapshots, calm());
  });

  it('of volumes that nobody has open are taken although they lie in many pieces', async (t) => {
    const counted: string[] = [];
    const run: Exec = (argv, options) => {
      if (argv.includes('-e')) counted.push(argv.join(' '));
      return exec(argv, options);
    };
    const { driver, exports, writer, asked } = await written(t, run);
    await writer.stop();
    for (const { attachmentId } of exports) await driver.removeExport({ attachmentId }, calm());
    await driver.createGroupSnapshot(asked(), calm());
    assert.deepEqual(counted, []);
    assert.equal(await killTgtd(mounted?.path ?? ''), 0);
  });
});
