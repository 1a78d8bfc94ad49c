/**
 * Atomic rename with durability: a file is made under a temporary name, synced, given its full name, and the directory is
 * synced, which is left to the caller: those who publish at once share one sync (`SharedCall`).
 *
 * After a power cut the full name is either absent or names the whole content; without the two syncs both the name and
 * the data were seen to vanish (XFS, cut between rename and write-back).
 *
 * `publish` never replaces: a link to an existing name fails, so an attempt that was thought dead cannot put its stale
 * copy over a volume that has been written since; a rename would, and Node cannot ask the kernel for one that does not
 * (RENAME_NOREPLACE). `replace` is for content that goes into a volume not yet in use.
 */

import { closeSync, constants, fsync, ftruncate, open as openFile, type Stats } from 'node:fs';
import { link, lstat, open, rename, unlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { errno } from '../../lib/errno.ts';

/** An empty file where nothing is. */
export async function createEmpty(path: string): Promise<void> {
  closeSync(await promisify(openFile)(path, 'wx', 0o600));
}

/** A file of so many bytes of zeroes where nothing is; its content is durable, its name is not. */
export async function createBlank(path: string, bytes: number): Promise<void> {
  const file = await promisify(openFile)(path, 'wx', 0o600);
  try {
    await promisify(ftruncate)(file, bytes);
    await promisify(fsync)(file);
  } finally {
    // Nothing is left to be written, so it waits for nothing; each way through the thread pool costs 40 µs or more.
    closeSync(file);
  }
}

/** The file at `path`, which is synced, also gets the name `full`. Rejects with EEXIST when something has it. */
export async function publish(path: string, full: string): Promise<void> {
  await link(path, full);
}

/** The file at `path`, which is synced, takes the place of whatever `full` names. */
export async function replace(path: string, full: string): Promise<void> {
  await rename(path, full);
}

/**
 * Gives our file `full` the name `wanted`, never over another file. False when another has it. Two names of one file are
 * what a crash between the two steps leaves, and then only the second step is due.
 */
export async function moveAside(full: string, wanted: string, syncNames: () => Promise<void>): Promise<boolean> {
  try {
    await link(full, wanted);
  } catch (error) {
    if (errno(error) !== 'EEXIST') throw error;
    if (!(await isSameFile(full, wanted))) return false;
  }
  await syncNames();
  await removeIfThere(full);
  return true;
}

/** Whether both are there and name one file. */
export async function isSameFile(one: string, another: string): Promise<boolean> {
  const [a, b] = await Promise.all([one, another].map((path) => lstat(path, { bigint: true }).catch(() => null)));
  return a != null && b != null && a.ino === b.ino && a.dev === b.dev;
}

/** An empty file, unless it is there. */
export async function touch(path: string): Promise<void> {
  await (await open(path, 'a', 0o600)).close();
}

/** Changes the length of a regular file, durably. */
export async function setLength(path: string, bytes: number): Promise<void> {
  const file = await promisify(openFile)(path, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    await promisify(ftruncate)(file, bytes);
    await promisify(fsync)(file);
  } finally {
    closeSync(file);
  }
}

/** True when it was there. */
export async function removeIfThere(path: string): Promise<boolean> {
  return unlink(path).then(
    () => true,
    (error: unknown) => {
      if (errno(error) === 'ENOENT') return false;
      throw error;
    },
  );
}

/** Null when there is nothing of this name. */
export async function statOf(path: string): Promise<Stats | null> {
  return lstat(path).catch((error: unknown) => {
    if (errno(error) === 'ENOENT') return null;
    throw error;
  });
}
