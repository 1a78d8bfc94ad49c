/** Snapshots of several volumes in one moment: what is left and what comes of it, wherever the call that took them was killed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { uuid } from '../../../src/lib/clock.ts';
import { exec } from '../../../src/lib/exec.ts';
import { BackendFull, BackendObjectMismatch, DriverFailed } from '../../../src/model/errors.ts';
import { calm, type Request, theSnapshot } from '../driver-world.ts';
import { cannotMount, mountFileSystem } from './file-systems.ts';
import { type FileWorld, type FileWorldOptions, fileWorld } from './file-world.ts';

const skip = cannotMount('xfs');
const { signal } = calm();

/** Two volumes that say which version they are of, and the snapshots that are asked for. */
async function pair(t: TestContext, made: Promise<FileWorld>) {
  const world = await made;
  t.after(() => world.cleanup());
  const volumes = [uuid(), uuid()].map((id) => ({ id, sizeGiB: 1 }));
  const snapshots = volumes.map(({ id }) => ({ id: uuid(), volumeId: id, sizeGiB: 1 }));
  const writeAll = async (version: string): Promise<void> => {
    for (const volume of volumes) await world.write(volume, 0, Buffer.alloc(4096, version));
  };
  const versions = async (): Promise<readonly string[]> => {
    const heads = await Promise.all(snapshots.map((snapshot) => world.read(theSnapshot(snapshot), 0, 4)));
    return heads.map((head) => head.toString());
  };
  const published = async (): Promise<number> => {
    const names = await readdir(world.directory);
    return snapshots.filter(({ id }) => names.includes(`snapshot-${id}`)).length;
  };
  const hasMark = async (): Promise<boolean> => (await world.leftovers()).some((name) => name.startsWith('.moment-'));
  for (const volume of volumes) await world.driver.createVolume(volume, calm());
  await writeAll('old ');
  return { ...world, volumes, snapshots, writeAll, versions, published, hasMark };
}

/** False when it ended before it came to die. */
async function diesAt(step: number, directory: string, request: Request): Promise<boolean> {
  const program = join(import.meta.dirname, 'dying-process.ts');
  const argv = [program, directory, JSON.stringify(request), String(step)];
  const [code, killedBy] = await once(spawn(process.execPath, argv, { stdio: 'inherit' }), 'exit');
  assert.ok(code === 0 || killedBy === 'SIGKILL', `it ended with ${code}`);
  return killedBy === 'SIGKILL';
}

describe('snapshots of several volumes in one moment, on XFS', { skip: skip ?? false }, () => {
  const mounted = skip === null ? mountFileSystem('xfs', 400) : undefined;
  after(() => mounted?.remove());
  const newPair = (t: TestContext, options: FileWorldOptions = {}) =>
    pair(t, fileWorld(mounted?.path ?? '', exec, { held: true, ...options }));

  it('are all of one moment or not there, wherever their call is killed and comes again', async (t) => {
    const seen = new Set<string>();
    for (let step = 1; ; step += 1) {
      const is = await newPair(t);
      const died = await diesAt(step, is.directory, ['createGroupSnapshot', is.snapshots]);
      if (!died) break;
      const alone = (await is.published()) === 1;
      assert.ok(!alone || (await is.hasMark()), `one is there without the mark after step ${step}`);
      await is.writeAll('new ');
      const driver = await is.restarted();
      const busy = new Set(is.snapshots.map(({ id }) => id));
      assert.deepEqual(await driver.sweep(busy, signal), [], 'the call is under way');
      await driver.createGroupSnapshot(is.snapshots, calm());
      const [one, other] = await is.versions();
      assert.equal(one, other, `of two moments after step ${step}`);
      seen.add(one as string);
      assert.deepEqual(await is.leftovers(), []);
    }
    assert.deepEqual([...seen], ['new ', 'old '], 'some were killed before the mark, some after');
  });

  it('are taken away by the delete of each, wherever their call is killed', async (t) => {
    for (let step = 1; ; step += 1) {
      const is = await newPair(t);
      if (!(await diesAt(step, is.directory, ['createGroupSnapshot', is.snapshots]))) break;
      const driver = await is.restarted();
      for (const snapshot of is.snapshots) await driver.deleteSnapshot(snapshot, calm());
      assert.equal(await is.published(), 0);
      assert.deepEqual(await is.leftovers(), [], `after step ${step}`);
    }
  });

  it('are refused when one is there already, of another moment, and nothing is made', async (t) => {
    const is = await newPair(t);
    await is.driver.createSnapshot(is.snapshots[1] as (typeof is.snapshots)[number], calm());
    await assert.rejects(is.driver.createGroupSnapshot(is.snapshots, calm()), BackendObjectMismatch);
    assert.equal(await is.published(), 1);
    assert.deepEqual(await is.leftovers(), []);
  });

  it('are refused when a volume is not there or of another size, and none is made', async (t) => {
    const is = await newPair(t);
    const [first, second] = is.snapshots;
    assert.ok(first && second);
    const asked = [first, { ...second, sizeGiB: 2 }];
    await assert.rejects(is.driver.createGroupSnapshot(asked, calm()), BackendObjectMismatch);
    await assert.rejects(is.driver.createGroupSnapshot([first, { ...second, volumeId: uuid() }], calm()), DriverFailed);
    assert.equal(await is.published(), 0);
    assert.deepEqual(await is.leftovers(), []);
  });

  it('say that the backend is full, leave nothing, and are taken when there is room again', async (t) => {
    const is = await newPair(t, { fillable: true });
    assert.ok(is.fill);
    // To share blocks takes room for the notes on them: many pieces, many notes.
    for (const { id } of is.volumes) {
      const file = await open(join(is.directory, `volume-${id}`), 'r+');
      for (let at = 0; at < 4_000; at += 1) await file.write('x', at * 8192);
      await file.close();
    }
    const empty = await is.fill(0);
    await assert.rejects(is.driver.createGroupSnapshot(is.snapshots, calm()), BackendFull);
    assert.equal(await is.published(), 0);
    assert.deepEqual(await is.leftovers(), []);
    await empty();
    await is.driver.createGroupSnapshot(is.snapshots, calm());
    assert.equal(await is.published(), 2);
  });
});
