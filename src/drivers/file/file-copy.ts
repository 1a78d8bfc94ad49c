/**
 * Copies of whole files: a reflink (copy-on-write) where the file system can share blocks, else a copy of the data.
 *
 * Which of the two is found out by trying (feature detection), never by the name of the file system. Neither is left to Node's own
 * copy but a clone of a small file (`small-files.ts`): `COPYFILE_FICLONE` falls back to a copy that fills every hole (10 GiB written for
 * an empty volume on ext4).
 *
 * A reflink is a point in time even while the source is being written; a copy of the data is not.
 */
import { chmod, open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { uuid } from '../../lib/clock.ts';
import { CommandFailed, CommandMissing, type Exec } from '../../lib/exec.ts';
import type { DriverCall, RawSource } from '../driver.ts';
import { copyRaw } from '../qemu-img.ts';
import { removeIfThere } from './publish.ts';
import { isSmall, type SmallFiles, smallFiles } from './small-files.ts';

/** Large files are left to programs. */
export interface ByWhom {
  readonly exec: Exec;
  readonly small: SmallFiles;
}

/** A copy may take long, but not for ever. */
export const COPY_LIMIT_MS = 12 * 3600 * 1000;

const PROBE = /^\.tmp-reflink-[0-9a-f-]{36}(\.clone)?$/;
export const isReflinkProbe = (name: string): boolean => PROBE.test(name);

/** Whether files in this directory can share blocks. Rejects when a small file cannot even be written. */
export async function canReflink(directory: string): Promise<boolean> {
  const original = join(directory, `.tmp-reflink-${uuid()}`);
  const clone = `${original}.clone`;
  try {
    const content = Buffer.alloc(8192, uuid());
    const file = await open(original, 'wx', 0o600);
    await file.writeFile(content);
    await file.close();
    return (await smallFiles.clone(original, clone)) && (await readFile(clone)).equals(content);
  } finally {
    await removeIfThere(clone);
    await removeIfThere(original);
  }
}

/** False when the two files cannot share blocks after all; the target is then as it was, or empty. */
export async function reflink(
  { exec, small }: ByWhom,
  source: string,
  target: string,
  signal: AbortSignal,
): Promise<boolean> {
  const file = await stat(source);
  if (isSmall(file)) {
    const shared = await small.clone(source, target);
    signal.throwIfAborted();
    // It has its source's rights then, which may be a file that was taken over.
    if (shared && (file.mode & 0o777) !== 0o600) await chmod(target, 0o600);
    return shared;
  }
  try {
    await exec(['cp', '--reflink=always', '--', source, target], { signal, timeoutMs: COPY_LIMIT_MS });
    return true;
  } catch (error) {
    const cannot = /Operation not supported|Invalid cross-device link|Inappropriate ioctl|Invalid argument/;
    if (error instanceof CommandFailed && cannot.test(error.stderr)) return false;
    throw error;
  }
}

/**
 * Copies data into a file of the same size without any, and leaves out holes and zeroes. Where `qemu-img` is not installed `cp` does it:
 * through the page cache, at no rate, and without progress.
 */
export async function copyData(
  exec: Exec,
  source: RawSource,
  target: string,
  bytesPerSecond: number,
  call: DriverCall,
): Promise<void> {
  try {
    await copyRaw(exec, source, target, bytesPerSecond, call);
  } catch (error) {
    if (!(error instanceof CommandMissing)) throw error;
    const argv = ['cp', '--reflink=never', '--sparse=always', '--', source.path, target] as const;
    await exec(argv, { signal: call.signal, timeoutMs: COPY_LIMIT_MS });
  }
}

/** Waits until the content of files is on disk. Of large ones in a child process, since this may take as long as the copy did. */
export async function syncFiles({ exec, small }: ByWhom, paths: readonly string[], signal: AbortSignal): Promise<void> {
  const files = await Promise.all(paths.map((path) => stat(path)));
  if (files.every(isSmall)) {
    await Promise.all(paths.map((path) => small.sync(path)));
    signal.throwIfAborted();
  } else await exec(['sync', '--', ...paths], { signal, timeoutMs: COPY_LIMIT_MS });
}
