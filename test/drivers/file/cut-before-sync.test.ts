/**
 * A call that is killed between a change of names and the sync of the directory leaves a change that a power cut takes back.
 * The call that comes again finds nothing to do, and may only answer when it is durable.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { link, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { uuid } from '../../../src/lib/clock.ts';
import { exec } from '../../../src/lib/exec.ts';
import { calm } from '../driver-world.ts';
import { cannotMount, mountFileSystem } from './file-systems.ts';
import { fileWorld } from './file-world.ts';

for (const kind of ['xfs', 'ext4'] as const) {
  const skip = cannotMount(kind);
  describe(`what a killed call had changed and not yet synced, on ${kind}`, { skip: skip ?? false }, () => {
    const mounted = skip === null ? mountFileSystem(kind, 300) : undefined;
    after(() => mounted?.remove());

    const world = async () => {
      assert.ok(mounted);
      const { driver, directory } = await fileWorld(mounted.path, exec);
      const volume = { id: uuid(), sizeGiB: 1 };
      const full = join(directory, `volume-${volume.id}`);
      const synced = (): void => void execFileSync('sync', ['-f', directory]);
      const namesAfterCut = async (): Promise<readonly string[]> => {
        mounted.cutPower();
        return (await readdir(directory)).filter((name) => !name.startsWith('.'));
      };
      return { driver, directory, volume, full, synced, namesAfterCut };
    };

    it('is durable when a volume is made again', async () => {
      const { driver, volume, full, synced, namesAfterCut } = await world();
      await driver.createVolume(volume, calm());
      const temporary = join(full, '..', `.tmp-volume-${volume.id}.${uuid()}`);
      await rename(full, temporary);
      synced();
      await link(temporary, full);
      await driver.createVolume(volume, calm());
      assert.deepEqual(await namesAfterCut(), [`volume-${volume.id}`]);
    });

    for (const [how, change] of [
      ['set aside', (full: string, volume: string) => rename(full, join(full, '..', `.del-volume-${volume}`))],
      ['taken away', (full: string) => rm(full)],
    ] as const) {
      it(`is durable when a volume that was ${how} is deleted again`, async () => {
        const { driver, volume, full, synced, namesAfterCut } = await world();
        await driver.createVolume(volume, calm());
        synced();
        await change(full, volume.id);
        await driver.deleteVolume(volume, calm());
        assert.deepEqual(await namesAfterCut(), []);
      });
    }

    it('is durable when a file is given back again', async () => {
      const { driver, directory, volume, full, synced, namesAfterCut } = await world();
      const ref = { 'source-name': 'theirs' };
      await writeFile(join(directory, 'theirs'), Buffer.alloc(512));
      await driver.manageExisting(volume, ref, calm());
      await link(full, join(directory, 'theirs'));
      synced();
      await rm(full);
      await driver.unmanage(volume, ref, calm());
      assert.deepEqual(await namesAfterCut(), ['theirs']);
    });
  });
}
