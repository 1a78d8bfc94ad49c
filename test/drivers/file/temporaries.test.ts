/** What is left of unfinished work is known to who holds a backend without reading its directory, and is right all the same. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { access, link, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { FileDriver } from '../../../src/drivers/file/file-driver.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { exec } from '../../../src/lib/exec.ts';
import { calm, theVolume } from '../driver-world.ts';
import { FAULTS, FaultyExec } from '../faulty-exec.ts';
import { fileCalls } from './file-calls.ts';
import { missing } from './file-systems.ts';
import { type FileWorld, fileWorld } from './file-world.ts';

const { signal } = calm();
const some = () => ({ id: uuid(), sizeGiB: 1 });

async function heldWorld(context: TestContext, run = exec) {
  const parent = await mkdtemp(join(tmpdir(), 'pumice-temporaries-'));
  context.after(() => rm(parent, { recursive: true, force: true }));
  const world = await fileWorld(parent, run, { held: true });
  context.after(world.cleanup);
  const put = (name: string): Promise<void> => writeFile(join(world.directory, name), '');
  return { ...world, put };
}

const temporaryOf = (full: string): string => `.tmp-${full}.${uuid()}`;

describe('the calls to the file system of a backend of many files', () => {
  let world: FileWorld;
  before(async () => {
    world = await fileWorld(tmpdir(), exec, { held: true });
    const put = (): Promise<void> => writeFile(join(world.directory, `volume-${uuid()}`), '');
    await Promise.all(Array.from({ length: 3000 }, put));
    await world.driver.createVolume(some(), calm());
  });
  after(() => world.cleanup());

  it('are nine for a blank volume that is made alone', async () => {
    // Two looks, create, length, sync, link, unlink; the directory is opened and synced.
    assert.equal(await fileCalls(() => world.driver.createVolume(some(), calm())), 9);
  });

  it('are six for each of many that are made together, and a few that they share', async () => {
    const many = Array.from({ length: 50 }, some);
    const calls = await fileCalls(() => Promise.all(many.map((each) => world.driver.createVolume(each, calm()))));
    assert.ok(calls >= 50 * 6 && calls < 50 * 8, `${calls} calls for 50 volumes`);
  });

  it('are six for the delete of a blank volume, and no program is started', async () => {
    const volume = some();
    await world.driver.createVolume(volume, calm());
    // Three looks, unlink; the directory is opened and synced.
    assert.equal(await fileCalls(() => world.driver.deleteVolume(volume, calm())), 6);
  });
});

describe('what a former holder of a backend left', () => {
  for (const left of ['temporary', 'doomed'] as const) {
    const nameOf = (full: string): string => (left === 'temporary' ? temporaryOf(full) : `.del-${full}`);

    it(`is found by the next, a ${left} file, by each operation that looks for it`, async (context) => {
      const { driver, put, leftovers } = await heldWorld(context);
      const [made, deleted, seen] = [some(), some(), some()];
      // It has been held and read before.
      await driver.createVolume(some(), calm());
      driver.release();
      for (const { id } of [made, deleted, seen]) await put(nameOf(`volume-${id}`));
      assert.ok(await driver.hold(signal));
      assert.deepEqual(await driver.probe(theVolume(seen), signal), { is: 'partial' });
      await driver.createVolume(made, calm());
      await driver.deleteVolume(deleted, calm());
      assert.deepEqual(
        (await leftovers()).map((name) => name.includes(seen.id)),
        [true],
      );
      await driver.deleteVolume(seen, calm());
      assert.deepEqual(await leftovers(), []);
    });
  }

  it('is found after a start, too: the directory may have come back as another', async (context) => {
    const { driver, put, leftovers } = await heldWorld(context);
    const volume = some();
    await driver.createVolume(some(), calm());
    await put(temporaryOf(`volume-${volume.id}`));
    await driver.start(signal);
    assert.ok(await driver.hold(signal));
    await driver.createVolume(volume, calm());
    assert.deepEqual(await leftovers(), []);
  });

  it('is read once by those who ask for it at the same time', async (context) => {
    const { driver } = await heldWorld(context);
    await driver.createVolume(some(), calm());
    const probes = () => Promise.all(Array.from({ length: 10 }, () => driver.probe(theVolume({ id: uuid() }), signal)));
    const known = await fileCalls(probes);
    driver.release();
    assert.ok(await driver.hold(signal));
    const read = await fileCalls(probes);
    // Open, read twice (the second time nothing), close.
    assert.ok(read <= known + 5, `${read} calls, and ${known} when it is known`);
  });
});

describe('what appears and disappears while a backend is held', () => {
  it('is swept when it is a temporary that somebody put there, and is missed by nobody when it is gone', async (context) => {
    const { driver, directory, put, leftovers } = await heldWorld(context);
    const [busy, gone, free] = [some(), some(), some()];
    await driver.createVolume(some(), calm());
    const names = [busy, gone, free].map(({ id }) => temporaryOf(`volume-${id}`));
    for (const name of names) await put(name);
    const kept = new Set([busy.id, gone.id]);
    assert.deepEqual(await driver.sweep(kept, signal), names.slice(2));
    await rm(join(directory, names[1] ?? ''));
    assert.deepEqual(await driver.probe(theVolume(gone), signal), { is: 'absent' });
    for (const volume of [busy, gone]) await driver.createVolume(volume, calm());
    assert.deepEqual(await leftovers(), []);
  });

  it('is the other name of a volume, and goes when the volume is deleted', async (context) => {
    const { driver, directory, leftovers } = await heldWorld(context);
    const volume = some();
    await driver.createVolume(volume, calm());
    const full = `volume-${volume.id}`;
    await link(join(directory, full), join(directory, temporaryOf(full)));
    await driver.deleteVolume(volume, calm());
    assert.deepEqual(await leftovers(), []);
  });

  it('is a volume that somebody set aside, and goes when that is deleted', async (context) => {
    const { driver, directory, leftovers } = await heldWorld(context);
    const volume = some();
    await driver.createVolume(volume, calm());
    await rename(join(directory, `volume-${volume.id}`), join(directory, `.del-volume-${volume.id}`));
    await driver.deleteVolume(volume, calm());
    assert.deepEqual(await leftovers(), []);
  });

  it('is no volume that was taken away by hand: it is deleted, and can be made again', async (context) => {
    const { driver, directory } = await heldWorld(context);
    const volume = some();
    await driver.createVolume(volume, calm());
    await rm(join(directory, `volume-${volume.id}`));
    await driver.deleteVolume(volume, calm());
    await driver.createVolume(volume, calm());
    await access(join(directory, `volume-${volume.id}`));
  });

  it('is found each time by who does not hold it', async (context) => {
    const { driver, directory, put } = await heldWorld(context);
    const looking = new FileDriver({ name: 'file', directory, exec });
    await looking.start(signal);
    const volume = some();
    for (const _ of [1, 2]) {
      await put(temporaryOf(`volume-${volume.id}`));
      assert.deepEqual(await looking.probe(theVolume(volume), signal), { is: 'partial' });
      await driver.sweep(new Set(), signal);
      assert.deepEqual(await looking.probe(theVolume(volume), signal), { is: 'absent' });
    }
  });
});

describe('the delete of a volume that takes much space', { skip: missing('fallocate', 'rm') ?? false }, () => {
  for (const { title, strike } of FAULTS) {
    it(`is finished by the next call when ${title}`, async (context) => {
      const faulty = new FaultyExec(strike);
      const { driver, directory, leftovers } = await heldWorld(context, faulty.exec);
      const volume = some();
      await driver.createVolume(volume, calm());
      execFileSync('fallocate', ['--length', '64MiB', join(directory, `volume-${volume.id}`)]);
      faulty.arm(1);
      await assert.rejects(driver.deleteVolume(volume, faulty.call));
      assert.ok(faulty.struck);
      faulty.disarm();
      assert.notEqual((await driver.probe(theVolume(volume), signal)).is, 'present');
      await driver.deleteVolume(volume, calm());
      assert.deepEqual(await leftovers(), []);
      assert.ok(!(await readdir(directory)).includes(`volume-${volume.id}`));
    });
  }
});
