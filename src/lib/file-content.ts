/**
 * The bytes of a file as a stream, for those who send or compare all of it. Where its holes are known they are not read: gigabytes that
 * nobody wrote cost no disk and no memory, whoever reads the stream gets the same zeroes again and again.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** A part of a file that holds data. Bytes. */
export interface DataExtent {
  readonly at: number;
  readonly bytes: number;
}

/** Bytes that can be read again and again, each time from the first. Whoever gets a piece does not change it. */
export interface Content {
  readonly bytes: number;
  read(signal: AbortSignal): AsyncIterable<Buffer>;
}

const CHUNK = 1024 ** 2;
const ZEROES = Buffer.alloc(CHUNK);

/** Of `bytes` of a file. `extents`: where its data is, in order; without them all of it is read. */
export function contentOfFile(
  path: string,
  bytes: number,
  extents: readonly DataExtent[] = [{ at: 0, bytes }],
): Content {
  return { bytes, read: (signal) => read(path, bytes, extents, signal) };
}

async function* read(
  path: string,
  bytes: number,
  extents: readonly DataExtent[],
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    let at = 0;
    for (const extent of extents) {
      yield* zeroes(extent.at - at, signal);
      yield* data(file, extent, signal);
      at = extent.at + extent.bytes;
    }
    yield* zeroes(bytes - at, signal);
  } finally {
    await file.close();
  }
}

function* zeroes(bytes: number, signal: AbortSignal): Generator<Buffer, void, undefined> {
  for (let left = bytes; left > 0; left -= CHUNK) {
    signal.throwIfAborted();
    yield left >= CHUNK ? ZEROES : ZEROES.subarray(0, left);
  }
}

async function* data(file: FileHandle, { at, bytes }: DataExtent, signal: AbortSignal): AsyncGenerator<Buffer> {
  for (let done = 0; done < bytes; ) {
    signal.throwIfAborted();
    const most = Math.min(CHUNK, bytes - done);
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(most), 0, most, at + done);
    if (bytesRead === 0) throw new RangeError(`The file ends at ${at + done}, before what is to be read of it.`);
    yield buffer.subarray(0, bytesRead);
    done += bytesRead;
  }
}
