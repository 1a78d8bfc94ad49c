/**
 * Copies of whole files inside one backend: a reflink where the file system can share blocks, else a sparse copy.
 *
 * Which of the two is found out by trying, never by the name of the file system. Neither is left to Node's own copy:
 * `COPYFILE_FICLONE` falls back to a copy that fills every hole (10 GiB written for an empty volume on ext4), and even a
 * true clone holds one of the process's few file threads for as long as the kernel takes (10 s for a volume in 260,000
 * extents). A child process holds nothing and can be killed.
 *
 * A reflink is a point in time even while the source is being written; a sparse copy is not.
 */
import { constants } from 'node:fs';
import { copyFile, open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pause, uuid } from '../../lib/clock.ts';
import { errno } from '../../lib/errno.ts';
import { CommandFailed, type Exec } from '../../lib/exec.ts';
import type { DriverCall } from '../driver.ts';
import { removeIfThere } from './publish.ts';

/** A copy may take long, but not for ever. */
export const COPY_LIMIT_MS = 12 * 3600 * 1000;
const POLL_MS = 250;

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
    await copyFile(original, clone, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    return (await readFile(clone)).equals(content);
  } catch (error) {
    if (/^(ENOTSUP|EOPNOTSUPP|ENOSYS|ENOTTY|EINVAL|EXDEV)$/.test(errno(error) ?? '')) return false;
    throw error;
  } finally {
    await removeIfThere(clone);
    await removeIfThere(original);
  }
}

/** False when the two files cannot share blocks after all; the target is then as it was, or empty. */
export async function reflink(exec: Exec, source: string, target: string, signal: AbortSignal): Promise<boolean> {
  try {
    await exec(['cp', '--reflink=always', '--', source, target], { signal, timeoutMs: COPY_LIMIT_MS });
    return true;
  } catch (error) {
    const cannot = /Operation not supported|Invalid cross-device link|Inappropriate ioctl|Invalid argument/;
    if (error instanceof CommandFailed && cannot.test(error.stderr)) return false;
    throw error;
  }
}

/** Copies data and leaves out holes and zeroes. Progress is what the target has come to occupy. */
export async function sparseCopy(exec: Exec, source: string, target: string, call: DriverCall): Promise<void> {
  const total = (await stat(source)).blocks;
  const ended = new AbortController();
  const watching = watchBlocks(target, total, call, ended.signal);
  try {
    await exec(['cp', '--reflink=never', '--sparse=always', '--', source, target], {
      signal: call.signal,
      timeoutMs: COPY_LIMIT_MS,
    });
  } finally {
    ended.abort();
    await watching;
  }
}

async function watchBlocks(target: string, total: number, call: DriverCall, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    await pause(POLL_MS, ended).catch(() => {});
    const blocks = await stat(target).then(
      (found) => found.blocks,
      () => 0,
    );
    if (!ended.aborted && total > 0) call.progress(Math.min(0.99, blocks / total));
  }
}

/** Waits until the content of files is on disk. A child process, since this may take as long as the copy did. */
export async function syncFiles(exec: Exec, paths: readonly string[], signal: AbortSignal): Promise<void> {
  await exec(['sync', '--', ...paths], { signal, timeoutMs: COPY_LIMIT_MS });
}
