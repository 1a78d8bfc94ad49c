/** What has changed since an earlier backup, told by where blocks lie on the disk: nothing is missed, whatever was done to the volume. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { differences, parseDifferences } from '../../../src/drivers/file/differences.ts';
import { FileDriver } from '../../../src/drivers/file/file-driver.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { CommandFailed, CommandMissing, type Exec, exec } from '../../../src/lib/exec.ts';
import type { DataExtent } from '../../../src/lib/file-content.ts';
import { DriverFailed } from '../../../src/model/errors.ts';
import { calm } from '../driver-world.ts';
import { changeAtRandom, numbers } from './changes.ts';
import { cannotMount, type Kind, mountFileSystem } from './file-systems.ts';

const MIB = 1024 ** 2;
/** Of a volume, what is changed. */
const BYTES = 32 * MIB;
const PAGE = 4096;
/** So few changes in each that most of what is told is told for one of them alone. */
const ROUNDS = 12;
const CHANGES = 4;

async function beginning(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    return (await file.read(Buffer.alloc(BYTES), 0, BYTES, 0)).buffer;
  } finally {
    await file.close();
  }
}

/** Places of pages that differ and were not told. */
function missed(before: Buffer, later: Buffer, told: readonly DataExtent[]): number[] {
  const places: number[] = [];
  for (let at = 0; at < BYTES; at += PAGE) {
    const isSame = before.compare(later, at, at + PAGE, at, at + PAGE) === 0;
    if (!isSame && !told.some((range) => range.at <= at && at + PAGE <= range.at + range.bytes)) places.push(at);
  }
  return places;
}

async function driverOn(directory: string, run: Exec = exec): Promise<FileDriver> {
  const driver = new FileDriver({ name: 'file', directory, exec: run, create: true });
  await driver.start(calm().signal);
  return driver;
}

for (const kind of ['xfs', 'btrfs'] as const satisfies readonly Kind[]) {
  describe(`what has changed in a volume on ${kind} since it was kept for a backup`, {
    skip: cannotMount(kind) ?? cannotMount('xfs') ?? false,
  }, () => {
    it('is told whole, after whatever was done to it', async (t) => {
      const mounted = mountFileSystem(kind, 600);
      t.after(() => mounted.remove());
      const driver = await driverOn(join(mounted.path, 'pool'));
      const at = (name: string): string => join(mounted.path, 'pool', name);
      const volume = { id: uuid(), sizeGiB: 1 };
      const snapshot = { id: uuid(), volumeId: volume.id, sizeGiB: 1 };
      await driver.createVolume(volume, calm());
      const disk = at(`volume-${volume.id}`);
      await writeFile(disk, Buffer.alloc(BYTES, 'what a guest has written'), { flag: 'r+' });
      const number = numbers(11);
      let kept = uuid();
      await driver.keepForBackup(kept, { volume }, calm());
      let changed = 0;
      for (let round = 0; round < ROUNDS; round += 1) {
        for (let changes = number(CHANGES); changes >= 0; changes -= 1) await changeAtRandom(disk, BYTES, number);
        if (round === 3) await driver.createSnapshot(snapshot, calm());
        if (round === 7) await driver.revertToSnapshot(volume, snapshot, calm());
        const next = uuid();
        await driver.keepForBackup(next, { volume }, calm());
        const base = await driver.changedSince(volume, kept, next, calm());
        assert.ok(base?.changed, 'it can be told here');
        const [before, later] = [await beginning(base.path), await beginning(at(`backup-${next}`))];
        assert.deepEqual(missed(before, later, base.changed), [], `round ${round}`);
        assert.deepEqual((await driver.changedSince(volume, next, next, calm()))?.changed, []);
        if (!before.equals(later)) changed += 1;
        // The room of what is dropped is given to what is written next.
        await driver.dropForBackup(kept, volume, calm());
        kept = next;
      }
      assert.ok(changed > ROUNDS / 2);
    });
  });
}

describe('what has changed in a volume on btrfs that compresses', { skip: cannotMount('btrfs') ?? false }, () => {
  it('cannot be told', async (t) => {
    const mounted = mountFileSystem('btrfs', 300);
    t.after(() => mounted.remove());
    mounted.remount('compress-force=zstd');
    const driver = await driverOn(join(mounted.path, 'pool'));
    const volume = { id: uuid(), sizeGiB: 1 };
    await driver.createVolume(volume, calm());
    const path = join(mounted.path, 'pool', `volume-${volume.id}`);
    execFileSync('dd', ['if=/dev/zero', `of=${path}`, 'bs=1M', 'count=8', 'conv=notrunc,fsync'], { stdio: 'ignore' });
    const [first, second] = [uuid(), uuid()];
    for (const id of [first, second]) await driver.keepForBackup(id, { volume }, calm());
    const base = await driver.changedSince(volume, first, second, calm());
    assert.equal(base?.changed, null);
    assert.match(base?.path ?? '', new RegExp(`backup-${first}$`));
  });
});

describe('a base that is dropped while it is looked at', { skip: cannotMount('xfs') ?? false }, () => {
  it('is none', async (t) => {
    const mounted = mountFileSystem('xfs', 400);
    t.after(() => mounted.remove());
    const [first, second] = [uuid(), uuid()];
    const dropping: Exec = async (argv, options) => {
      if (argv[0] === 'perl') await rm(join(mounted.path, 'pool', `backup-${first}`));
      return exec(argv, options);
    };
    const driver = await driverOn(join(mounted.path, 'pool'), dropping);
    const volume = { id: uuid(), sizeGiB: 1 };
    await driver.createVolume(volume, calm());
    for (const id of [first, second]) await driver.keepForBackup(id, { volume }, calm());
    assert.equal(await driver.changedSince(volume, first, second, calm()), null);
    await assert.rejects(driver.changedSince(volume, second, first, calm()), DriverFailed);
  });
});

describe('the list of differences', () => {
  const here = import.meta.filename;

  it('is asked for only where its meaning was tried', { skip: cannotMount('ext4') ?? false }, async (t) => {
    const mounted = mountFileSystem('ext4', 100);
    t.after(() => mounted.remove());
    const path = join(mounted.path, 'file');
    execFileSync('dd', ['if=/dev/urandom', `of=${path}`, 'bs=1M', 'count=1'], { stdio: 'ignore' });
    assert.equal(await differences(exec, path, path, calm().signal), null);
  });

  it('is read line by line, and nothing else is taken for one', () => {
    assert.deepEqual(parseDifferences(''), []);
    assert.deepEqual(parseDifferences('0 1\n7 12\n'), [
      { at: 0, bytes: MIB },
      { at: 7 * MIB, bytes: 12 * MIB },
    ]);
    for (const wrong of ['0 1', '0 1\n7', 'fiemap\n', '-1 2\n', '\n'])
      assert.throws(() => parseDifferences(wrong), TypeError);
  });

  it('cannot be told without perl, nor when it is too long, and what else fails is told', async (t) => {
    const skip = cannotMount('xfs');
    if (skip !== null) return t.skip(skip);
    const mounted = mountFileSystem('xfs', 400);
    t.after(() => mounted.remove());
    const asked = (error: Error) => differences(() => Promise.reject(error), here, mounted.path, calm().signal);
    assert.equal(await asked(new CommandMissing('perl is not installed.')), null);
    assert.equal(await asked(new CommandFailed(['perl'], null, 'It printed more than 7 characters.', false)), null);
    await assert.rejects(asked(new CommandFailed(['perl'], 2, 'fiemap: no', false)), CommandFailed);
  });
});
