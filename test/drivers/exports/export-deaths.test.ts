/**
 * What a client that writes loses when something dies, or is not to be had, while its volume is extended over iSCSI: nothing
 * that it was answered.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { IscsiExports } from '../../../src/drivers/exports/iscsi-exports.ts';
import { Tgtd } from '../../../src/drivers/exports/tgtd.ts';
import { FileDriver } from '../../../src/drivers/file/file-driver.ts';
import { pause, uuid } from '../../../src/lib/clock.ts';
import { type Exec, exec } from '../../../src/lib/exec.ts';
import { GIB } from '../content.ts';
import { calm } from '../driver-world.ts';
import { type Attached, attached, grownUnder, keptAll } from './export-changes.ts';
import type { IscsiSession } from './iscsi-session.ts';
import { killTgtd, noTgt, type TgtWorld, tgtWorld, withWorkers } from './tgt-world.ts';

const isHelper = ([program]: readonly string[]): boolean => program === 'perl';

/** Two writers, and the programs that are killed beside them, share the machine with other tests. */
const DEPTH = 4;

/** Two volumes that are written, on one daemon. */
async function twoAttached(t: TestContext, run: Exec): Promise<{ world: TgtWorld; is: Attached; beside: Attached }> {
  const world = await tgtWorld(run, tmpdir());
  t.after(() => world.cleanup());
  const is = await attached(world, { id: uuid(), sizeGiB: 1 }, DEPTH);
  t.after(() => is.writer.stop());
  const beside = await attached(world, { id: uuid(), sizeGiB: 1 }, DEPTH);
  t.after(() => beside.writer.stop());
  return { world, is, beside };
}

const reconnections = ({ writer }: Attached): number => (writer.client as IscsiSession).reconnections;

describe('a client that writes while its volume is extended over iSCSI', { skip: noTgt ?? false }, () => {
  it('is held alone: the other volumes of the daemon are not', async (t) => {
    let held = 0;
    const counting: Exec = (argv, options) => {
      if (isHelper(argv)) held += String(argv[3]).split(',').length;
      return exec(argv, options);
    };
    const { world, is, beside } = await twoAttached(t, counting);
    for (let sizeGiB = 2; sizeGiB <= 11; sizeGiB += 1) await grownUnder(world.driver, is, sizeGiB);
    assert.equal(held, 10, 'one thread each time');
    await keptAll(is);
    await keptAll(beside);
    assert.deepEqual([reconnections(is), reconnections(beside)], [0, 0]);
  });

  it('loses nothing when what holds its writes is killed, whenever that is', async (t) => {
    let afterMs = 0;
    const killing: Exec = (argv, options) => exec(argv, isHelper(argv) ? { ...options, timeoutMs: afterMs } : options);
    const { world, is, beside } = await twoAttached(t, killing);
    for (let sizeGiB = 2; sizeGiB <= 31; sizeGiB += 1) {
      afterMs += 2;
      await grownUnder(world.driver, is, sizeGiB);
    }
    // A write that came in the microseconds between the kill and the order's end is told to have failed.
    await keptAll(is, { ends: true });
    await keptAll(beside);
    assert.equal(reconnections(beside), 0);
  });

  it('loses nothing when tgtd is killed before any program that the extend runs, or after it', async (t) => {
    let strike = Number.POSITIVE_INFINITY;
    let directory = '';
    const killing: Exec = async (argv, options) => {
      if (--strike === 0) await killTgtd(directory);
      return exec(argv, options);
    };
    const { world, is, beside } = await twoAttached(t, killing);
    directory = world.directory;
    for (let at = 1, sizeGiB = 2; ; at += 1, sizeGiB += 1) {
      strike = at;
      await world.driver.extendVolume(is.wanted.volume, sizeGiB, calm()).catch(() => {});
      if (strike > 0) break;
      strike = Number.POSITIVE_INFINITY;
      for (const each of [is, beside]) await world.driver.ensureExport(each.wanted, calm());
      await world.driver.extendVolume(is.wanted.volume, sizeGiB, calm());
      assert.equal(await is.writer.client.bytes(), sizeGiB * GIB);
    }
    strike = Number.POSITIVE_INFINITY;
    await keptAll(is);
    await keptAll(beside);
  });

  it('loses nothing when the process that extends is killed, whenever that is', async (t) => {
    const { world, is, beside } = await twoAttached(t, exec);
    for (let times = 1; times <= 8; times += 1) {
      const child = world.elsewhere(['extendVolume', is.wanted.volume, times + 1]);
      const ended = once(child, 'exit');
      // About as long as it takes to start and to extend, so that it dies before, in and after its programs.
      await Promise.race([ended, pause(250 + 100 * times, calm().signal)]);
      child.kill('SIGKILL');
      await ended;
      await grownUnder(world.driver, is, times + 1);
    }
    await keptAll(is, { ends: true });
    await keptAll(beside);
  });

  it('loses nothing when a death has left its unit offline', async (t) => {
    const { world, is, beside } = await twoAttached(t, exec);
    const daemon = new Tgtd({ exec, own: join(world.directory, '.tgtd'), portal: world.portal });
    for (let times = 0; times < 10; times += 1) {
      await daemon.run(
        ['--op', 'update', '--mode', 'logicalunit', '--tid', '1', '--lun', '1', '--params', 'online=0'],
        calm().signal,
      );
      await world.driver.ensureExport(is.wanted, calm());
      await is.writer.goesOn();
    }
    await keptAll(is);
    await keptAll(beside);
  });

  it('is logged in anew, and loses nothing, where the kernel lets nobody hold its writes', async (t) => {
    const asNobody: Exec = (argv, options) =>
      exec(isHelper(argv) ? ['setpriv', '--reuid=65534', '--clear-groups', ...argv] : argv, options);
    const { world, is, beside } = await twoAttached(t, asNobody);
    for (let sizeGiB = 2; sizeGiB <= 11; sizeGiB += 1) await grownUnder(world.driver, is, sizeGiB);
    await keptAll(is);
    await keptAll(beside);
    assert.deepEqual([reconnections(is), reconnections(beside)], [10, 0]);
  });

  it('is logged in anew, and loses nothing, of a daemon of the system with many workers', async (t) => {
    const { world, is } = await twoAttached(t, withWorkers(16));
    const own = join(world.directory, '.tgtd');
    const asSystem: Exec = ([program, ...args], options) =>
      exec(['env', `TGT_IPC_SOCKET=${own}`, program, ...args], options);
    const { portal, directory } = world;
    const daemon = new Tgtd({ exec: asSystem, own: null, portal });
    const exports = new IscsiExports({ daemon, prefix: 'iqn.2010-10.org.openstack:', portal });
    const driver = new FileDriver({ name: 'file', directory, exec, exports });
    await driver.start(calm().signal);
    for (let sizeGiB = 2; sizeGiB <= 11; sizeGiB += 1) await grownUnder(driver, is, sizeGiB);
    await keptAll(is);
    assert.equal(reconnections(is), 10);
  });

  it('is logged in anew, and loses nothing, of a daemon that an older Pumice started with two workers', async (t) => {
    const { world, is, beside } = await twoAttached(t, withWorkers(2));
    for (let sizeGiB = 2; sizeGiB <= 11; sizeGiB += 1) await grownUnder(world.driver, is, sizeGiB);
    await keptAll(is);
    await keptAll(beside);
    assert.deepEqual([reconnections(is), reconnections(beside)], [10, 0]);
  });
});
