/**
 * The validator of images: everything an image says of itself, read by us before any program opens it.
 *
 * An image comes from anyone, and a program that opens it follows it: to a backing file, to an extent of another name, to a
 * table beyond its end, which reads as zeroes. So each format has a reader here that takes nothing on trust, and only an
 * image that passed is given to `qemu-img`. The format is the one that the image's metadata claims; a raw image may begin
 * with any bytes, a qcow2 header too, and is raw.
 */
import { ImageUnacceptable } from '../../model/errors.ts';
import type { ImageFile } from '../driver.ts';
import { BadImage, type ImageBytes, type ImageLayout, type Stretch, withImageBytes } from './image-bytes.ts';
import { readQcow2 } from './qcow2.ts';
import { readVdi } from './vdi.ts';
import { readVhd } from './vhd.ts';
import { readVmdk } from './vmdk.ts';

const PIECE = 1024 ** 2;
/** What a file system gives away at once, and what `qemu-img convert -S 4k` leaves out when it is zeroes. */
const BLOCK = 4096;
const SECTOR = 512;

export interface ImageFacts {
  /** Size of the disk the image describes. */
  readonly virtualBytes: number;
  /** What the image has a place for: what its content takes on a sparse file system, at most. */
  readonly allocatedBytes: number;
}

/**
 * Rejects with `ImageUnacceptable` for anything that must not be opened or that has lost a part. `fits` is asked before the
 * tables are walked, and rejects what is too large.
 */
export function readImage(
  image: ImageFile,
  signal: AbortSignal,
  fits: (virtualBytes: number) => void,
): Promise<ImageFacts> {
  return reading(image, signal, async (layout, { held }) => {
    const { virtualBytes } = layout;
    fits(virtualBytes);
    let packedBytes = 0;
    let plainBytes = 0;
    for await (const found of layout.stretches())
      for (const { bytes, packed } of found) {
        if (packed) packedBytes += bytes;
        else plainBytes += bytes;
      }
    return { virtualBytes, allocatedBytes: Math.min(packedBytes + Math.min(plainBytes, held), virtualBytes) };
  });
}

/**
 * What the content takes, by reading it: zeroes that have a place (a preallocated image) take nothing. Stops above `enough`.
 * Compressed data counts as what it becomes, since nobody compresses zeroes.
 */
export function countData(image: ImageFile, signal: AbortSignal, enough: number): Promise<number> {
  return reading(image, signal, async (layout, bytes) => {
    let counted = 0;
    for await (const found of layout.stretches())
      for (const stretch of found) {
        counted += stretch.packed ? stretch.bytes : await dataIn(bytes, stretch, enough - counted);
        if (counted > enough) return counted;
      }
    return counted;
  });
}

async function dataIn(bytes: ImageBytes, { at, bytes: length }: Stretch, enough: number): Promise<number> {
  let counted = 0;
  for (let from = 0; from < length && counted <= enough; from += PIECE) {
    const piece = await bytes.read(at + from, Math.min(PIECE, length - from));
    if (piece.equals(ZEROES.subarray(0, piece.length))) continue;
    for (let block = 0; block < piece.length; block += BLOCK) {
      const part = piece.subarray(block, block + BLOCK);
      if (!part.equals(ZEROES.subarray(0, part.length))) counted += part.length;
    }
  }
  return counted;
}

const ZEROES = Buffer.alloc(PIECE);

async function reading<Result>(
  image: ImageFile,
  signal: AbortSignal,
  body: (layout: ImageLayout, bytes: ImageBytes) => Promise<Result>,
): Promise<Result> {
  const { format, path } = image;
  try {
    return await withImageBytes(path, signal, async (bytes) => {
      const layout = await READERS[format](bytes);
      return body(layout, bytes);
    });
  } catch (error) {
    if (!(error instanceof BadImage)) throw error;
    throw new ImageUnacceptable(`The image is not acceptable as ${format}: ${error.message}.`, { cause: error });
  }
}

const READERS: Readonly<Record<ImageFile['format'], (bytes: ImageBytes) => Promise<ImageLayout>>> = {
  raw: readRaw,
  qcow2: readQcow2,
  vmdk: readVmdk,
  vdi: readVdi,
  vhd: readVhd,
};

/** Its disk is the file, to the end of a sector. */
async function readRaw({ size }: ImageBytes): Promise<ImageLayout> {
  if (size === 0) throw new BadImage('it has no size');
  return {
    virtualBytes: Math.ceil(size / SECTOR) * SECTOR,
    async *stretches() {
      yield [{ at: 0, bytes: size, packed: false }];
    },
  };
}
