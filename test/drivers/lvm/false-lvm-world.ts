/** Worlds for the proof of the LVM driver on a model of LVM (`false-lvm.ts`), for machines without device-mapper. */
import { spawn } from 'node:child_process';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ManageRef } from '../../../src/drivers/driver.ts';
import { LvmDriver } from '../../../src/drivers/lvm/lvm-driver.ts';
import type { Exec } from '../../../src/lib/exec.ts';
import { calm, type DriverWorld, theVolume } from '../driver-world.ts';
import type { VolumeClient } from '../exports/checking-writer.ts';
import { FalseLvm, falsePrograms } from './false-lvm.ts';
import { nameOf, readAt, writeAt } from './lvm-world.ts';

export const GROUP = 'cinder-volumes';

export interface FalseLvmWorld extends DriverWorld {
  readonly driver: LvmDriver;
  readonly lvm: FalseLvm;
  readonly directory: string;
  /** A volume that is in no pool, as an operator or a Cinder makes it without thin provisioning. */
  thick(name: string, bytes: number): Promise<void>;
}

export const falseLvmDriver = (directory: string, run: Exec): LvmDriver =>
  new LvmDriver({
    name: 'lvm',
    group: GROUP,
    directory: join(directory, 'state'),
    configurationDirectory: directory,
    exec: run,
    devices: new FalseLvm(directory).devices,
    lockDirectory: directory,
  });

/** `run` hands LVM's programs on to `falsePrograms`. Extents of a sector: an operator's volumes may have any number of them. */
export async function falseLvmWorld(run: Exec, extentBytes = 512): Promise<FalseLvmWorld> {
  const directory = await mkdtemp(join(tmpdir(), 'pumice-false-lvm-'));
  const lvm = new FalseLvm(directory);
  lvm.make(GROUP, `${GROUP}-pool`, extentBytes);
  const start = async (): Promise<LvmDriver> => {
    const driver = falseLvmDriver(directory, run);
    await driver.start(calm().signal);
    return driver;
  };
  const program = (...argv: readonly [string, ...string[]]): Promise<string> =>
    falsePrograms(argv, { ...calm(), environment: { LVM_SYSTEM_DIR: directory } });
  const foreign = async (name: string, bytes: number, data: Buffer): Promise<ManageRef> => {
    const made = ['--type', 'thin', '--virtualsize', `${bytes}b`, '--thinpool', `${GROUP}-pool`, '--name', name];
    await program('lvcreate', '--yes', ...made, GROUP);
    await writeAt(lvm.fileOf(name), 0, data);
    return { 'source-name': name };
  };
  return {
    driver: await start(),
    lvm,
    directory,
    thick: async (name, bytes) => {
      await program('lvcreate', '--yes', '--type', 'linear', '--size', `${bytes}b`, '--name', name, GROUP);
    },
    write: (volume, at, data) => writeAt(lvm.fileOf(nameOf(theVolume(volume))), at, data),
    read: (object, at, length) => readAt(lvm.fileOf(nameOf(object)), at, length),
    foreign,
    foreignSnapshot: (_volume, name, bytes, data) => foreign(name, bytes, data),
    readForeign: (ref, length) => readAt(lvm.fileOf(ref['source-name'] ?? ''), 0, length),
    leftovers: async () => lvm.names().filter((name) => /^\.(tmp|del)-/.test(name)),
    backing: (volume) => open(lvm.fileOf(nameOf(theVolume(volume))), 'r'),
    client: (_wanted, info) => clientOnFile(String(info.data.device_path)),
    restarted: start,
    elsewhere: (request) => {
      const file = join(import.meta.dirname, 'false-lvm-process.ts');
      const args = [file, directory, JSON.stringify(request)];
      return spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    },
    cleanup: () => rm(directory, { recursive: true }),
  };
}

async function clientOnFile(path: string): Promise<VolumeClient> {
  const file = await open(path, 'r+');
  return {
    write: async (at, data) => void (await file.write(data, 0, data.length, at)),
    bytes: async () => (await file.stat()).size,
    close: () => file.close(),
  };
}
