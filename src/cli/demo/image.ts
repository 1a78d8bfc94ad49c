/** A small image to make a volume from: a real qcow2, written once into the service's image directory. */

import { randomBytes } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DirectoryImages } from '../../clients/image-directory.ts';
import { MIB } from '../../lib/bytes.ts';
import type { Config } from '../../lib/config/config.ts';
import { CommandMissing, exec } from '../../lib/exec.ts';
import type { Image } from '../../model/image.ts';

const NAME = 'pumice-demo';
const DISK_MIB = 64;
/** The rest are holes. */
const DATA_MIB = 32;

/** Null when `qemu-img` is not installed: no image can be made, nor written to a volume. */
export async function demoImage({ images, data_directory }: Config, signal: AbortSignal): Promise<Image | null> {
  if (images.store !== 'directory') return null;
  const directory = new DirectoryImages({ directory: images.directory });
  const found = (await directory.list('service', signal)).find(({ name }) => name === NAME);
  if (found !== undefined) return (await isInstalled(signal)) ? found : null;
  const scratch = await mkdtemp(join(data_directory, '.tmp-image-'));
  try {
    const raw = join(scratch, 'disk.raw');
    const qcow2 = join(scratch, 'disk.qcow2');
    await writeDisk(raw);
    await exec(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', raw, qcow2], { signal });
    return await directory.add(
      {
        name: NAME,
        diskFormat: 'qcow2',
        virtualSizeBytes: DISK_MIB * MIB,
        minDiskGiB: 1,
        properties: { os_distro: 'none', hw_disk_bus: 'virtio' },
      },
      qcow2,
      signal,
    );
  } catch (error) {
    if (error instanceof CommandMissing) return null;
    throw error;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function isInstalled(signal: AbortSignal): Promise<boolean> {
  return exec(['qemu-img', '--version'], { signal }).then(
    () => true,
    (error: unknown) => {
      if (error instanceof CommandMissing) return false;
      throw error;
    },
  );
}

async function writeDisk(path: string): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.truncate(DISK_MIB * MIB);
    for (let at = 0; at < DATA_MIB; at += 1) await file.write(randomBytes(MIB), 0, MIB, at * 2 * MIB);
  } finally {
    await file.close();
  }
}
