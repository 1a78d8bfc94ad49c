/**
 * Files an operator brings under management and takes back, and why some may not be.
 *
 * A reference is a plain name in the backend's own directory, so no reference can reach another directory. The file must
 * be what a volume is: a regular file of its own (a link would share its content with a name we do not rule), raw, of
 * whole sectors. It is renamed, never copied, and giving back never covers another file.
 *
 * A file with one of our own names is somebody's volume, and is taken over only when it was given back under that very
 * name; a mark beside it says so. Without the mark a reference could steal the volume of another row.
 */

import { constants } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { inGiB } from '../../lib/bytes.ts';
import { errno } from '../../lib/errno.ts';
import { ManageExistingAlreadyManaged, ManageExistingInvalidReference } from '../../model/errors.ts';
import type { ManageableObject, ManageRef } from '../driver.ts';
import { HEADER_BYTES, headerFormat } from '../images/signatures.ts';
import type { FileStore } from './file-store.ts';
import { type Owner, unmanagedMark } from './names.ts';
import { isSameFile, moveAside, removeIfThere, touch } from './publish.ts';
import { requireSize } from './sizes.ts';

const OURS = 'it has a name of ours, and was not unmanaged';

const SECTOR = 512;

/** Size of what `ref` names, when it may be taken over. */
export async function manageableBytes(store: FileStore, ref: ManageRef): Promise<number> {
  const name = sourceName(ref);
  const file = await examine(store, name);
  if (file === null) throw new ManageExistingInvalidReference(`There is no file ${name} on the backend.`);
  if (store.names.owner(name) !== null && (await store.stat(unmanagedMark(name))) === null) {
    throw new ManageExistingAlreadyManaged(`${name} cannot be managed: ${OURS}.`);
  }
  if (file.reason !== null) throw new ManageExistingInvalidReference(`${name} cannot be managed: ${file.reason}.`);
  return file.bytes;
}

export interface TakeOver {
  /** Null: it has its name already, and was given back under it. */
  readonly ref: ManageRef | null;
  /** The name it gets, and the size it has. */
  readonly full: string;
  readonly sizeGiB: number;
}

export async function takeOver(store: FileStore, { ref, full, sizeGiB }: TakeOver, signal: AbortSignal): Promise<void> {
  const name = ref === null ? full : sourceName(ref);
  const there = await store.look(full);
  if (there === null) {
    requireSize(name, await manageableBytes(store, { 'source-name': name }), sizeGiB);
    // Whoever wrote it may not have waited for the disk; from here on it is promised.
    await store.sync([name], signal);
    await rename(store.path(name), store.path(full));
  } else {
    // A file that has the old name by now is another one, and nobody's business.
    requireSize(full, there, sizeGiB);
    // Two names of one file are what a give-back leaves that a crash cut short.
    if (name !== full && (await isSameFile(store.path(name), store.path(full)))) await removeIfThere(store.path(name));
  }
  await store.syncNames();
  for (const given of [name, full]) await removeIfThere(store.path(unmanagedMark(given)));
}

export async function giveBack(store: FileStore, full: string, ref: ManageRef | null): Promise<void> {
  if ((await store.look(full)) !== null) {
    const name = ref === null ? full : sourceName(ref);
    const free =
      store.names.owner(name) === null &&
      (await moveAside(store.path(full), store.path(name), () => store.syncNames()));
    if (!free) await touch(store.path(unmanagedMark(full)));
  }
  await store.syncNames();
}

export async function listManageable(
  store: FileStore,
  kind: Owner['kind'],
  known: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<ManageableObject[]> {
  const found: ManageableObject[] = [];
  const names = await store.list();
  const there = new Set(names);
  for (const name of names) {
    const owner = store.names.owner(name);
    if (name.startsWith('.') || (owner !== null && owner.kind !== kind)) continue;
    signal.throwIfAborted();
    const file = await examine(store, name);
    if (file === null) continue;
    let { reason } = file;
    if (known.has(name)) reason = 'already managed';
    else if (owner !== null && !there.has(unmanagedMark(name))) reason = OURS;
    found.push({ reference: { 'source-name': name }, sizeGiB: inGiB(file.bytes), safe: reason === null, reason });
  }
  return found;
}

/** The name in a reference. Rejects anything that is not a plain, visible name. */
function sourceName(ref: ManageRef): string {
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

interface Examined {
  readonly bytes: number;
  /** Why it cannot be a volume; null when it can. */
  readonly reason: string | null;
}

/** Null when there is nothing of this name. */
async function examine(store: FileStore, name: string): Promise<Examined | null> {
  try {
    const found = await store.stat(name);
    if (found === null) return null;
    const bytes = found.isFile() ? found.size : 0;
    if (found.isSymbolicLink()) return { bytes, reason: 'it is a symbolic link' };
    if (!found.isFile()) return { bytes, reason: 'it is not a regular file' };
    if (found.nlink !== 1) return { bytes, reason: 'it has other names (hard links)' };
    if (bytes === 0) return { bytes, reason: 'it is empty' };
    if (bytes % SECTOR !== 0) return { bytes, reason: `its size is not a multiple of ${SECTOR} bytes` };
    const format = headerFormat(await readHeader(store.path(name)));
    return { bytes, reason: format === null ? null : `it looks like a ${format} image, and volumes are raw` };
  } catch (error) {
    if (errno(error) === 'ENOENT') return null;
    if (errno(error) === 'EACCES') return { bytes: 0, reason: 'the service may not read it' };
    throw error;
  }
}

// The name may be exchanged after it was looked at (TOCTOU): never follow a link, never wait for a pipe.
async function readHeader(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
