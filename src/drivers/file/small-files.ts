/**
 * Files that are cloned, synced and removed in this process, since the kernel is soon done with them.
 *
 * To do so with a file in many pieces takes seconds, and one of the process's few file threads for as long (a clone of one in 260,000
 * extents 10 s): that is left to a program, which holds nothing here and can be killed. But to start one holds the event loop for 5 to
 * 15 ms, which is longer than all else that a snapshot or a delete does together. A file that takes little space cannot be in many pieces,
 * nor have much that is not yet written, which a clone and a sync write first. A cancel does not break in: it is heard when the kernel is done.
 */
import { closeSync, constants, fsync, open, type Stats } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { errno } from '../../lib/errno.ts';
import { createEmpty } from './publish.ts';

/** 4096 pieces at worst. To free so many was seen to take 0.27 s on Btrfs, 0.1 s on ext4 and 0.02 s on XFS (a busy machine). */
const SMALL_BYTES = 16 * 1024 ** 2;

/** What is not yet written counts, too (XFS, Btrfs and ext4 add it to the blocks). A device has no blocks. */
export const isSmall = (file: Stats): boolean => file.isFile() && file.blocks * 512 <= SMALL_BYTES;

/** Handed in, so that a test can let it fail. */
export interface SmallFiles {
  /** Gives the file at `target`, which is nobody's yet, the content of `source`. False: they cannot share blocks; the target is empty. */
  clone(source: string, target: string): Promise<boolean>;
  /** Waits until the content of a file is on disk. */
  sync(path: string): Promise<void>;
}

const CANNOT_SHARE = /^(ENOTSUP|EOPNOTSUPP|ENOSYS|ENOTTY|EINVAL|EXDEV)$/;

export const smallFiles: SmallFiles = {
  async clone(source, target) {
    try {
      // Without the last word it would fall back to a copy that fills every hole.
      await copyFile(source, target, constants.COPYFILE_FICLONE_FORCE);
      return true;
    } catch (error) {
      if (!CANNOT_SHARE.test(errno(error) ?? '')) throw error;
      // It takes away what it could not fill.
      await createEmpty(target);
      return false;
    }
  },

  async sync(path) {
    const file = await promisify(open)(path, 'r');
    try {
      await promisify(fsync)(file);
    } finally {
      closeSync(file);
    }
  },
};
