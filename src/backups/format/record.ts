/**
 * A record: some bytes in a pack under their id, as one zstd frame, or as they are where that saves less than 3 %.
 *
 * Each has a frame of its own, with its length beside its id, since a reader of zstd may stop after the first frame. The id says
 * whether what was read is what was written; no other digest is needed.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { BackupDamaged } from '../../model/errors.ts';
import { madeOutside } from '../outside-heap.ts';
import type { Sealing } from './sealing.ts';

/** Where a record lies. */
export interface RecordRef {
  /** Of its plain bytes. */
  readonly id: string;
  /** `BACKUP/ATTEMPT-NUMBER` */
  readonly pack: string;
  readonly at: number;
  /** As it lies there. */
  readonly bytes: number;
  /** It is not compressed. */
  readonly raw: boolean;
}

/** The longest record before it is compressed: what is longer cannot be read. */
export const MOST_PLAIN_BYTES = 16 * 1024 ** 2;
/** Must be saved to be worth the work of a reader. */
const SAVING = 0.03;
const LEVEL = { [constants.ZSTD_c_compressionLevel]: 1 };
/** Less than this makes zlib join pieces of 16 KiB, which was half of the time of what does not compress. */
const SPARE = 65_536;

/** The most that `plain` bytes take as a record. */
export const mostStored = (plain: number, { overhead }: Sealing): number => plain + overhead;

export function compressed(plain: Buffer): Buffer {
  madeOutside(plain.length + SPARE);
  return zstdCompressSync(plain, { chunkSize: plain.length + SPARE, params: LEVEL });
}

/** Throws `BackupDamaged`. `most`: the most that it may come to. */
export function decompressed(bytes: Buffer, most: number): Buffer {
  try {
    return zstdDecompressSync(bytes, { maxOutputLength: most });
  } catch (error) {
    throw new BackupDamaged('It cannot be decompressed.', { cause: error });
  }
}

export interface EncodedRecord {
  readonly id: string;
  readonly body: Buffer;
  readonly raw: boolean;
}

/** `id`: of `plain`, where it is known. */
export function encodeRecord(sealing: Sealing, plain: Buffer, id: string = sealing.idOf(plain)): EncodedRecord {
  const smaller = compressed(plain);
  const raw = smaller.length > plain.length * (1 - SAVING);
  return { id, raw, body: sealing.seal(raw ? plain : smaller, recordOf(id)) };
}

/** Throws `BackupDamaged` for anything but the bytes that have this id. */
export function decodeRecord(sealing: Sealing, { id, raw }: Pick<RecordRef, 'id' | 'raw'>, body: Buffer): Buffer {
  const opened = sealing.open(body, recordOf(id));
  const plain = raw ? opened : decompressed(opened, MOST_PLAIN_BYTES);
  if (sealing.idOf(plain) !== id) throw new BackupDamaged('It holds other bytes than it should.');
  return plain;
}

const recordOf = (id: string): string => `record ${id}`;
