/** What the file driver does in this process with files that take little space, on XFS. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import type { ObjectName, VolumeRef } from '../../../src/drivers/driver.ts';
import { smallFiles } from '../../../src/drivers/file/small-files.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { type Exec, exec } from '../../../src/lib/exec.ts';
import { calm, perform, type Request, theSnapshot, theVolume } from '../driver-world.ts';
import { fileCalls } from './file-calls.ts';
import { cannotMount, mountFileSystem } from './file-systems.ts';
import { fileWorld } from './file-world.ts';

const skip = cannotMount('xfs');

describe('a volume that takes little space, on XFS', { skip: skip ?? false }, () => {
  const mounted = skip === null ? mountFileSystem('xfs', 300) : undefined;
  after(() => mounted?.remove());

  const newVolume = async (t: TestContext, run: Exec = exec) => {
    const world = await fileWorld(mounted?.path ?? '', run, { held: true });
    t.after(() => world.cleanup());
    const volume = { id: uuid(), sizeGiB: 1 };
    const snapshot = { id: uuid(), volumeId: volume.id, sizeGiB: 1 };
    await world.driver.createVolume(volume, calm());
    await world.write(volume, 0, Buffer.alloc(4096, 'old '));
    const at = (name: string): string => join(world.directory, name);
    return { ...world, volume, snapshot, at };
  };

  it('is snapshotted, made into another, kept for a backup, grown and reverted without a program', async (t) => {
    const noProgram: Exec = (argv) => assert.fail(`${argv.join(' ')} was started`);
    const { driver, read, volume, snapshot } = await newVolume(t, noProgram);
    const [equal, larger] = [
      { id: uuid(), sizeGiB: 1 },
      { id: uuid(), sizeGiB: 2 },
    ];
    await driver.createSnapshot(snapshot, calm());
    await driver.createVolumeFromSnapshot(equal, snapshot, calm());
    await driver.createClonedVolume(larger, volume, calm());
    await driver.keepForBackup(uuid(), { volume }, calm());
    await driver.revertToSnapshot(volume, snapshot, calm());
    await driver.extendVolume(volume, 2, calm());
    for (const each of [theSnapshot(snapshot), theVolume(equal), theVolume(larger), theVolume(volume)])
      assert.equal(`${await read(each, 0, 8)}`, 'old old ');
  });

  it('costs so many calls to the file system when it is snapshotted', async (t) => {
    const { driver, snapshot } = await newVolume(t);
    await driver.createSnapshot({ ...snapshot, id: uuid() }, calm());
    // Two looks; an empty one; two looks, clone, three looks; open, sync; link, unlink; the directory is opened and synced.
    assert.equal(await fileCalls(() => driver.createSnapshot(snapshot, calm())), 15);
  });

  const killed: readonly (readonly [string, (volume: VolumeRef, id: string) => readonly [Request, ObjectName]])[] = [
    [
      'a snapshot',
      (volume, id) => {
        const snapshot = { id, volumeId: volume.id, sizeGiB: 1 };
        return [['createSnapshot', snapshot], theSnapshot(snapshot)];
      },
    ],
    ['a larger volume', (volume, id) => [['createClonedVolume', { id, sizeGiB: 2 }, volume], theVolume({ id })]],
  ];
  for (const [what, newOne] of killed) {
    it(`becomes ${what} or nothing, wherever the call is killed and comes again`, async (t) => {
      const { driver, directory, volume, read, write, leftovers } = await newVolume(t);
      const program = join(import.meta.dirname, 'dying-process.ts');
      const seen: string[] = [];
      for (let step = 1, died = true; died; step += 1) {
        const [request, made] = newOne(volume, uuid());
        await write(volume, 0, Buffer.alloc(4096, 'old '));
        const argv = [program, directory, JSON.stringify(request), String(step)];
        const [code, killedBy] = await once(spawn(process.execPath, argv, { stdio: 'inherit' }), 'exit');
        died = killedBy === 'SIGKILL';
        assert.ok(died || code === 0, `it ended with ${code}`);
        await write(volume, 0, Buffer.alloc(4096, 'new '));
        // What was left is known to who takes the backend then.
        driver.release();
        assert.ok(await driver.hold(calm().signal));
        await perform(driver, request, calm());
        seen.push(`${await read(made, 0, 4)}`);
        assert.deepEqual(await leftovers(), [], `after step ${step}`);
      }
      const published = seen.indexOf('old ');
      assert.deepEqual(
        seen,
        seen.map((_, at) => (at < published ? 'new ' : 'old ')),
      );
      assert.ok(
        published >= 3 && seen.length > published + 1,
        'killed before and after the clone, and with both names',
      );
    });
  }

  it('has snapshots that only the service may read, whoever may read what was taken over', async (t) => {
    const { driver, snapshot, at } = await newVolume(t);
    await chmod(at(`volume-${snapshot.volumeId}`), 0o644);
    await driver.createSnapshot(snapshot, calm());
    assert.equal((await stat(at(`snapshot-${snapshot.id}`))).mode & 0o777, 0o600);
  });

  it('is not cloned into another file system, and what was to be its clone is empty', async (t) => {
    const { volume, at } = await newVolume(t);
    const directory = await mkdtemp(join(tmpdir(), 'pumice-small-'));
    t.after(() => rm(directory, { recursive: true }));
    const target = join(directory, 'target');
    await writeFile(target, 'something');
    assert.equal(await smallFiles.clone(at(`volume-${volume.id}`), target), false);
    assert.equal(await readFile(target, 'utf8'), '');
  });
});
