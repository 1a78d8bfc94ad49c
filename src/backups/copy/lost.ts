/**
 * What of a parent nobody can rely on, since packs that it is made of are damaged. A copy takes it for something that it has never seen:
 * it reads that part of the source, whatever is said of it, and stores it again.
 */
import { BackupDamaged, BackupMissing } from '../../model/errors.ts';
import type { ByteRange } from '../backups.ts';
import type { Manifest, StoredSegment } from '../format/manifest.ts';
import { CHUNK_BYTES, type Chunk, chunksIn, recordsOf, SEGMENT_CHUNKS } from '../format/segment.ts';
import { readSegment } from '../read.ts';
import type { OpenScope } from '../scope.ts';

export interface Lost {
  /** Of these segments something is to be stored again, be it only their tables. */
  readonly touched: ReadonlySet<number>;
  /** Of these nothing is known. */
  readonly unreadable: ReadonlySet<number>;
  /** Of the volume: what must be read. */
  readonly ranges: readonly ByteRange[];
  isLost(chunk: Chunk): boolean;
}

/** `damaged`: names of packs. */
export async function lostOf(
  scope: OpenScope,
  parent: Manifest | null,
  damaged: readonly string[],
  signal: AbortSignal,
): Promise<Lost> {
  const bad = new Set(damaged);
  const touched = new Set<number>();
  const unreadable = new Set<number>();
  const ranges: ByteRange[] = [];
  const isLost = (chunk: Chunk): boolean => recordsOf(chunk).some(({ pack }) => bad.has(pack));
  for (const [index, segment] of (parent?.segments ?? []).entries()) {
    if (parent === null || segment === null || !isTouched(segment, bad)) continue;
    touched.add(index);
    const first = index * SEGMENT_CHUNKS;
    try {
      for (const [at, chunk] of (await readSegment(scope, parent, index, signal)).entries())
        if (isLost(chunk)) ranges.push({ at: (first + at) * CHUNK_BYTES, bytes: CHUNK_BYTES });
    } catch (error) {
      if (!(error instanceof BackupDamaged || error instanceof BackupMissing)) throw error;
      unreadable.add(index);
      ranges.push({ at: first * CHUNK_BYTES, bytes: chunksIn(index, parent.bytes / CHUNK_BYTES) * CHUNK_BYTES });
    }
  }
  return { touched, unreadable, ranges, isLost };
}

/** Whether its table or any of its chunks lies in one of these packs. */
export const isTouched = ({ record, packs }: StoredSegment, bad: ReadonlySet<string>): boolean =>
  bad.has(record.pack) || packs.some((pack) => bad.has(pack));
