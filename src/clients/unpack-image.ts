/**
 * Decompression of an image whose container is `compressed`: one gzip file around the disk format (Glance's container
 * formats, Cinder's `compressed`). Size, checksum and hash in Glance are of the gzip file, and were compared before.
 *
 * A few bytes may become many. So no more is written than was asked for at most, zeroes become a hole, room is looked for
 * all the time and some of it is left to others, and the whole ends at a deadline.
 */
import { type FileHandle, open, rm } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import type { Progress } from '../lib/progress.ts';
import { ImageCopyFailure, ImageTooBig, ImageUnacceptable } from '../model/errors.ts';
import { writePiece } from './conversion-file.ts';

export interface UnpackLimits {
  /** Bytes. */
  readonly most: number;
  /** Milliseconds. */
  readonly timeoutMs: number;
}

interface UnpackCall {
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

const MAGIC = Buffer.from([0x1f, 0x8b]);
const CHUNK = 1024 ** 2;

/**
 * Unpacks the gzip file `source` into `target`, whatever was there. Rejects with `ImageUnacceptable` when it is no gzip file,
 * is damaged or cut short, with `ImageTooBig` beyond a limit or where room is short; then `target` is gone.
 */
export async function unpackImage(
  source: string,
  target: string,
  limits: UnpackLimits,
  call: UnpackCall,
): Promise<void> {
  const deadline = AbortSignal.timeout(limits.timeoutMs);
  const signal = AbortSignal.any([call.signal, deadline]);
  try {
    const packed = await open(source, 'r');
    try {
      const file = await open(target, 'w', 0o600);
      try {
        await unpack(packed, file, target, limits, { ...call, signal });
      } finally {
        await file.close();
      }
    } finally {
      await packed.close();
    }
  } catch (error) {
    await rm(target, { force: true });
    call.signal.throwIfAborted();
    if (deadline.aborted) throw new ImageCopyFailure('Unpacking the image took too long.', { cause: error });
    throw error;
  }
}

async function unpack(
  packed: FileHandle,
  file: FileHandle,
  path: string,
  { most }: UnpackLimits,
  { signal, progress }: UnpackCall,
): Promise<void> {
  const { size } = await packed.stat();
  const { buffer: head, bytesRead } = await packed.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0);
  if (!head.subarray(0, bytesRead).equals(MAGIC))
    throw new ImageUnacceptable('The image is said to be compressed, and is no gzip file; no other is known here.');
  const gunzip = createGunzip({ chunkSize: CHUNK });
  const feed = packed.createReadStream({ autoClose: false, highWaterMark: CHUNK, start: 0, signal });
  feed.once('error', (error) => gunzip.destroy(error));
  let at = 0;
  try {
    for await (const chunk of feed.pipe(gunzip) as AsyncIterable<Buffer>) {
      signal.throwIfAborted();
      if (at + chunk.length > most)
        throw new ImageTooBig(`The compressed image becomes more than ${most} bytes, and does not fit its volume.`);
      if (!chunk.equals(ZEROES.subarray(0, chunk.length))) {
        await writePiece({ file, path, doing: 'unpack the compressed image' }, chunk, at);
      }
      at += chunk.length;
      progress(Math.min(1, gunzip.bytesWritten / size), { bytes: gunzip.bytesWritten, of: size });
    }
  } catch (error) {
    throw isGzipFault(error)
      ? new ImageUnacceptable('The compressed image is damaged or cut short.', { cause: error })
      : error;
  } finally {
    feed.destroy();
    gunzip.destroy();
  }
  if (gunzip.bytesWritten < size)
    throw new ImageUnacceptable('The compressed image goes on behind its end with something else.');
  await file.truncate(at);
}

const ZEROES = Buffer.alloc(CHUNK);

/** As zlib's binding names its errors. */
const isGzipFault = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && /^Z_/.test(error.code);
