/** A volume that one backend opens and another, on a machine that sees no file of it, reads over iSCSI. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { FileDriver } from '../../src/drivers/file/file-driver.ts';
import { copyArgv, copyRemote, infoArgv } from '../../src/drivers/remote-copy.ts';
import type { OpenedSource } from '../../src/drivers/remote-source.ts';
import { uuid } from '../../src/lib/clock.ts';
import { CommandFailed, type Exec, exec } from '../../src/lib/exec.ts';
import { newSecret } from '../../src/lib/secret.ts';
import { DriverFailed } from '../../src/model/errors.ts';
import { calm } from './driver-world.ts';
import { noTgt, tgtWorld } from './exports/tgt-world.ts';

const GIB = 1024 ** 3;

const opened: OpenedSource = {
  portal: '192.0.2.1:3260',
  target: 'iqn.2010-10.org.openstack:volume-1.2',
  lun: 1,
  initiator: 'iqn.2010-10.org.openstack:pumice.2',
  user: '2',
  bytes: GIB,
  dataBytes: 4096,
  secret: 'nobody is to know',
};

const unread = (why: RegExp) => (error: unknown) =>
  error instanceof DriverFailed && error.cause instanceof CommandFailed && why.test(error.cause.stderr);

async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'pumice-remote-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

describe('the commands that read a volume of another machine', () => {
  it('hold everything that it takes but the secret, and no rate when there is none', () => {
    const copy = copyArgv(opened, '/target', { direct: true, bytesPerSecond: 1000 });
    assert.ok(copy.join(' ').includes('-t none -r 1000'));
    assert.equal(copy.at(-1), '/target');
    assert.ok(!copyArgv(opened, '/target', { direct: false, bytesPerSecond: 0 }).includes('-r'));
    for (const argv of [copy, infoArgv(opened)]) {
      for (const part of [opened.portal, opened.target, opened.initiator]) assert.ok(argv.join(' ').includes(part));
      assert.ok(!argv.join(' ').includes(opened.secret));
    }
  });
});

describe('a copy from another machine', () => {
  it('is ended when the source does not answer some times in a row, and never waits for ever', async () => {
    const reached: Exec = async (argv, options) => {
      assert.equal(options.input, opened.secret);
      if (argv.includes('info')) throw new CommandFailed(argv, 1, 'Connection refused', false);
      return exec(['sleep', '600'], { signal: options.signal, timeoutMs: 600_000 });
    };
    const copy = copyRemote(reached, opened, '/dev/null', 0, calm(), 1);
    await assert.rejects(
      copy,
      (error) => error instanceof DriverFailed && /cannot be read from here/.test(error.message),
    );
  });

  it('goes on when the source was only slow to answer', async () => {
    let looks = 0;
    const done = Promise.withResolvers<void>();
    const reached: Exec = async (argv) => {
      if (!argv.includes('info')) {
        await done.promise;
        return '';
      }
      looks += 1;
      if (looks === 8) done.resolve();
      if (looks % 3 === 0) return '';
      throw new CommandFailed(argv, 1, 'no answer', true);
    };
    await copyRemote(reached, opened, '/dev/null', 0, calm(), 1);
    assert.ok(looks >= 8);
  });
});

describe('a volume that is opened over iSCSI', { skip: noTgt ?? false }, () => {
  it('is received with its bytes and its holes by who knows the secret, and shut by its id', async (t) => {
    const world = await tgtWorld(exec);
    t.after(() => world.cleanup());
    const volume = { id: uuid(), sizeGiB: 1 };
    await world.driver.createVolume(volume, calm());
    await world.write(volume, 5 * 1024 ** 2, Buffer.alloc(1024 ** 2, 'kept'));
    const [id, secret] = [uuid(), newSecret()];
    const source = await world.driver.openVolume(volume, { id, secret }, calm());
    assert.deepEqual(await world.driver.openVolume(volume, { id, secret }, calm()), source);
    assert.equal(source.bytes, GIB);

    const directory = await temporaryDirectory(t);
    const other = new FileDriver({ name: 'other', directory: join(directory, 'pool'), exec, create: true });
    await other.start(calm().signal);
    const copy = { ...volume, nameId: uuid() };
    const wrong = { ...source, secret: newSecret() };
    await assert.rejects(other.receiveVolume(copy, wrong, { copies: false }, calm()), unread(/Authentication failure/));
    const stranger = { ...source, initiator: `${source.initiator}x`, secret };
    await assert.rejects(other.receiveVolume(copy, stranger, { copies: false }, calm()), unread(/Target not found/));
    assert.deepEqual(await other.list(calm().signal), []);

    let told = 0;
    const progress = (fraction: number): void => {
      told = fraction;
    };
    const call = { ...calm(), progress };
    await other.receiveVolume(copy, { ...source, secret }, { copies: false }, call);
    assert.equal(told, 1);
    execFileSync('cmp', [world.driver.localPath(volume), other.localPath(copy)]);
    assert.ok((await stat(other.localPath(copy))).blocks * 512 <= 2 * 1024 ** 2, 'holes are holes');

    await world.driver.removeExport({ attachmentId: id }, calm());
    assert.deepEqual(await world.driver.listExports(calm().signal), []);
  });

  it('is not opened by a backend whose volumes are reached on its own machine alone', async (t) => {
    const directory = join(await temporaryDirectory(t), 'pool');
    const local = new FileDriver({ name: 'file', directory, exec, create: true });
    await local.start(calm().signal);
    const volume = { id: uuid(), sizeGiB: 1 };
    await local.createVolume(volume, calm());
    const opening = local.openVolume(volume, { id: uuid(), secret: newSecret() }, calm());
    await assert.rejects(opening, /on this machine alone/);
    assert.deepEqual(await local.listExports(calm().signal), []);
  });
});
