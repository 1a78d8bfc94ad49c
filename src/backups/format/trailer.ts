/**
 * The end of a pack, from which it can be understood alone: its records, and what became known with it of the volume that was
 * being backed up. A copy that was interrupted goes on from trailers, and so is a manifest made.
 */
import type { Json } from '../../lib/json.ts';
import { decodeDocument, encodeDocument, FORMAT } from './document.ts';
import type { RecordRef } from './record.ts';
import type { Sealing } from './sealing.ts';
import { type Chunk, chunkFromJson, chunksToJson, packsOf } from './segment.ts';

export interface Trailer {
  /** Nothing was taken for unchanged without being read. */
  readonly readsAll: boolean;
  /** All of the pack's, in their order. */
  readonly records: readonly RecordRef[];
  /** Chunks that are not what they are in the parent (zeroes, where there is none), by their place in the volume. */
  readonly changes: readonly (readonly [index: number, chunk: Chunk])[];
  /** Segments that are not as in the parent; null: all zeroes. Each whose last chunk was done within this pack. */
  readonly segments: readonly (readonly [index: number, record: RecordRef | null])[];
}

const trailerOf = (pack: string): string => `trailer of ${pack}`;

export function encodeTrailer(
  sealing: Sealing,
  pack: string,
  { readsAll, records, changes, segments }: Trailer,
): Buffer {
  const chunks = changes.map(([, chunk]) => chunk);
  const packs = [pack, ...packsOf(chunks).filter((other) => other !== pack)];
  const json = chunksToJson(chunks, packs);
  return encodeDocument(sealing, trailerOf(pack), {
    format: FORMAT,
    reads_all: readsAll,
    packs,
    records: chunksToJson(records, packs),
    changes: changes.map(([index], at): Json => [index, json[at] ?? null]),
    segments: segments.map(([index, record]): Json => [index, chunksToJson([record], packs)[0] ?? null]),
  });
}

/** `end`: the last bytes of the pack, at least as many as its trailer has. Throws `BackupDamaged`, `BackupFormatTooNew`. */
export function decodeTrailer(sealing: Sealing, pack: string, end: Buffer): Trailer {
  const document = decodeDocument(sealing, trailerOf(pack), end);
  const packs = document.packs as string[];
  const chunk = (json: Json): Chunk => chunkFromJson(json, packs);
  const placed = (json: Json): [number, Json] => json as [number, Json];
  return {
    readsAll: document.reads_all as boolean,
    records: (document.records as Json[]).map(chunk) as RecordRef[],
    changes: (document.changes as Json[]).map(placed).map(([index, json]) => [index, chunk(json)]),
    segments: (document.segments as Json[])
      .map(placed)
      .map(([index, json]) => [index, chunk(json) as RecordRef | null]),
  };
}
