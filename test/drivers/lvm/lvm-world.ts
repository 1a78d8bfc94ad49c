/**
 * Worlds for the proof of the LVM driver on real LVM: a thin pool of its own for each, in one volume group on a disk that is given for it.
 *
 * The group has extents of one sector, so that a volume may have any number of sectors, as an operator's may; `extents.test.ts` has
 * the usual ones. Nothing of the machine's own LVM is seen: its configuration is another, with the given disk alone and no udev.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ManageRef, ObjectKind, ObjectName } from '../../../src/drivers/driver.ts';
import { IscsiExports } from '../../../src/drivers/exports/iscsi-exports.ts';
import { Tgtd } from '../../../src/drivers/exports/tgtd.ts';
import { LvmDriver } from '../../../src/drivers/lvm/lvm-driver.ts';
import type { LogicalVolume } from '../../../src/drivers/lvm/lvm-report.ts';
import { DEVICES, VolumeGroup } from '../../../src/drivers/lvm/volume-group.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { type Exec, exec } from '../../../src/lib/exec.ts';
import type { Reached } from '../../crash/iscsi-client.ts';
import { calm, type DriverWorld } from '../driver-world.ts';
import type { VolumeClient } from '../exports/checking-writer.ts';
import { IscsiSession } from '../exports/iscsi-session.ts';
import { killTgtd } from '../exports/tgt-world.ts';

/** Of each pool. */
const POOL = ['--size', '160m', '--poolmetadatasize', '4m', '--chunksize', '64k'];
const CHUNK_BYTES = 65_536;

export interface LvmGround {
  readonly group: string;
  /** With the configuration that counts, and whatever drivers keep as files. */
  readonly directory: string;
  remove(): Promise<void>;
}

/** The disk that may be overwritten (`LVM_DEVICE`); null where none was given. */
export const givenDisk = (): string | null => process.env.LVM_DEVICE ?? null;

/** Why there can be no worlds here; null when there can. */
export const cannotLvm = (): string | null =>
  givenDisk() === null ? 'no disk is given for LVM (LVM_DEVICE): npm run prove:lvm has one, in a guest' : null;

export async function layGround(disk: string, extents = '512b'): Promise<LvmGround> {
  const directory = mkdtempSync(join(tmpdir(), 'pumice-lvm-'));
  writeFileSync(
    join(directory, 'lvm.conf'),
    [
      `devices { use_devicesfile = 0 filter = [ "a|^${disk}$|", "r|.*|" ] }`,
      'activation { udev_sync = 0 udev_rules = 0 monitoring = 0 }',
      'backup { backup = 0 archive = 0 }',
    ].join('\n'),
  );
  const group = `proof-${uuid().slice(0, 8)}`;
  const lvm = running(directory);
  await lvm('pvcreate', '--yes', '--force', disk);
  await lvm('vgcreate', '--physicalextentsize', extents, group, disk);
  return {
    group,
    directory,
    remove: async () => {
      await lvm('vgremove', '--yes', group);
      await lvm('pvremove', '--yes', disk);
      rmSync(directory, { recursive: true });
    },
  };
}

type Lvm = (program: string, ...args: readonly string[]) => Promise<string>;

const running =
  (directory: string): Lvm =>
  (program, ...args) =>
    exec([program, ...args], { ...calm(), environment: { LVM_SYSTEM_DIR: directory } });

export interface LvmWorld extends DriverWorld {
  readonly driver: LvmDriver;
  readonly group: VolumeGroup;
  readonly lvm: Lvm;
}

/** What a process of its own needs to make the same driver. */
export interface LvmPlace {
  readonly group: string;
  readonly pool: string;
  readonly directory: string;
  readonly configurationDirectory: string;
}

/** `portal`: where it exports over iSCSI; null: to this machine alone. */
export function driverIn(place: LvmPlace, run: Exec, portal: string | null = null): LvmDriver {
  const own = { name: 'lvm', ...place, exec: run, lockDirectory: place.directory };
  if (portal === null) return new LvmDriver(own);
  const daemon = new Tgtd({ exec: run, own: join(place.directory, '.tgtd'), portal });
  return new LvmDriver({ ...own, exports: new IscsiExports({ daemon, prefix: 'iqn.2010-10.org.openstack:', portal }) });
}

export async function lvmWorld(
  { group, directory: ground }: LvmGround,
  run: Exec,
  portal: string | null = null,
): Promise<LvmWorld> {
  const lvm = running(ground);
  const pool = `pool-${uuid().slice(0, 8)}`;
  await lvm('lvcreate', '--yes', '--type', 'thin-pool', ...POOL, '--name', pool, group);
  await lvm('lvchange', '--errorwhenfull', 'y', `${group}/${pool}`);
  const place = { group, pool, directory: await mkdtemp(join(ground, 'world-')), configurationDirectory: ground };
  const seen = new VolumeGroup({ ...place, exec, devices: DEVICES });
  await seen.start(false, calm().signal);
  const start = async (): Promise<LvmDriver> => {
    const driver = driverIn(place, run, portal);
    await driver.start(calm().signal);
    return driver;
  };
  const driver = await start();
  const at = (name: string): string => `/dev/${group}/${name}`;
  const all = async (): Promise<readonly LogicalVolume[]> =>
    [...(await seen.all(calm().signal)).values()].filter((each) => each.pool === pool);
  const foreign = async (name: string, bytes: number, data: Buffer): Promise<ManageRef> => {
    await lvm('lvcreate', '--yes', '--thin', '--virtualsize', `${bytes}b`, '--name', name, `${group}/${pool}`);
    await writeAt(at(name), 0, data);
    return { 'source-name': name };
  };
  return {
    driver,
    group: seen,
    lvm,
    write: (volume, offset, data) => writeAt(at(nameOf({ ...volume, kind: 'volume' })), offset, data),
    read: async (object, offset, length) => {
      const name = nameOf(object);
      // What is not active has no device. It stays active: each program of LVM's costs a second here.
      if (!existsSync(at(name))) await lvm('lvchange', '--activate', 'y', '--ignoreactivationskip', `${group}/${name}`);
      return readAt(at(name), offset, length);
    },
    foreign,
    foreignSnapshot: (_volume, name, bytes, data) => foreign(name, bytes, data),
    readForeign: (ref, length) => readAt(at(ref['source-name'] ?? ''), 0, length),
    leftovers: async () => (await all()).map(({ name }) => name).filter((name) => /^\.(tmp|del)-/.test(name)),
    backing: ({ id }) => open(at(`volume-${id}`), 'r'),
    client: ({ secret, connector }, { data }) =>
      portal === null
        ? clientOnDevice(String(data.device_path))
        : IscsiSession.open(String(connector.initiator), { ...(data as unknown as Reached), auth_password: secret }),
    restarted: start,
    elsewhere: (request) => {
      const file = join(import.meta.dirname, 'lvm-driver-process.ts');
      const args = [file, JSON.stringify(place), JSON.stringify(request)];
      return spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    },
    fill: async (freeBytes) => {
      const name = `ballast-${uuid().slice(0, 8)}`;
      await lvm('lvcreate', '--yes', '--thin', '--virtualsize', '1g', '--name', name, `${group}/${pool}`);
      const { totalBytes, usedBytes } = await seen.space(calm().signal);
      const chunks = Math.ceil((totalBytes - usedBytes - freeBytes) / CHUNK_BYTES);
      if (chunks > 0)
        await lvm('dd', 'if=/dev/zero', `of=${at(name)}`, `bs=${CHUNK_BYTES}`, `count=${chunks}`, 'oflag=direct');
      return async () => void (await lvm('lvremove', '--yes', `${group}/${name}`));
    },
    cleanup: async () => {
      await killTgtd(place.directory);
      await lvm('lvremove', '--yes', '--force', `${group}/${pool}`);
      await rm(place.directory, { recursive: true });
    },
  };
}

const PREFIXES: Readonly<Record<ObjectKind, string>> = {
  volume: 'volume-',
  snapshot: '_snapshot-',
  image: 'cached-image-',
  backup: 'backup-',
};

export const nameOf = (object: ObjectName): string =>
  `${PREFIXES[object.kind]}${(object.kind === 'volume' && object.nameId) || object.id}`;

export async function clientOnDevice(path: string): Promise<VolumeClient> {
  const file = await open(path, 'r+');
  return {
    write: async (offset, data) => void (await file.write(data, 0, data.length, offset)),
    bytes: async () => Number(await exec(['blockdev', '--getsize64', path], calm())),
    close: () => file.close(),
  };
}

export async function readAt(path: string, offset: number, length: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

export async function writeAt(path: string, offset: number, data: Buffer): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.write(data, 0, data.length, offset);
    await file.sync();
  } finally {
    await file.close();
  }
}
