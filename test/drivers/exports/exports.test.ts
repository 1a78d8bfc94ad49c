/** Exports of the file driver: what is read of tgtd, and that each call may be asked again whatever became of the first. */
import assert from 'node:assert/strict';
import { open, readlink, symlink } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { IscsiExports } from '../../../src/drivers/exports/iscsi-exports.ts';
import { parseAccounts, parsePortals, parseTargets } from '../../../src/drivers/exports/tgt-show.ts';
import { TargetDaemonFailed, Tgtd } from '../../../src/drivers/exports/tgtd.ts';
import { FileDriver } from '../../../src/drivers/file/file-driver.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { CommandFailed, CommandMissing, type Exec, exec } from '../../../src/lib/exec.ts';
import { DriverFailed, DriverNotInitialized, InvalidConnector, VolumeIsBusy } from '../../../src/model/errors.ts';
import { freePort } from '../../free-port.ts';
import { proveDriver } from '../../prove-driver.ts';
import { calm, theVolume } from '../driver-world.ts';
import { fileCalls } from '../file/file-calls.ts';
import { fileWorld } from '../file/file-world.ts';
import { EXPORT_OPERATIONS } from '../operations.ts';
import { killTgtd, noTgt, tgtWorld } from './tgt-world.ts';

proveDriver({
  name: 'files over iSCSI',
  skip: noTgt,
  copies: true,
  operations: EXPORT_OPERATIONS,
  exports: true,
  faults: ['after'],
  world: (run) => tgtWorld(run),
});

const SHOWN = `Target 3: iqn.2010-10.org.openstack:volume-aa
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
        I_T nexus: 2
            Initiator: iqn.2004-10.test:one alias: none
            Connection: 1
                IP Address: 127.0.0.1
    LUN information:
        LUN: 0
            Type: controller
            SCSI ID: IET     00010000
            Size: 0 MB, Block size: 1
            Online: Yes
            Readonly: No
            Backing store path: None
            Backing store flags: 
        LUN: 1
            Type: disk
            SCSI ID: 0123
            Size: 1074 MB, Block size: 512
            Online: No
            Readonly: Yes
            Backing store path: /a b/c: d
            Backing store flags: 
    Account information:
        one
        two (outgoing)
    ACL information:
        iqn.2004-10.test:one
Target 4: iqn.2010-10.org.openstack:volume-bb
    System information:
        Driver: iscsi
    I_T nexus information:
    LUN information:
    Account information:
    ACL information:
`;

describe('what tgtadm prints', () => {
  it('is read as targets with their units, sessions, accounts and initiators', () => {
    const [first, second, ...more] = parseTargets(SHOWN);
    assert.deepEqual(more, []);
    assert.deepEqual(first, {
      tid: 3,
      name: 'iqn.2010-10.org.openstack:volume-aa',
      sessions: [{ id: 2, initiator: 'iqn.2004-10.test:one', connections: [1] }],
      units: [
        { lun: 0, scsiId: 'IET     00010000', online: true, readOnly: false, path: 'None' },
        { lun: 1, scsiId: '0123', online: false, readOnly: true, path: '/a b/c: d' },
      ],
      accounts: ['one', 'two'],
      initiators: ['iqn.2004-10.test:one'],
    });
    assert.partialDeepStrictEqual(second, { tid: 4, sessions: [], units: [], accounts: [], initiators: [] });
  });

  it('is read when there is nothing', () => {
    assert.deepEqual([parseTargets(''), parseAccounts(''), parsePortals('')], [[], [], []]);
    assert.deepEqual(parseAccounts('Account list:\n    one\n    two\n'), ['one', 'two']);
    assert.deepEqual(parsePortals('Portal: [::]:3260,1\nPortal: 127.0.0.1:1,1\n'), ['[::]:3260', '127.0.0.1:1']);
  });
});

const SECRET = 'abcdefghijklmnop';
const initiator = 'iqn.2004-10.test:one';

async function exportable(context: TestContext, made: ReturnType<typeof fileWorld>) {
  const world = await made;
  context.after(() => world.cleanup());
  const volume = { id: uuid(), sizeGiB: 1 };
  await world.driver.createVolume(volume, calm());
  const wanted = {
    attachmentId: uuid(),
    volume,
    connector: { host: hostname(), initiator },
    readOnly: false,
    secret: SECRET,
  };
  return { ...world, wanted };
}

/** Who has the file open would keep it, and write to it, when another has its name. */
async function keepsItsContent({ driver, wanted, write, read }: Awaited<ReturnType<typeof exportable>>): Promise<void> {
  const { volume } = wanted;
  const snapshot = { id: uuid(), volumeId: volume.id, sizeGiB: 1 };
  await driver.createSnapshot(snapshot, calm());
  await write(volume, 0, Buffer.from('later'));
  await driver.ensureExport(wanted, calm());
  await assert.rejects(driver.revertToSnapshot(volume, snapshot, calm()), VolumeIsBusy);
  const image = { path: import.meta.filename, format: 'raw' } as const;
  await assert.rejects(driver.reimageVolume(volume, image, calm()), VolumeIsBusy);
  assert.deepEqual(await read(theVolume(volume), 0, 5), Buffer.from('later'));
  await driver.removeExport(wanted, calm());
  await driver.revertToSnapshot(volume, snapshot, calm());
  assert.deepEqual(await read(theVolume(volume), 0, 5), Buffer.alloc(5));
}

describe('a volume that is exported to its own machine', () => {
  it('is reached by a path until the export is removed, and after every extend', async (context) => {
    const { driver, wanted, read } = await exportable(context, fileWorld(tmpdir(), exec));
    const { driver_volume_type, data } = await driver.ensureExport(wanted, calm());
    assert.equal(driver_volume_type, 'local');
    await driver.extendVolume(wanted.volume, 2, calm());
    assert.deepEqual(await read(theVolume(wanted.volume), 0, 4), Buffer.alloc(4));
    const file = await open(String(data.device_path), 'r+');
    await file.write(Buffer.from('here'), 0, 4, 0);
    assert.equal((await file.stat()).size, 2 * 1024 ** 3);
    await file.close();
    assert.deepEqual(await read(theVolume(wanted.volume), 0, 4), Buffer.from('here'));
    await driver.removeExport(wanted, calm());
    await assert.rejects(open(String(data.device_path), 'r'), { code: 'ENOENT' });
  });

  it('is not exported to another machine', async (context) => {
    const { driver, wanted } = await exportable(context, fileWorld(tmpdir(), exec));
    for (const connector of [{ host: 'elsewhere' }, {}, { host: 1 }])
      await assert.rejects(driver.ensureExport({ ...wanted, connector }, calm()), InvalidConnector);
    assert.deepEqual(await driver.listExports(calm().signal), []);
  });

  it('must be there', async (context) => {
    const { driver, wanted } = await exportable(context, fileWorld(tmpdir(), exec));
    const volume = { id: uuid(), sizeGiB: 1 };
    await assert.rejects(driver.ensureExport({ ...wanted, volume }, calm()), DriverFailed);
  });

  it('is opened and closed without a look at the other files of the backend', async (context) => {
    const { driver, wanted } = await exportable(context, fileWorld(tmpdir(), exec));
    // The mark, the volume, the link; the directory is opened and synced.
    assert.equal(await fileCalls(() => driver.ensureExport(wanted, calm())), 5);
    assert.equal(await fileCalls(() => driver.removeExport(wanted, calm())), 4);
  });

  it('is closed although a crash of an earlier release left a second link', async (context) => {
    const { driver, wanted, directory } = await exportable(context, fileWorld(tmpdir(), exec));
    await driver.ensureExport(wanted, calm());
    await symlink(`volume-${wanted.volume.id}`, join(directory, `.export-${wanted.attachmentId}.${uuid()}`));
    await driver.removeExport(wanted, calm());
    for (const { attachmentId } of await driver.listExports(calm().signal))
      await driver.removeExport({ attachmentId }, calm());
    assert.deepEqual(await driver.listExports(calm().signal), []);
  });

  it('keeps its content as long as it can be reached', async (context) => {
    const world = await exportable(context, fileWorld(tmpdir(), exec));
    await keepsItsContent(world);
  });

  it('gets its path although something else had the name', async (context) => {
    const { driver, wanted, directory } = await exportable(context, fileWorld(tmpdir(), exec));
    await symlink('/etc/passwd', join(directory, `.export-${wanted.attachmentId}`));
    const { data } = await driver.ensureExport(wanted, calm());
    assert.equal(await readlink(String(data.device_path)), `volume-${wanted.volume.id}`);
  });
});

describe('a volume that is exported over iSCSI', { skip: noTgt ?? false }, () => {
  it('says nothing of its secret, whatever goes wrong', async (context) => {
    const failing: Exec = async (argv, options) => {
      if (argv.includes(SECRET)) throw new CommandFailed(argv, 22, 'tgtadm: no', false);
      return exec(argv, options);
    };
    const { driver, wanted } = await exportable(context, tgtWorld(failing));
    await assert.rejects(driver.ensureExport(wanted, calm()), (error: Error) => {
      assert.ok(error instanceof TargetDaemonFailed);
      assert.ok(!JSON.stringify([error, error.message, error.stack, error.cause, { ...error }]).includes(SECRET));
      return true;
    });
  });

  it('wants a connector with an initiator', async (context) => {
    const { driver, wanted } = await exportable(context, tgtWorld(exec));
    for (const bad of [undefined, '', 'ALL', '-x', 'iqn.a b', 'iqn.x,y', 7, `iqn.${'x'.repeat(300)}`]) {
      const connector = bad === undefined ? {} : { initiator: bad };
      await assert.rejects(driver.ensureExport({ ...wanted, connector }, calm()), InvalidConnector, String(bad));
    }
  });

  it('keeps its content as long as it can be reached', async (context) => {
    const world = await exportable(context, tgtWorld(exec));
    await keepsItsContent(world);
  });

  it('is exported anew when it is wanted for another machine', async (context) => {
    const { driver, wanted, directory, portal } = { ...(await exportable(context, tgtWorld(exec))), portal: '' };
    await driver.ensureExport(wanted, calm());
    await driver.ensureExport({ ...wanted, connector: { initiator: 'iqn.2004-10.test:two' }, readOnly: true }, calm());
    const daemon = new Tgtd({ exec, own: join(directory, '.tgtd'), portal });
    const targets = parseTargets(await daemon.run(['--op', 'show', '--mode', 'target'], calm().signal));
    assert.deepEqual(
      targets.map((each) => [each.initiators, each.units[1]?.readOnly]),
      [[['iqn.2004-10.test:two'], true]],
    );
  });

  it('is exported again after the daemon was killed, and the daemon ends with the last export', async (context) => {
    const { driver, wanted, directory } = await exportable(context, tgtWorld(exec));
    const before = await driver.ensureExport(wanted, calm());
    assert.ok((await killTgtd(directory)) > 0);
    assert.deepEqual(await driver.listExports(calm().signal), []);
    assert.deepEqual(await driver.ensureExport(wanted, calm()), before);
    await driver.removeExport(wanted, calm());
    assert.equal(await killTgtd(directory), 0);
  });

  it('is not exported by a daemon that listens on every address, because its own is taken', async (context) => {
    const { driver, wanted, directory } = await exportable(context, tgtWorld(exec));
    const { data } = await driver.ensureExport(wanted, calm());
    const portal = String(data.target_portal);
    const other = new Tgtd({ exec, own: join(directory, '.other'), portal });
    await assert.rejects(other.ensureRunning(calm().signal), TargetDaemonFailed);
    assert.equal(await other.isRunning(calm().signal), false);
  });
});

describe('the tgtd of the system', { skip: noTgt ?? false }, () => {
  it('is used, keeps the targets of others, and is not ended with our last export', async (context) => {
    const { driver: ours, wanted, directory } = await exportable(context, tgtWorld(exec));
    const { data } = await ours.ensureExport(wanted, calm());
    const portal = String(data.target_portal);
    // What stands where the system's daemon would, with a target of somebody else.
    const own = join(directory, '.tgtd');
    const asSystem: Exec = ([program, ...args], options) =>
      exec(['env', `TGT_IPC_SOCKET=${own}`, program, ...args], options);
    const daemon = new Tgtd({ exec: asSystem, own: null, portal });
    const prefix = 'iqn.2004-10.test.ours:';
    const driver = new FileDriver({
      name: 'file',
      directory,
      exec,
      exports: new IscsiExports({ daemon, prefix, portal }),
    });
    await driver.start(calm().signal);
    const mine = { ...wanted, attachmentId: uuid() };
    await driver.ensureExport(mine, calm());
    assert.deepEqual(await driver.listExports(calm().signal), [{ attachmentId: mine.attachmentId }]);
    await driver.removeExport(mine, calm());
    assert.deepEqual(await driver.listExports(calm().signal), []);
    assert.deepEqual(await ours.listExports(calm().signal), [{ attachmentId: wanted.attachmentId }]);
  });

  it('that does not answer keeps the backend down', async () => {
    const silent: Exec = async (argv) => {
      if (argv.includes('--help')) return '';
      throw new CommandFailed(argv, 107, 'Transport endpoint is not connected', false);
    };
    const daemon = new Tgtd({ exec: silent, own: null, portal: '127.0.0.1:3260' });
    await assert.rejects(daemon.check(calm().signal), TargetDaemonFailed);
  });
});

describe('a backend that is to export over iSCSI', () => {
  const portal = async (): Promise<string> => `127.0.0.1:${await freePort()}`;

  it('says so where tgt is not installed, and what works without it', async () => {
    const missing: Exec = async ([program]) => {
      throw new CommandMissing(`${program} is not installed.`);
    };
    const daemon = new Tgtd({ exec: missing, own: '/x/.tgtd', portal: await portal() });
    await assert.rejects(daemon.check(calm().signal), (error: Error) => {
      assert.ok(error instanceof DriverNotInitialized);
      assert.match(error.message, /tgtadm is not installed.*target_protocol = "local"/);
      return true;
    });
  });

  it('says so where its directory has too long a name for a socket', async () => {
    const daemon = new Tgtd({ exec, own: `/${'x'.repeat(200)}`, portal: await portal() });
    await assert.rejects(daemon.check(calm().signal), DriverNotInitialized);
  });
});
