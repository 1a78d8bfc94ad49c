/** A disk of a backup in three states, on a file system that shares blocks: what it is at first, and after large and small writes. */
import { execFileSync } from 'node:child_process';
import { createCipheriv, randomBytes } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export const MIB = 1024 ** 2;
export const BYTES = 1024 * MIB;
/** Of each: noise, and what can be compressed to a third; a quarter of that is zeroes besides. The rest of the disk is a hole. */
export const PIECES_MIB = 256;
export const BIG = 16;
export const SMALL = 4096;
const PAGE = 4096;

/** The disk as it is at first, after 16 MiB have been written, and after 4,096 small writes more. */
export interface Disks {
  readonly full: string;
  readonly big: string;
  readonly small: string;
}

export function writeDisks(directory: string): Disks {
  const [full, big, small] = ['full', 'big', 'small'].map((name) => join(directory, name)) as [string, string, string];
  const file = openSync(full, 'wx');
  ftruncateSync(file, BYTES);
  writePieces(file, PIECES_MIB);
  closeSync(file);
  changed(
    full,
    big,
    MIB,
    Array.from({ length: BIG }, (_, each) => each * 32 * MIB),
  );
  changed(
    big,
    small,
    PAGE,
    Array.from({ length: SMALL }, (_, each) => each * 32 * PAGE + (each % 7) * PAGE),
  );
  execFileSync('sync', ['-f', directory]);
  return { full, big, small };
}

/** So many MiB of noise, and as many that are none, in turn. */
export function writePieces(file: number, pieces: number): void {
  for (let piece = 0; piece < pieces; piece += 1) {
    writeSync(file, noise(piece), 0, MIB, 2 * piece * MIB);
    writeSync(file, piece % 4 === 3 ? Buffer.alloc(MIB) : text(piece), 0, MIB, (2 * piece + 1) * MIB);
  }
}

/** Both share all other blocks. */
function changed(before: string, after: string, bytes: number, places: readonly number[]): void {
  execFileSync('cp', ['--reflink=always', before, after]);
  const file = openSync(after, 'r+');
  for (const place of places) writeSync(file, randomBytes(bytes), 0, bytes, place);
  closeSync(file);
}

function noise(seed: number): Buffer {
  const iv = Buffer.alloc(16);
  iv.writeUInt32BE(seed);
  return createCipheriv('aes-128-ctr', Buffer.alloc(16), iv).update(Buffer.alloc(MIB));
}

/** Half of each line is new. */
function text(seed: number): Buffer {
  const random = noise(seed + 1_000_000);
  for (let at = 0; at < MIB; at += 64) random.fill('a line that is much like all the others: ', at + 16, at + 64);
  return random;
}
