/**
 * A volume that comes from another backend, on this machine by the cheapest way there is between the two:
 *
 * - a second name (hard link) for its file, where both directories are in one file system: nothing is written. Nobody writes to the
 *   volume meanwhile, and the old name goes when the volume has moved;
 * - shared blocks, where a file system does that across what cannot be linked (subvolumes of one Btrfs, two mounts);
 * - else a copy of the data alone, past the page cache.
 *
 * From another machine it is always a copy, over what that machine has opened.
 *
 * The file keeps the bytes it has, to the last odd sector of one that was taken over.
 */
import { link } from 'node:fs/promises';
import { errno } from '../../lib/errno.ts';
import type { DriverCall, RawSource } from '../driver.ts';
import type { OpenedSource } from '../remote-source.ts';
import type { FileStore } from './file-store.ts';
import { createEmpty, removeIfThere } from './publish.ts';

export interface Receiving {
  readonly full: string;
  readonly sizeGiB: number;
  readonly source: RawSource | OpenedSource;
  /** Nothing is shared with the source. */
  readonly copies: boolean;
}

export async function receive(
  store: FileStore,
  { full, sizeGiB, source, copies }: Receiving,
  call: DriverCall,
): Promise<void> {
  await store.make(full, sizeGiB, call.signal, async (path) => {
    if (!copies && 'path' in source && (await isNamedAlso(store, source.path, path))) return;
    await store.fill(source, path, call, copies);
  });
}

/** In place of the empty file at `path` there is the source, under another name. False: it cannot be; the file is empty. */
export async function isNamedAlso(store: FileStore, source: string, path: string): Promise<boolean> {
  if (!(await store.sameFileSystem(source))) return false;
  await removeIfThere(path);
  try {
    await link(source, path);
    return true;
  } catch (error) {
    if (!/^(EXDEV|EPERM|EMLINK)$/.test(errno(error) ?? '')) throw error;
    await createEmpty(path);
    return false;
  }
}
