/** Files of an image directory, written whole and durable under a name that nobody else has. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { Content } from '../lib/file-content.ts';
import type { Progress } from '../lib/progress.ts';

export interface WriteCall {
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** What was written. Hexadecimal. */
export interface Facts {
  readonly sizeBytes: number;
  readonly md5: string;
  readonly sha512: string;
}

/** With holes where there are zeroes; digests on the way. */
export async function writeSparse(target: string, content: Content, { signal, progress }: WriteCall): Promise<Facts> {
  const to = await open(target, 'wx', 0o600);
  try {
    const [md5, sha512] = [createHash('md5'), createHash('sha512')];
    let sizeBytes = 0;
    for await (const piece of content.read(signal)) {
      md5.update(piece);
      sha512.update(piece);
      if (!piece.equals(ZEROES.subarray(0, piece.length))) await writeAll(to, piece, sizeBytes);
      sizeBytes += piece.length;
      progress(sizeBytes / content.bytes, { bytes: sizeBytes, of: content.bytes });
    }
    await to.truncate(sizeBytes);
    await to.sync();
    return { sizeBytes, md5: md5.digest('hex'), sha512: sha512.digest('hex') };
  } finally {
    await to.close();
  }
}

const ZEROES = Buffer.alloc(1024 * 1024);

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

export async function writeSynced(path: string, content: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}
