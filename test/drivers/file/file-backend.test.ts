/** What is the file driver's own: its directory, its names, foreign files of every kind, power cuts. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  link,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { MARKER } from '../../../src/drivers/file/backend-directory.ts';
import { FileDriver } from '../../../src/drivers/file/file-driver.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { CommandFailed, CommandMissing, type Exec, exec } from '../../../src/lib/exec.ts';
import * as errors from '../../../src/model/errors.ts';
import { isCopy } from '../../prove-driver.ts';
import { calm, theSnapshot, theVolume } from '../driver-world.ts';
import { cannotMount, mountFileSystem } from './file-systems.ts';
import { fileWorld } from './file-world.ts';

const GIB = 1024 ** 3;
const { signal } = calm();

async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'pumice-file-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function plainWorld(t: TestContext, run: Exec = exec) {
  const world = await fileWorld(await temporaryDirectory(t), run);
  const put = async (name: string, bytes = GIB, head = ''): Promise<string> => {
    const file = await open(join(world.directory, name), 'w');
    await file.truncate(bytes);
    await file.write(head, 0, 'latin1');
    await file.close();
    return join(world.directory, name);
  };
  return { ...world, put };
}

describe('the directory of a backend', () => {
  it('is not made unless that is asked for', async (t) => {
    const directory = join(await temporaryDirectory(t), 'pool');
    const driver = new FileDriver({ name: 'file', directory, exec });
    await assert.rejects(driver.start(signal), errors.DriverNotInitialized);
    await assert.rejects(stat(directory), { code: 'ENOENT' });
  });

  it('is made and marked with create, and found by its mark without', async (t) => {
    const directory = join(await temporaryDirectory(t), 'a', 'pool');
    await new FileDriver({ name: 'file', directory, exec, create: true }).start(signal);
    const marker = await readFile(join(directory, MARKER), 'utf8');
    await new FileDriver({ name: 'file', directory, exec }).start(signal);
    await new FileDriver({ name: 'file', directory, exec, create: true }).start(signal);
    assert.equal(await readFile(join(directory, MARKER), 'utf8'), marker);
    assert.deepEqual(await readdir(directory), [MARKER]);
  });

  it('is refused without its mark, with a strange mark, and when it is a file', async (t) => {
    const directory = await temporaryDirectory(t);
    const start = (path: string, create = false) =>
      new FileDriver({ name: 'file', directory: path, exec, create }).start(signal);
    await assert.rejects(start(directory), /not mounted/);
    await writeFile(join(directory, MARKER), 'something else');
    await assert.rejects(start(directory, true), errors.DriverNotInitialized);
    await writeFile(join(directory, 'file'), '');
    for (const create of [false, true])
      await assert.rejects(start(join(directory, 'file'), create), errors.DriverNotInitialized);
  });

  it('is not made again when it was there once', async (t) => {
    const { driver, directory } = await plainWorld(t);
    await rename(directory, `${directory}-moved`);
    t.after(() => rm(`${directory}-moved`, { recursive: true, force: true }));
    await assert.rejects(driver.start(signal), errors.DriverNotInitialized);
    await assert.rejects(driver.createVolume({ id: uuid(), sizeGiB: 1 }, calm()), errors.DriverNotInitialized);
    await assert.rejects(driver.stats(signal), errors.DriverNotInitialized);
    await mkdir(directory);
    await assert.rejects(driver.createVolume({ id: uuid(), sizeGiB: 1 }, calm()), errors.DriverNotInitialized);
    await assert.rejects(driver.start(signal), errors.DriverNotInitialized);
    await assert.rejects(driver.sweep(new Set(), signal), errors.DriverNotInitialized);
    assert.deepEqual(await readdir(directory), []);
    await rm(directory, { recursive: true });
    await rename(`${directory}-moved`, directory);
    await driver.start(signal);
    await driver.createVolume({ id: uuid(), sizeGiB: 1 }, calm());
  });

  it('is not usable before the driver was started', async (t) => {
    const driver = new FileDriver({ name: 'file', directory: await temporaryDirectory(t), exec, create: true });
    await assert.rejects(driver.stats(signal), errors.DriverNotInitialized);
  });
});

describe('failures of the system below the file driver', () => {
  const volume = { id: uuid(), sizeGiB: 1 };
  const texts = [
    ['No space left on device', errors.BackendFull],
    ['Disk quota exceeded', errors.BackendFull],
    ['Read-only file system', errors.DriverFailed],
    ['Permission denied', errors.DriverFailed],
    ['Input/output error', errors.DriverFailed],
  ] as const;
  for (const [text, kind] of texts) {
    it(`come out as ${kind.name} when a program says "${text}"`, async (t) => {
      const failing: Exec = async (argv, options) => {
        if (isCopy(argv)) throw new CommandFailed(argv, 1, `cannot do it: ${text}`, false);
        return exec(argv, options);
      };
      const { driver, leftovers } = await plainWorld(t, failing);
      await driver.createVolume(volume, calm());
      await assert.rejects(driver.createClonedVolume({ id: uuid(), sizeGiB: 1 }, volume, calm()), (error) => {
        assert.ok(error instanceof kind && error.elsewhere && error.cause instanceof CommandFailed);
        return true;
      });
      assert.deepEqual(await leftovers(), []);
    });
  }

  it('name the program that is not installed', async (t) => {
    const bare: Exec = async ([program]) => {
      throw new CommandMissing(`${program} is not installed.`);
    };
    const { driver } = await plainWorld(t, bare);
    await driver.createVolume(volume, calm());
    await assert.rejects(
      driver.createClonedVolume({ id: uuid(), sizeGiB: 1 }, volume, calm()),
      /(cp|qemu-img) is not installed/,
    );
  });

  it('are spared the copy by qemu-img that is not installed: cp makes it', async (t) => {
    const bare: Exec = async (argv, options) => {
      if (argv[0] === 'qemu-img') throw new CommandMissing('qemu-img is not installed.');
      return exec(argv, options);
    };
    const { driver, write, read } = await plainWorld(t, bare);
    await driver.createVolume(volume, calm());
    await write(volume, 8192, Buffer.from('kept'));
    const clone = { id: uuid(), sizeGiB: 1 };
    await driver.createClonedVolume(clone, volume, calm());
    assert.equal((await read(theVolume(clone), 8192, 4)).toString(), 'kept');
  });

  it('are told when a source shrinks while it is copied', async (t) => {
    const shrinking: Exec = async (argv, options) => {
      const answer = await exec(argv, options);
      if (isCopy(argv)) await truncate(argv.at(-2) ?? '', GIB / 2);
      return answer;
    };
    const { driver, leftovers } = await plainWorld(t, shrinking);
    await driver.createVolume(volume, calm());
    await assert.rejects(driver.createClonedVolume({ id: uuid(), sizeGiB: 1 }, volume, calm()), errors.DriverFailed);
    assert.deepEqual(await leftovers(), []);
  });

  it('do not delete what has the name of a volume and is none', async (t) => {
    const { driver, directory } = await plainWorld(t);
    await mkdir(join(directory, `volume-${volume.id}`));
    await assert.rejects(driver.deleteVolume(volume, calm()), errors.BackendObjectMismatch);
    await assert.rejects(driver.createVolume(volume, calm()), errors.BackendObjectMismatch);
    await stat(join(directory, `volume-${volume.id}`));
  });

  it('refuse an id that could be a path', async (t) => {
    const { driver } = await plainWorld(t);
    await assert.rejects(driver.createVolume({ id: '../escape', sizeGiB: 1 }, calm()), errors.DriverFailed);
  });
});

describe('files an operator names', () => {
  const manage = async (
    t: TestContext,
    prepare: (world: Awaited<ReturnType<typeof plainWorld>>) => Promise<unknown>,
  ) => {
    const world = await plainWorld(t);
    await prepare(world);
    const before = await readdir(world.directory);
    const ref = { 'source-name': 'theirs' };
    await assert.rejects(world.driver.manageExistingGetSize(ref, signal), errors.ManageExistingInvalidReference);
    await assert.rejects(
      world.driver.manageExisting({ id: uuid(), sizeGiB: 1 }, ref, calm()),
      errors.ManageExistingInvalidReference,
    );
    const [listed] = await world.driver.listManageable('volume', new Set(), signal);
    assert.deepEqual(await readdir(world.directory), before);
    return listed?.reason ?? '';
  };

  it('are refused when they are symbolic links', async (t) => {
    assert.match(
      await manage(t, ({ directory }) => symlink('/etc/passwd', join(directory, 'theirs'))),
      /symbolic link/,
    );
  });

  it('are refused when they have other names', async (t) => {
    const reason = await manage(t, async ({ put, directory }) =>
      link(await put('theirs'), join(directory, '..', 'other')),
    );
    assert.match(reason, /other names/);
  });

  it('are refused when they are directories, and are not waited for when they are pipes', async (t) => {
    assert.match(await manage(t, ({ directory }) => mkdir(join(directory, 'theirs'))), /not a regular file/);
    const pipe = async ({ directory }: { directory: string }) => execFileSync('mkfifo', [join(directory, 'theirs')]);
    assert.match(await manage(t, pipe), /not a regular file/);
  });

  it('are refused when they are empty or end within a sector', async (t) => {
    assert.match(await manage(t, ({ put }) => put('theirs', 0)), /empty/);
    assert.match(await manage(t, ({ put }) => put('theirs', 1000)), /multiple of 512/);
  });

  for (const [format, head] of [
    ['qcow2', 'QFI\xfb\0\0\0\x03'],
    ['vmdk', 'KDMV\x01\0\0\0'],
    ['vhdx', 'vhdxfile'],
  ] as const) {
    it(`are refused when they look like a ${format}`, async (t) => {
      assert.match(await manage(t, ({ put }) => put('theirs', 65_536, head)), new RegExp(format));
    });
  }

  it('cannot be reached outside of the directory, nor be hidden ones or our own', async (t) => {
    const { driver, put } = await plainWorld(t);
    await put('../outside');
    await put('.hidden');
    for (const name of ['../outside', '/etc/passwd', 'a/b', '..', '.', '.hidden', MARKER, 'a\0b', 'x'.repeat(300)]) {
      const ref = { 'source-name': name };
      await assert.rejects(driver.manageExistingGetSize(ref, signal), errors.ManageExistingInvalidReference, name);
    }
  });

  it('are neither swept nor listed as ours, whatever they are called', async (t) => {
    const { driver, put, directory } = await plainWorld(t);
    const names = [
      '.tmp-theirs',
      '.tmp-volume-1',
      '.del-theirs',
      'volume-theirs',
      `.tmp-volume-${uuid()}`,
      `x-volume-${uuid()}`,
    ];
    for (const name of names) await put(name, 512);
    assert.deepEqual(await driver.sweep(new Set(), signal), []);
    assert.deepEqual((await readdir(directory)).toSorted(), [MARKER, ...names].toSorted());
    assert.ok((await driver.list(signal)).every(({ owner }) => owner === null));
  });
});

describe('names by a template of the configuration', () => {
  it('are found back by their ids', async (t) => {
    const directory = await temporaryDirectory(t);
    const options = { volumeNameTemplate: 'disk-%s.raw', snapshotNameTemplate: 'snap-%s.raw' };
    const driver = new FileDriver({ name: 'file', directory, exec, create: true, ...options });
    await driver.start(signal);
    const volume = { id: uuid(), sizeGiB: 1 };
    await driver.createVolume(volume, calm());
    await driver.createSnapshot({ id: uuid(), volumeId: volume.id, sizeGiB: 1 }, calm());
    await stat(join(directory, `disk-${volume.id}.raw`));
    assert.deepEqual(
      (await driver.list(signal)).map(({ owner }) => owner?.kind),
      ['volume', 'snapshot'],
    );
    assert.throws(() => new FileDriver({ name: 'file', directory, exec, volumeNameTemplate: '../%s' }), TypeError);
    assert.throws(() => new FileDriver({ name: 'file', directory, exec, volumeNameTemplate: 'volume' }), TypeError);
  });
});

for (const kind of ['xfs', 'ext4'] as const) {
  const skip = cannotMount(kind);
  describe(`the file driver on ${kind}`, { skip: skip ?? false }, () => {
    const mounted = skip === null ? mountFileSystem(kind, 400) : undefined;
    after(() => mounted?.remove());

    it('has every volume and snapshot it answered for, with its data, after the power was cut', async () => {
      assert.ok(mounted);
      const { driver, write, read, directory } = await fileWorld(mounted.path, exec);
      const source = { id: uuid(), sizeGiB: 1 };
      const snapshot = { id: uuid(), volumeId: source.id, sizeGiB: 1 };
      const clone = { id: uuid(), sizeGiB: 2 };
      const theirs = { id: uuid(), sizeGiB: 1 };
      await driver.createVolume(source, calm());
      const data = Buffer.alloc(65_536, 'kept');
      await write(source, 40_960, data);
      await driver.createSnapshot(snapshot, calm());
      await driver.createVolumeFromSnapshot(clone, snapshot, calm());
      await driver.extendVolume(source, 3, calm());
      await writeFile(join(directory, 'theirs'), data);
      await driver.manageExisting(theirs, { 'source-name': 'theirs' }, calm());
      mounted.cutPower();
      await driver.start(signal);
      assert.partialDeepStrictEqual(await driver.probe(theVolume(source), signal), { bytes: 3 * GIB });
      assert.partialDeepStrictEqual(await driver.probe(theSnapshot(snapshot), signal), { bytes: GIB });
      assert.partialDeepStrictEqual(await driver.probe(theVolume(clone), signal), { bytes: 2 * GIB });
      assert.partialDeepStrictEqual(await driver.probe(theVolume(theirs), signal), { bytes: data.length });
      for (const what of [theVolume(source), theSnapshot(snapshot), theVolume(clone)]) {
        assert.ok((await read(what, 40_960, data.length)).equals(data), `${what.kind} lost its data`);
      }
      await driver.sweep(new Set(), signal);
      await driver.deleteVolume(source, calm());
      mounted.cutPower();
      await driver.start(signal);
      assert.notEqual((await driver.probe(theVolume(source), signal)).is, 'present');
    });

    it('says so when the file system is read-only, and works again when it is not', async () => {
      assert.ok(mounted);
      const { driver } = await fileWorld(mounted.path, exec);
      const volume = { id: uuid(), sizeGiB: 1 };
      await driver.createVolume(volume, calm());
      mounted.remount('ro');
      try {
        await assert.rejects(driver.createVolume({ id: uuid(), sizeGiB: 1 }, calm()), /read-only/);
        await assert.rejects(driver.deleteVolume(volume, calm()), /read-only/);
        await assert.rejects(
          driver.createSnapshot({ id: uuid(), volumeId: volume.id, sizeGiB: 1 }, calm()),
          /read-only/,
        );
      } finally {
        mounted.remount('rw');
      }
      await driver.deleteVolume(volume, calm());
    });

    it('does not fill the directory below when its file system is not mounted', async () => {
      assert.ok(mounted);
      const directory = mounted.path;
      const driver = new FileDriver({ name: 'file', directory, exec, create: true });
      await driver.start(signal);
      await mounted.unmounted(async () => {
        await assert.rejects(driver.createVolume({ id: uuid(), sizeGiB: 1 }, calm()), errors.DriverNotInitialized);
        await assert.rejects(new FileDriver({ name: 'file', directory, exec }).start(signal), /not mounted/);
        assert.deepEqual(await readdir(directory), []);
      });
      await driver.start(signal);
      await driver.createVolume({ id: uuid(), sizeGiB: 1 }, calm());
    });
  });
}
