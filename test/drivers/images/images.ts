/** Disk images for the proof of a driver: good ones of each format, and some that mean harm. */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ImageFile } from '../../../src/drivers/driver.ts';
import { exec } from '../../../src/lib/exec.ts';
import { BLOCK_BYTES, BLOCKS, block, GIB, MIB } from '../content.ts';
import { calm } from '../driver-world.ts';

export interface Images extends Record<ImageFile['format'], ImageFile> {
  readonly hostile: Readonly<Record<string, ImageFile>>;
  readonly tooBig: ImageFile;
  readonly disguised: ImageFile;
  /** Holds 24 MiB of data. */
  readonly dense: ImageFile;
  /** 4 KiB of data in every 2 MiB of 64, some of it compressed. */
  readonly scattered: Readonly<Record<string, ImageFile>>;
  /** 128 MiB that have their place and hold nothing. */
  readonly preallocated: ImageFile;
  /** A directory for images that are written. */
  readonly directory: string;
  remove(): Promise<void>;
}

export async function makeImages(): Promise<Images> {
  const directory = await mkdtemp(join(tmpdir(), 'pumice-images-'));
  const at = (name: string): string => join(directory, name);
  const qemu = (...args: readonly string[]) => exec(['qemu-img', ...args], { signal: calm().signal });

  const raw = await open(at('raw'), 'w');
  await raw.truncate(GIB);
  for (const offset of BLOCKS) await raw.write(block('image', offset), 0, BLOCK_BYTES, offset);
  await raw.close();
  for (const format of ['qcow2', 'vmdk', 'vdi'])
    await qemu('convert', '-f', 'raw', '-O', format, at('raw'), at(format));
  await qemu('convert', '-f', 'raw', '-O', 'vpc', '-o', 'force_size=on', at('raw'), at('vhd'));

  const secret = await open(at('secret'), 'w');
  await secret.write('A file of the host, which no image may name.'.padEnd(4096));
  await secret.close();
  await qemu('create', '-q', '-f', 'qcow2', '-b', at('secret'), '-F', 'raw', at('backed.qcow2'), '64M');
  await qemu('create', '-q', '-f', 'qcow2', '-o', `data_file=${at('data')}`, at('parted.qcow2'), '64M');
  await qemu('create', '-q', '-f', 'vmdk', '-o', 'subformat=monolithicFlat', at('flat.vmdk'), '64M');
  await qemu('create', '-q', '-f', 'qcow2', at('too-big.qcow2'), '2G');

  const dense = await open(at('dense'), 'w');
  await dense.write(Buffer.alloc(24 * MIB, 'dense'));
  await dense.close();
  const thin = await open(at('thin'), 'w');
  await thin.truncate(64 * MIB);
  for (let offset = 0; offset < 64 * MIB; offset += 2 * MIB) await thin.write(block('thin', offset), 0, 4096, offset);
  await thin.close();
  await qemu('convert', '-f', 'raw', '-O', 'qcow2', at('thin'), at('thin.qcow2'));
  await qemu('convert', '-f', 'raw', '-O', 'qcow2', '-c', at('thin'), at('thin.packed'));
  await qemu('convert', '-f', 'raw', '-O', 'vmdk', at('thin'), at('thin.vmdk'));
  await qemu('create', '-q', '-f', 'qcow2', '-o', 'preallocation=falloc', at('preallocated'), '128M');

  const disguised = await open(at('disguised'), 'w');
  await disguised.write(Buffer.from('QFI\xfb\0\0\0\x03', 'latin1'));
  await disguised.truncate(64 * MIB);
  await disguised.close();

  return {
    directory,
    raw: { path: at('raw'), format: 'raw' },
    qcow2: { path: at('qcow2'), format: 'qcow2' },
    vmdk: { path: at('vmdk'), format: 'vmdk' },
    vdi: { path: at('vdi'), format: 'vdi' },
    vhd: { path: at('vhd'), format: 'vhd' },
    scattered: {
      'a raw image': { path: at('thin'), format: 'raw' },
      'a qcow2': { path: at('thin.qcow2'), format: 'qcow2' },
      'a compressed qcow2': { path: at('thin.packed'), format: 'qcow2' },
      'a vmdk': { path: at('thin.vmdk'), format: 'vmdk' },
    },
    preallocated: { path: at('preallocated'), format: 'qcow2' },
    tooBig: { path: at('too-big.qcow2'), format: 'qcow2' },
    disguised: { path: at('disguised'), format: 'raw' },
    dense: { path: at('dense'), format: 'raw' },
    hostile: {
      'a qcow2 with a backing file': { path: at('backed.qcow2'), format: 'qcow2' },
      'a qcow2 with an external data file': { path: at('parted.qcow2'), format: 'qcow2' },
      'a vmdk whose extent is another file': { path: at('flat.vmdk'), format: 'vmdk' },
      'a vmdk that claims to be a qcow2': { path: at('vmdk'), format: 'qcow2' },
      'a raw image that claims to be a vdi': { path: at('raw'), format: 'vdi' },
      'a raw image that claims to be a vhd': { path: at('raw'), format: 'vhd' },
      'a qcow2 that is only its first bytes': { path: at('disguised'), format: 'qcow2' },
    },
    remove: () => rm(directory, { recursive: true }),
  };
}
