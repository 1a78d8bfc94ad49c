/**
 * A file where images are converted, written piece by piece. Nobody knows before how long it becomes, and the database may be on the same
 * file system: room is looked for before each piece, and some of it is left to others.
 */
import type { FileHandle } from 'node:fs/promises';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ImageCopyFailure, ImageTooBig } from '../model/errors.ts';

/** Of the file system. */
const LEFT_TO_OTHERS = 0.05;

/**
 * Writes all of `bytes` at `position` of `file`, which is at `path`. `doing`: as in "no room to unpack the image". Rejects with
 * `ImageTooBig` where room is short, with `ImageCopyFailure` where it cannot be written.
 */
export async function writePiece(
  { file, path, doing }: { readonly file: FileHandle; readonly path: string; readonly doing: string },
  bytes: Buffer,
  position: number,
): Promise<void> {
  const { bavail, blocks, bsize } = await statfs(dirname(path));
  if (bytes.length > (bavail - blocks * LEFT_TO_OTHERS) * bsize)
    throw new ImageTooBig(`There is no room to ${doing} where images are converted.`);
  for (let done = 0; done < bytes.length; ) {
    const written = await file.write(bytes, done, bytes.length - done, position + done).catch((error: unknown) => {
      throw new ImageCopyFailure(`It was not possible to ${doing}: a file could not be written.`, { cause: error });
    });
    done += written.bytesWritten;
  }
}
