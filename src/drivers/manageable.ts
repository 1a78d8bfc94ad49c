/**
 * Files an operator may bring under management, and why others may not be.
 *
 * A reference is a plain name in the backend's own directory, so no reference can reach another directory. The file must
 * be what a volume is: a regular file of its own (a link would share its content with a name we do not rule), raw, of
 * whole sectors.
 */
import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import { ManageExistingInvalidReference } from '../model/errors.ts';
import type { ManageRef } from './driver.ts';
import { errno } from './file-errors.ts';
import { HEADER_BYTES, headerFormat } from './image-header.ts';

const SECTOR = 512;

/** The name in a reference. Rejects anything that is not a plain, visible name. */
export function sourceName(ref: ManageRef): string {
  const name = ref['source-name'];
  const refuse = (why: string): never => {
    throw new ManageExistingInvalidReference(`The reference ${JSON.stringify(ref)} ${why}.`);
  };
  if (typeof name !== 'string' || name === '') return refuse('has no "source-name"');
  if (/[/\\\0]/.test(name)) return refuse('must be a plain file name, without a path');
  if (name.startsWith('.')) return refuse('must not begin with a dot');
  if (Buffer.byteLength(name) > 255) return refuse('is longer than a file name may be');
  return name;
}

export interface Examined {
  readonly bytes: number;
  /** Why it cannot be a volume; null when it can. */
  readonly reason: string | null;
}

/** Null when there is nothing of this name. */
export async function examine(directory: string, name: string): Promise<Examined | null> {
  const path = join(directory, name);
  try {
    const found = await lstat(path);
    const bytes = found.isFile() ? found.size : 0;
    if (found.isSymbolicLink()) return { bytes, reason: 'it is a symbolic link' };
    if (!found.isFile()) return { bytes, reason: 'it is not a regular file' };
    if (found.nlink !== 1) return { bytes, reason: 'it has other names (hard links)' };
    if (bytes === 0) return { bytes, reason: 'it is empty' };
    if (bytes % SECTOR !== 0) return { bytes, reason: `its size is not a multiple of ${SECTOR} bytes` };
    const format = headerFormat(await readHeader(path));
    return { bytes, reason: format === null ? null : `it looks like a ${format} image, and volumes are raw` };
  } catch (error) {
    if (errno(error) === 'ENOENT') return null;
    if (errno(error) === 'EACCES') return { bytes: 0, reason: 'the service may not read it' };
    throw error;
  }
}

// The name may be exchanged after it was looked at: never follow a link, never wait for a pipe.
async function readHeader(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
