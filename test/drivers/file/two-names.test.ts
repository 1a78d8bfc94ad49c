/** A give-back that a crash cut short leaves a file with both its names; whichever way it goes on, one of them stays. */
import assert from 'node:assert/strict';
import { link, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { uuid } from '../../../src/lib/clock.ts';
import { exec } from '../../../src/lib/exec.ts';
import { calm } from '../driver-world.ts';
import { fileWorld } from './file-world.ts';

const REF = { 'source-name': 'theirs' };

/** As it is between the two steps of giving back. */
async function cutShort(context: TestContext) {
  const parent = await mkdtemp(join(tmpdir(), 'pumice-two-names-'));
  context.after(() => rm(parent, { recursive: true, force: true }));
  const world = await fileWorld(parent, exec);
  const [volume, snapshot] = [
    { id: uuid(), sizeGiB: 1 },
    { id: uuid(), volumeId: uuid(), sizeGiB: 1 },
  ];
  const names = async (): Promise<readonly string[]> =>
    (await readdir(world.directory)).filter((name) => !name.startsWith('.'));
  const twoNames = (full: string): Promise<void> => link(join(world.directory, full), join(world.directory, 'theirs'));
  return { ...world, volume, snapshot, names, twoNames };
}

describe('a file with two names', () => {
  it('is a volume again when it is taken over', async (context) => {
    const { driver, volume, names, twoNames } = await cutShort(context);
    await driver.createVolume(volume, calm());
    await twoNames(`volume-${volume.id}`);
    await driver.manageExisting(volume, REF, calm());
    assert.deepEqual(await names(), [`volume-${volume.id}`]);
  });

  it('is a snapshot again when it is taken over', async (context) => {
    const { driver, volume, snapshot, names, twoNames } = await cutShort(context);
    await driver.createVolume({ ...volume, id: snapshot.volumeId }, calm());
    await driver.createSnapshot(snapshot, calm());
    await twoNames(`snapshot-${snapshot.id}`);
    await driver.manageExistingSnapshot(snapshot, REF, calm());
    assert.deepEqual((await names()).toSorted(), [`snapshot-${snapshot.id}`, `volume-${snapshot.volumeId}`].sort());
  });

  it('loses the one that means nothing when it is made again', async (context) => {
    const { driver, directory, volume, leftovers } = await cutShort(context);
    await driver.createVolume(volume, calm());
    const full = join(directory, `volume-${volume.id}`);
    await link(full, join(directory, `.tmp-volume-${volume.id}.${uuid()}`));
    await driver.createVolume(volume, calm());
    assert.deepEqual(await leftovers(), []);
  });

  it('is theirs when it is given back', async (context) => {
    const { driver, volume, names, twoNames } = await cutShort(context);
    await driver.createVolume(volume, calm());
    await twoNames(`volume-${volume.id}`);
    await driver.unmanage(volume, REF, calm());
    assert.deepEqual(await names(), ['theirs']);
  });
});
