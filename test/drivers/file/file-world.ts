/** Worlds for the proof of the file driver: a fresh directory for each, on whatever file system `parent` is. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { type FileHandle, mkdtemp, open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { ManageRef } from '../../../src/drivers/driver.ts';
import { FileDriver } from '../../../src/drivers/file/file-driver.ts';
import { type SmallFiles, smallFiles } from '../../../src/drivers/file/small-files.ts';
import { CommandFailed, type Exec, exec } from '../../../src/lib/exec.ts';
import { calm, type DriverWorld } from '../driver-world.ts';
import type { VolumeClient } from '../exports/checking-writer.ts';
import { type Around, unharmed } from '../faulty-exec.ts';

export interface FileWorld extends DriverWorld {
  readonly driver: FileDriver;
  readonly directory: string;
}

export interface FileWorldOptions {
  /** The file system is small, and for tests alone. */
  readonly fillable?: boolean;
  /** Volumes take more space than what is done in this process: 17 MiB, which hold zeroes. */
  readonly large?: boolean;
  /** By the driver, as by who serves it. */
  readonly held?: boolean;
  /** What it does with small files itself. */
  readonly around?: Around;
  readonly make?: (directory: string, exec: Exec) => FileDriver;
  /** Where its volumes are exported over iSCSI. */
  readonly portal?: string;
}

export async function fileWorld(parent: string, run: Exec, options: FileWorldOptions = {}): Promise<FileWorld> {
  const directory = await mkdtemp(join(parent, 'backend-'));
  const start = async (): Promise<FileDriver> => {
    const driver =
      options.make?.(directory, run) ??
      new FileDriver({ name: 'file', directory, exec: run, small: smallFilesAround(options.around), create: true });
    await driver.start(calm().signal);
    if (options.held) {
      // The one before is not dead, as it would be.
      holder?.release();
      assert.ok(await driver.hold(calm().signal));
      holder = driver;
    }
    return driver;
  };
  let holder: FileDriver | undefined;
  const driver = await start();
  const at = (name: string): string => join(directory, name);
  const foreign = async (name: string, bytes: number, data: Buffer): Promise<ManageRef> => {
    await writeAt(at(name), 'wx', 0, data);
    const file = await open(at(name), 'r+');
    await file.truncate(bytes);
    await file.close();
    return { 'source-name': name };
  };
  return {
    driver,
    directory,
    write: async ({ id }, offset, data) => {
      if (options.large) await exec(['fallocate', '-o', '256MiB', '-l', '17MiB', at(`volume-${id}`)], calm());
      await writeAt(at(`volume-${id}`), 'r+', offset, data);
    },
    read: ({ kind, id }, offset, length) =>
      readAt(at(`${kind === 'image' ? 'cached-image' : kind}-${id}`), offset, length),
    foreign,
    foreignSnapshot: (_volume, name, bytes, data) => foreign(name, bytes, data),
    readForeign: (ref, length) => readAt(at(ref['source-name'] ?? ''), 0, length),
    takes: async ({ id }) => {
      await exec(['sync', '-f', directory], calm());
      return (await stat(at(`volume-${id}`))).blocks * 512;
    },
    leftovers: async () => (await readdir(directory)).filter((name) => /^\.(tmp|del|moment)-/.test(name)),
    backing: ({ id }) => open(at(`volume-${id}`), 'r'),
    client: (_wanted, info) => clientOnPath(String(info.data.device_path)),
    restarted: start,
    elsewhere: (request) => {
      const file = join(import.meta.dirname, 'file-driver-process.ts');
      const args = [
        file,
        directory,
        JSON.stringify(request),
        ...(options.portal === undefined ? [] : [options.portal]),
      ];
      return spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    },
    ...(options.fillable && { fill: (free: number) => fill(parent, free) }),
    cleanup: async () => {
      holder?.release();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** What is done in this process fails as the disk does. */
function smallFilesAround(around: Around = unharmed): SmallFiles {
  const failure = (): Error => Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
  return {
    clone: (source, target) => around(['clone', source, target], () => smallFiles.clone(source, target), failure),
    sync: (path) => around(['fsync', path], () => smallFiles.sync(path), failure),
  };
}

async function clientOnPath(path: string): Promise<VolumeClient> {
  const file = await open(path, 'r+');
  return {
    write: async (at, data) => void (await file.write(data, 0, data.length, at)),
    bytes: async () => (await file.stat()).size,
    close: () => file.close(),
  };
}

async function readAt(path: string, offset: number, length: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function writeAt(path: string, flags: string, offset: number, data: Buffer): Promise<void> {
  const file = await open(path, flags);
  try {
    await file.write(data, 0, data.length, offset);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Takes the space of the file system but for `freeBytes`.
 *
 * Space that is free may not be there to be had: of what was deleted some comes back only now, and what is being trimmed is
 * held back. Btrfs takes a write in then, and tells only the sync that it did not fit.
 */
async function fill(parent: string, freeBytes: number): Promise<() => Promise<void>> {
  const path = join(parent, 'ballast');
  const before = await freeIn(parent);
  const file = await open(path, 'w');
  try {
    await bySyncing(parent, 'is not to be filled', async () => {
      const took = await takeRoom(file, parent, freeBytes);
      return !took && (await freeIn(parent)) < freeBytes + LEAST_STEP;
    });
  } finally {
    await file.close();
  }
  return async () => {
    await rm(path);
    // Btrfs and XFS give freed space back late; each sync brings it nearer.
    await bySyncing(parent, 'does not give its space back', async () => (await freeIn(parent)) >= before * 0.9);
  };
}

/** Syncs until it is so. */
async function bySyncing(parent: string, otherwise: string, isSo: () => Promise<boolean>): Promise<void> {
  for (let syncs = 0; syncs < MOST_SYNCS; syncs += 1) {
    if (await isSo()) return;
    await exec(['sync', '-f', parent], calm()).catch((error: unknown) => {
      if (!(error instanceof CommandFailed && error.stderr.includes('No space left'))) throw error;
    });
  }
  throw new Error(`${parent} ${otherwise}.`);
}

/** Resolves with whether anything was there to take. */
async function takeRoom(file: FileHandle, parent: string, freeBytes: number): Promise<boolean> {
  let taken = 0;
  for (let step = 16 * 1024 ** 2; step >= LEAST_STEP; ) {
    const free = await freeIn(parent);
    if (free <= freeBytes) break;
    const bytes = Math.min(step, Math.max(LEAST_STEP, free - freeBytes));
    const { bytesWritten } = await file.write(Buffer.alloc(bytes, 'ballast')).catch(() => ({ bytesWritten: 0 }));
    await file.sync().catch(() => {});
    taken += bytesWritten;
    if (bytesWritten < bytes) step /= 4;
  }
  return taken > 0;
}

const MOST_SYNCS = 500;
const LEAST_STEP = 65_536;

async function freeIn(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
