/**
 * Random access to an image file, for the readers of formats: any piece of it can be had, and never a piece that is not
 * there.
 *
 * Readers are pure: they open nothing, start nothing, and believe nothing. Each length they ask for is bounded by their own
 * rules before it is asked for.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { errno } from '../../lib/errno.ts';
import { ImageCopyFailure } from '../../model/errors.ts';

/** Why an image is not accepted, in words that follow "The image is not acceptable as vmdk: ". */
export class BadImage extends Error {
  override readonly name = 'BadImage';
}

export interface ImageBytes {
  /** Length of the file. */
  readonly size: number;
  /** What of it is on the disk; holes are not. */
  readonly held: number;
  /** `length` bytes from `at`. Rejects with a `BadImage` when the file ends before. */
  read(at: number, length: number): Promise<Buffer>;
}

/** Bytes of the file that hold a piece of the disk. */
export interface Stretch {
  readonly at: number;
  readonly bytes: number;
  /** What they hold is compressed; then `bytes` is what they become. */
  readonly packed: boolean;
}

/** What a header says of an image that may be opened. */
export interface ImageLayout {
  /** Size of the disk, bytes. */
  readonly virtualBytes: number;
  /**
   * Walks all tables, and yields where the data of the disk is, in pieces of bounded size. Rejects with a `BadImage` when
   * something lies outside of the file.
   */
  stretches(): AsyncIterable<readonly Stretch[]>;
}

/** Rejects with `ImageCopyFailure` when the file cannot be read. */
export async function withImageBytes<Result>(
  path: string,
  signal: AbortSignal,
  body: (bytes: ImageBytes) => Promise<Result>,
): Promise<Result> {
  const file = await readable(open(path, 'r'));
  try {
    const { size, blocks } = await readable(file.stat());
    const read = async (at: number, length: number): Promise<Buffer> => {
      signal.throwIfAborted();
      if (!(at >= 0 && at + length <= size)) throw new BadImage('it is cut short');
      return readable(readFully(file, at, length));
    };
    return await body({ size, held: blocks * 512, read });
  } finally {
    await file.close();
  }
}

async function readFully(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(buffer, done, length - done, at + done);
    if (bytesRead === 0) throw new BadImage('it became shorter while it was read');
    done += bytesRead;
  }
  return buffer;
}

function readable<Result>(reading: Promise<Result>): Promise<Result> {
  return reading.catch((error: unknown) => {
    throw errno(error) === undefined ? error : new ImageCopyFailure('The image could not be read.', { cause: error });
  });
}

/** Stretches in the order they are found; neighbours become one. */
export class Stretches {
  readonly stretches: { at: number; bytes: number; packed: boolean }[] = [];

  add(at: number, bytes: number, packed = false): void {
    const last = this.stretches.at(-1);
    if (last !== undefined && !packed && !last.packed && last.at + last.bytes === at) last.bytes += bytes;
    else this.stretches.push({ at, bytes, packed });
  }
}

/** A whole number that a reader can count with. */
export function safe(value: bigint, what: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new BadImage(`${what} is beyond all measure`);
  return Number(value);
}
