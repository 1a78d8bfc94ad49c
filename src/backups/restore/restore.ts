/**
 * A restore: the chunks of a backup into a target, window after window. A window is told to be done when it is on the disk; what is
 * done again is the same write.
 */

import { sizeText } from '../../lib/bytes.ts';
import { CLOCK, type Clock } from '../../lib/clock.ts';
import type { Exec } from '../../lib/exec.ts';
import { BackupDamaged, BackupFailed, BackupMissing } from '../../model/errors.ts';
import type { RestoreOrder, RestoreOutcome, RestoreWatch } from '../backups.ts';
import { ByteRate } from '../byte-rate.ts';
import type { Manifest } from '../format/manifest.ts';
import { CHUNK_BYTES, type Chunk, chunksIn, SEGMENT_CHUNKS } from '../format/segment.ts';
import { readManifest, readSegment } from '../read.ts';
import type { OpenScope } from '../scope.ts';
import { type ChunkTaker, type PlacedChunk, readChunks, stored } from './chunk-reader.ts';
import { Missing } from './missing.ts';
import { FileTarget } from './target.ts';

/** Chunks of a window: within it they are read in the order in which they lie. */
const WINDOW = 128;

export async function restore(
  scope: OpenScope,
  { place, target, doneBytes, skipsDamaged = false, bytesPerSecond = 0 }: RestoreOrder,
  watch: RestoreWatch,
  exec: Exec,
  clock: Clock = CLOCK,
): Promise<RestoreOutcome> {
  const { signal } = watch;
  const manifest = await readManifest(scope, place.backupId, signal);
  if (manifest.bytes > target.bytes)
    throw new BackupFailed(`The backup has ${sizeText(manifest.bytes)}, and the volume ${sizeText(target.bytes)}.`);
  const rate = new ByteRate(clock, bytesPerSecond);
  const file = await FileTarget.open(target);
  const missing = skipsDamaged ? new Missing() : null;
  const lost = missing === null ? undefined : (first: number, count: number): void => missing.add(first, count);
  try {
    await file.makeBlank(exec, target, doneBytes, signal);
    const start = doneBytes / CHUNK_BYTES;
    for await (const { first, chunks } of windows(scope, manifest, start, WINDOW, signal, lost)) {
      const there = stored(first, chunks);
      const end = first + chunks.length;
      if (!file.isBlank)
        for (const [at, chunk] of chunks.entries()) if (chunk === null) await file.writeZeroes(first + at);
      await readChunks(scope, there, into(file, rate, missing, signal), signal);
      if (there.length > 0 || !file.isBlank) {
        await file.sync();
        watch.done(end * CHUNK_BYTES);
      }
      const bytes = end * CHUNK_BYTES;
      watch.progress(bytes / manifest.bytes, { bytes, of: manifest.bytes });
    }
    if (!file.isBlank) await file.writeTail(Math.max(manifest.bytes, doneBytes), signal);
    await file.sync();
    watch.done(target.bytes);
    return (missing ?? new Missing()).outcome();
  } finally {
    await file.close();
  }
}

const into = (file: FileTarget, rate: ByteRate, missing: Missing | null, signal: AbortSignal): ChunkTaker => ({
  take: async (place, data) => {
    await file.write(place, data);
    await rate.spend(data.length, signal);
  },
  miss: async (chunks, damage, pack) => {
    if (missing === null) throw isDamaged(chunks, damage, pack);
    for (const { place } of chunks) {
      missing.add(place);
      if (!file.isBlank) await file.writeZeroes(place);
    }
  },
});

/** What a reader of a backup is told of a chunk that is damaged. */
export function isDamaged(chunks: readonly PlacedChunk[], damage: BackupDamaged, pack: string): BackupDamaged {
  const at = sizeText((chunks[0]?.place ?? 0) * CHUNK_BYTES);
  const message = `The chunk at ${at} is damaged in pack ${pack}. Restore an older backup, or a newer one.`;
  return new BackupDamaged(message, { cause: damage });
}

/**
 * The chunks of a backup in order, some at once, from `start` on; those of segments without any in one window each. `lost`: is told of chunks of
 * which nobody knows what they are, in place of a failure; they are handed out as zeroes.
 */
export async function* windows(
  scope: OpenScope,
  manifest: Manifest,
  start: number,
  size: number,
  signal: AbortSignal,
  lost?: (first: number, count: number) => void,
) {
  const all = manifest.bytes / CHUNK_BYTES;
  for (let index = 0; index < manifest.segments.length; index += 1) {
    const first = index * SEGMENT_CHUNKS;
    const count = chunksIn(index, all);
    if (first + count <= start) continue;
    const chunks = await readSegment(scope, manifest, index, signal).catch((error: unknown): Chunk[] => {
      if (lost === undefined || !(error instanceof BackupDamaged || error instanceof BackupMissing)) throw error;
      lost(first, count);
      return Array.from({ length: count }, () => null);
    });
    const step = manifest.segments[index] === null ? count : size;
    for (let at = Math.max(0, start - first); at < count; at += step) {
      signal.throwIfAborted();
      yield { first: first + at, chunks: chunks.slice(at, at + step) };
    }
  }
}
