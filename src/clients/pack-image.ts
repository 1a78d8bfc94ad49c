/**
 * Compression of an image for the container format `compressed`: one gzip file around the disk format, as Glance and Cinder know it
 * (`unpack-image.ts` is the way back).
 */
import { open, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Content } from '../lib/file-content.ts';
import type { Progress } from '../lib/progress.ts';
import { ImageCopyFailure } from '../model/errors.ts';
import { writePiece } from './conversion-file.ts';

interface PackCall {
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

const CHUNK = 1024 ** 2;

/**
 * Packs `content` into the gzip file `target`, whatever was there, durably. Rejects with `ImageTooBig` where room is short, with
 * `ImageCopyFailure` when it takes too long; then `target` is gone.
 */
export async function packImage(
  content: Content,
  target: string,
  limits: { readonly timeoutMs: number },
  call: PackCall,
): Promise<void> {
  const deadline = AbortSignal.timeout(limits.timeoutMs);
  const signal = AbortSignal.any([call.signal, deadline]);
  try {
    const file = await open(target, 'w', 0o600);
    try {
      const gzip = createGzip({ chunkSize: CHUNK });
      let at = 0;
      const write = async (pieces: AsyncIterable<Buffer>): Promise<void> => {
        for await (const piece of pieces) {
          await writePiece({ file, path: target, doing: 'compress the image' }, piece, at);
          at += piece.length;
          call.progress(gzip.bytesWritten / content.bytes, { bytes: gzip.bytesWritten, of: content.bytes });
        }
      };
      await pipeline(content.read(signal), gzip, write, { signal });
      // Whoever finds it after a crash of the machine goes by its length.
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    await rm(target, { force: true });
    call.signal.throwIfAborted();
    if (deadline.aborted) throw new ImageCopyFailure('Compressing the image took too long.', { cause: error });
    throw error;
  }
}
