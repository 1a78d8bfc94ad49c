/** A backup as a stream of bytes, from the first to the last. */
import type { Content } from '../../lib/file-content.ts';
import { CHUNK_BYTES } from '../format/segment.ts';
import { readManifest } from '../read.ts';
import type { OpenScope } from '../scope.ts';
import { readChunks, stored } from './chunk-reader.ts';
import { isDamaged, windows } from './restore.ts';

/** Chunks that are read at once, and kept until it is their turn. */
const WINDOW = 16;
const ZEROES = Buffer.alloc(CHUNK_BYTES);

export async function contentOfBackup(scope: OpenScope, backupId: string, signal: AbortSignal): Promise<Content> {
  const manifest = await readManifest(scope, backupId, signal);
  async function* read(signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    for await (const { first, chunks } of windows(scope, manifest, 0, WINDOW, signal)) {
      const read = new Map<number, Buffer>();
      const keep = {
        take: async (place: number, data: Buffer) => void read.set(place, Buffer.from(data)),
        miss: async (...damage: Parameters<typeof isDamaged>) => {
          throw isDamaged(...damage);
        },
      };
      await readChunks(scope, stored(first, chunks), keep, signal);
      for (const at of chunks.keys()) yield read.get(first + at) ?? ZEROES;
    }
  }
  return { bytes: manifest.bytes, read };
}
