/**
 * A segment: what 4,096 chunks of a volume (4 GiB) are, one after the other. It is stored as a record, and is the same for all
 * backups in which nothing of these 4 GiB changed.
 *
 * A chunk of a MiB is one of three things: zeroes, which are stored nowhere; the bytes of a record; or the bytes of a record *over*
 * which some pages of 4 KiB are laid, those that are set in a bitmap, whose content is one after the other in another record.
 */
import type { Json } from '../../lib/json.ts';
import { BackupDamaged } from '../../model/errors.ts';
import type { RecordRef } from './record.ts';
import { sha256 } from './sealing.ts';

export const CHUNK_BYTES = 1024 ** 2;
export const PAGE_BYTES = 4096;
export const PAGES = CHUNK_BYTES / PAGE_BYTES;
export const SEGMENT_CHUNKS = 4096;

/** Null: zeroes. */
export type Chunk = null | RecordRef | PagedChunk;

export interface PagedChunk {
  /** Of all of its bytes. */
  readonly id: string;
  readonly over: RecordRef;
  readonly pages: RecordRef;
  /** A bit a page in hex, the first page the highest bit of the first byte. */
  readonly bitmap: string;
}

export const isPaged = (chunk: RecordRef | PagedChunk): chunk is PagedChunk => 'over' in chunk;

export const recordsOf = (chunk: Chunk): readonly RecordRef[] =>
  chunk === null ? [] : isPaged(chunk) ? [chunk.over, chunk.pages] : [chunk];

/** The id of zeroes, by whatever ids are made otherwise. */
export const ZEROES_ID = '0'.repeat(64);

/** What the chunks hold, wherever that is stored: SHA-256 of their ids. */
export const contentOf = (chunks: readonly Chunk[]): string =>
  sha256(Buffer.from(chunks.map((chunk) => chunk?.id ?? ZEROES_ID).join(''), 'hex'));

export const segmentsOf = (chunks: number): number => Math.ceil(chunks / SEGMENT_CHUNKS);

/** How many chunks segment `index` has of a volume with so many. */
export const chunksIn = (index: number, chunks: number): number =>
  Math.min(SEGMENT_CHUNKS, chunks - index * SEGMENT_CHUNKS);

/** The names of packs that some chunks need, each once. */
export const packsOf = (chunks: readonly Chunk[]): string[] => [
  ...new Set(chunks.flatMap((chunk) => recordsOf(chunk).map(({ pack }) => pack))),
];

/** The plain bytes of a segment's record. */
export function encodeSegment(chunks: readonly Chunk[]): Buffer {
  const packs = packsOf(chunks);
  return Buffer.from(JSON.stringify({ packs, chunks: chunksToJson(chunks, packs) }));
}

/** Throws `BackupDamaged`. `count`: of chunks that it must have. */
export function decodeSegment(plain: Buffer, count: number): Chunk[] {
  const { packs, chunks } = JSON.parse(plain.toString()) as { packs: string[]; chunks: Json[] };
  if (chunks.length !== count) throw new BackupDamaged(`A segment has ${chunks.length} chunks in place of ${count}.`);
  return chunks.map((chunk) => chunkFromJson(chunk, packs));
}

export function chunksToJson(chunks: readonly Chunk[], packs: readonly string[]): Json[] {
  const numbers = new Map(packs.map((pack, index) => [pack, index]));
  const ref = ({ id, pack, at, bytes, raw }: RecordRef) => ({
    id,
    pack: numbers.get(pack) as number,
    at,
    bytes,
    ...(raw && { raw }),
  });
  return chunks.map((chunk) => {
    if (chunk === null) return null;
    if (!isPaged(chunk)) return ref(chunk);
    return { id: chunk.id, over: ref(chunk.over), pages: ref(chunk.pages), bitmap: chunk.bitmap };
  });
}

type RefJson = {
  readonly id: string;
  readonly pack: number;
  readonly at: number;
  readonly bytes: number;
  raw?: boolean;
};

export function chunkFromJson(json: Json, packs: readonly string[]): Chunk {
  const ref = ({ id, pack, at, bytes, raw = false }: RefJson): RecordRef => {
    const name = packs[pack];
    if (name === undefined) throw new BackupDamaged('A chunk is in a pack that is not told.');
    return { id, pack: name, at, bytes, raw };
  };
  if (json === null) return null;
  const chunk = json as unknown as RefJson | { id: string; over: RefJson; pages: RefJson; bitmap: string };
  if (!('over' in chunk)) return ref(chunk);
  return { id: chunk.id, over: ref(chunk.over), pages: ref(chunk.pages), bitmap: chunk.bitmap };
}
