/**
 * A record: some bytes in a pack under their id, as one zstd frame, or as they are where that saves less than 3 %.
 *
 * Each has a frame of its own, with its length beside its id, since a reader of zstd may stop after the first frame. The id says
 * whether what was read is what was written; no other digest is needed.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { BackupDamaged } from '../../model/errors.ts';
import { giveBack } from '../outside-heap.ts';
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
/** Above what is expected: zlib joins pieces of 16 KiB where it is not told to expect more, which was half of the time of what does not compress. */
const SPARE = 65_536;
/** Of what most records come to. A longer one is joined of several. */
const LIKELY_PLAIN_BYTES = 1024 ** 2;

/** The most that `plain` bytes take as a record. */
export const mostStored = (plain: number, { overhead }: Sealing): number => plain + overhead;

/** Takes more memory than it has bytes: to be given back. */
export function compressed(plain: Buffer): Buffer {
  return zstdCompressSync(plain, { chunkSize: plain.length + SPARE, params: LEVEL });
}

/** Throws `BackupDamaged`. `most`: the most that it may come to. */
export function decompressed(bytes: Buffer, most: number): Buffer {
  try {
    return zstdDecompressSync(bytes, { maxOutputLength: most, chunkSize: Math.min(most, LIKELY_PLAIN_BYTES) + SPARE });
  } catch (error) {
    throw new BackupDamaged('It cannot be decompressed.', { cause: error });
  }
}

export interface EncodedRecord {
  readonly id: string;
  /** `plain` itself, or to be given back. */
  readonly body: Buffer;
  readonly raw: boolean;
}

/** `id`: of `plain`, where it is known. */
export function encodeRecord(sealing: Sealing, plain: Buffer, id: string = sealing.idOf(plain)): EncodedRecord {
  const smaller = compressed(plain);
  const raw = smaller.length > plain.length * (1 - SAVING);
  const body = sealing.seal(raw ? plain : smaller, recordOf(id));
  if (body !== smaller) giveBack(smaller);
  return { id, raw, body };
}

/** A part of `body`, or to be given back. Throws `BackupDamaged` for anything but the bytes that have this id. */
export function decodeRecord(sealing: Sealing, ref: Pick<RecordRef, 'id' | 'raw'>, body: Buffer): Buffer {
  const plain = openRecord(sealing, ref, body);
  if (sealing.idOf(plain) !== ref.id) throw new BackupDamaged('It holds other bytes than it should.');
  return plain;
}

/** The same for whoever compares the id of what is made of it. May throw `BackupDamaged`, and need not. */
export function openRecord(sealing: Sealing, { id, raw }: Pick<RecordRef, 'id' | 'raw'>, body: Buffer): Buffer {
  const opened = sealing.open(body, recordOf(id));
  if (raw) return opened;
  const plain = decompressed(opened, MOST_PLAIN_BYTES);
  if (opened !== body) giveBack(opened);
  return plain;
}

const recordOf = (id: string): string => `record ${id}`;
