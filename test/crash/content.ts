/**
 * What volumes, snapshots, images and client's files hold, so that a wrong or torn copy is seen.
 *
 * Everything is made of two blocks that repeat a word, the content's name, and of nothing else. A blank volume has the
 * content `zero`. A copy is asked for under the name of its source's content (as metadata), so a row says what its file
 * must hold.
 */
import { open } from 'node:fs/promises';

export const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
export const ZERO = 'zero';
const BLOCK_BYTES = 16 * 1024;
const BLOCKS = [0, 20 * MIB];
/** Where nothing ever is. */
const HOLE = 24 * MIB;

const block = (content: string, at: number): Buffer =>
  content === ZERO ? Buffer.alloc(BLOCK_BYTES) : Buffer.alloc(BLOCK_BYTES, `${content} ${at} `);

/** What is to be written, and where, on something blank. */
export const blocksOf = (content: string): readonly (readonly [at: number, data: Buffer])[] =>
  BLOCKS.map((at) => [at, block(content, at)]);

/** A sparse file of so many bytes that is not there yet. */
export async function writeContent(path: string, content: string, bytes: number): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.truncate(bytes);
    for (const [at, data] of blocksOf(content)) await file.write(data, 0, BLOCK_BYTES, at);
  } finally {
    await file.close();
  }
}

/** What is wrong with the file; null when it holds the content. */
export async function faultOfContent(path: string, content: string): Promise<string | null> {
  const file = await open(path, 'r');
  try {
    return await faultOfBytes(async (at, bytes) => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, at);
      return buffer.subarray(0, bytesRead);
    }, content);
  } finally {
    await file.close();
  }
}

/** The same of what is read by `read`, which gives less beyond the end. */
export async function faultOfBytes(
  read: (at: number, bytes: number) => Promise<Buffer>,
  content: string,
): Promise<string | null> {
  for (const [at, expected] of [...blocksOf(content), [HOLE, Buffer.alloc(BLOCK_BYTES)] as const]) {
    const found = await read(at, BLOCK_BYTES);
    if (found.equals(expected)) continue;
    return `at ${at} it should hold "${content}" and begins with ${JSON.stringify(found.subarray(0, 32).toString('latin1'))}`;
  }
  return null;
}

/** The same of all the bytes of a disk, in pieces of whole MiB. */
export async function faultOfDisk(pieces: AsyncIterable<Buffer>, content: string): Promise<string | null> {
  let at = 0;
  for await (const piece of pieces) {
    const expected = Buffer.alloc(piece.length);
    for (const each of BLOCKS)
      if (at <= each && each < at + piece.length) block(content, each).copy(expected, each - at);
    if (!piece.equals(expected)) return `what begins at ${at} is not "${content}"`;
    at += piece.length;
  }
  return null;
}
