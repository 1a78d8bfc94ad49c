/**
 * Chunks, read out of packs: records in the order in which they lie, neighbours by one call, each chunk compared with its id before anybody
 * gets it. One that is not right is read once more by itself; what is then still wrong is damaged.
 *
 * A chunk that some pages are laid over is compared once, with its own id, which says of both of its records that they are right. Only where it is
 * not what it should be the one below is compared with its id, too.
 */
import { BackupDamaged, BackupMissing } from '../../model/errors.ts';
import { ahead } from '../ahead.ts';
import { layOver } from '../copy/pages.ts';
import { packFile } from '../format/names.ts';
import { decodeRecord, openRecord, type RecordRef } from '../format/record.ts';
import { CHUNK_BYTES, type Chunk, isPaged, type PagedChunk } from '../format/segment.ts';
import { giveBack } from '../outside-heap.ts';
import { readRecord } from '../read.ts';
import type { OpenScope } from '../scope.ts';

/** A chunk that is stored, and where in the volume it is. */
export interface PlacedChunk {
  /** The number of the chunk. */
  readonly place: number;
  readonly chunk: RecordRef | PagedChunk;
}

export interface ChunkTaker {
  /** `data` is right until this resolves. */
  take(place: number, data: Buffer): Promise<void>;
  /** What could not be read. It goes on with the others when this resolves. */
  miss(chunks: readonly PlacedChunk[], damage: BackupDamaged, pack: string): Promise<void>;
}

/** Of one call. */
const MOST_BYTES = 4 * CHUNK_BYTES;
/** What is read and thrown away is cheaper than another call. */
const MOST_GAP = 64 * 1024;
/** Calls that are begun before their turn. */
const CALLS_AHEAD = 2;

/** A chunk, and one of the records that it is made of. */
type Part = PlacedChunk & { readonly ref: RecordRef };

/** A record, and whom it is for. */
interface Needed {
  readonly ref: RecordRef;
  readonly chunks: readonly PlacedChunk[];
}

/** In no order. In memory are a few calls, and the pages of all that have some. */
export async function readChunks(
  scope: OpenScope,
  placed: readonly PlacedChunk[],
  taker: ChunkTaker,
  signal: AbortSignal,
): Promise<void> {
  const pages = new Map<number, Buffer>();
  const paged = placed.flatMap(({ place, chunk }): Part[] =>
    isPaged(chunk) ? [{ place, chunk, ref: chunk.pages }] : [],
  );
  for await (const { ref, plain, chunks } of records(scope, neededOf(paged), signal)) {
    if (plain instanceof BackupDamaged) await taker.miss(chunks, plain, ref.pack);
    // What a call brought goes when the next comes.
    else for (const { place } of chunks) pages.set(place, Buffer.from(plain));
  }
  const whole = placed.flatMap(({ place, chunk }): Part[] => {
    if (!isPaged(chunk)) return [{ place, chunk, ref: chunk }];
    return pages.has(place) ? [{ place, chunk, ref: chunk.over }] : [];
  });
  for await (const { ref, plain, chunks } of records(scope, neededOf(whole), signal)) {
    if (plain instanceof BackupDamaged) {
      await taker.miss(chunks, plain, ref.pack);
      continue;
    }
    for (const each of chunks) {
      const over = pages.get(each.place);
      // Others need it as it is.
      const own = chunks.length > 1 && over !== undefined ? Buffer.from(plain) : plain;
      const data = chunkOf(scope, each.chunk, own, over) ?? (await again(scope, each, over, signal));
      if (data instanceof BackupDamaged) await taker.miss([each], data, ref.pack);
      else await taker.take(each.place, data);
      pages.delete(each.place);
      if (over !== undefined) giveBack(over);
    }
  }
}

/** Null where it is not what it should be. `plain` is written over. */
function chunkOf({ sealing }: OpenScope, chunk: PlacedChunk['chunk'], plain: Buffer, pages?: Buffer): Buffer | null {
  if (!isPaged(chunk)) return plain.length === CHUNK_BYTES ? plain : null;
  const fit = pages !== undefined && layOver(plain, pages, Buffer.from(chunk.bitmap, 'hex'));
  return fit && sealing.idOf(plain) === chunk.id ? plain : null;
}

/** The same, of a record that is read once more, and is what it should be. */
async function again(scope: OpenScope, placed: PlacedChunk, pages: Buffer | undefined, signal: AbortSignal) {
  const { chunk } = placed;
  const plain = await readAgain(scope, isPaged(chunk) ? chunk.over : chunk, signal);
  if (plain instanceof BackupDamaged) return plain;
  return chunkOf(scope, chunk, plain, pages) ?? new BackupDamaged('Its pages do not fit.');
}

/** Records that several chunks are made of are read once. */
function neededOf(all: readonly Part[]): Needed[] {
  const lying = Map.groupBy(all, ({ ref }) => `${ref.pack} ${ref.at}`);
  const needed = [...lying.values()].map((chunks) => ({ ref: chunks[0]?.ref as RecordRef, chunks }));
  return needed.sort((a, b) => (a.ref.pack === b.ref.pack ? a.ref.at - b.ref.at : a.ref.pack < b.ref.pack ? -1 : 1));
}

type ReadRecord = Needed & { readonly plain: Buffer | BackupDamaged };

/** Each is right until the next is asked for; one that is the base of pages only is what lies there, right or not. */
async function* records(scope: OpenScope, needed: readonly Needed[], signal: AbortSignal): AsyncGenerator<ReadRecord> {
  const calls = ahead(neighbours(needed), CALLS_AHEAD, (group) => fetched(scope, group, signal));
  for await (const { group, bytes, at } of calls) {
    for (const each of group) {
      const from = each.ref.at - at;
      const plain = await decoded(scope, each, bytes?.subarray(from, from + each.ref.bytes), signal);
      yield { ...each, plain };
      if (plain instanceof Buffer && plain.buffer !== bytes?.buffer) giveBack(plain);
    }
    if (bytes !== undefined) giveBack(bytes);
  }
}

function* neighbours(needed: readonly Needed[]): Generator<readonly Needed[]> {
  let group: Needed[] = [];
  for (const each of needed) {
    const [first, last] = [group[0]?.ref, group.at(-1)?.ref];
    const isNear =
      first !== undefined &&
      last !== undefined &&
      each.ref.pack === first.pack &&
      each.ref.at - (last.at + last.bytes) <= MOST_GAP &&
      each.ref.at + each.ref.bytes - first.at <= MOST_BYTES;
    if (!isNear && group.length > 0) {
      yield group;
      group = [];
    }
    group.push(each);
  }
  if (group.length > 0) yield group;
}

async function fetched({ store, name }: OpenScope, group: readonly Needed[], signal: AbortSignal) {
  const at = group[0]?.ref.at ?? 0;
  const end = Math.max(...group.map(({ ref }) => ref.at + ref.bytes));
  const pack = group[0]?.ref.pack ?? '';
  try {
    return { group, at, bytes: await store.get(packFile(name, pack), signal, { at, bytes: end - at }) };
  } catch (error) {
    // Each is asked for by itself: some may be there.
    if (error instanceof BackupDamaged || error instanceof BackupMissing) return { group, at, bytes: undefined };
    throw error;
  }
}

async function decoded(scope: OpenScope, { ref, chunks }: Needed, body: Buffer | undefined, signal: AbortSignal) {
  const decode = chunks.every(({ chunk }) => isPaged(chunk) && chunk.over === ref) ? openRecord : decodeRecord;
  try {
    if (body !== undefined) return decode(scope.sealing, ref, body);
  } catch (error) {
    if (!(error instanceof BackupDamaged)) throw error;
  }
  return readAgain(scope, ref, signal);
}

async function readAgain(scope: OpenScope, ref: RecordRef, signal: AbortSignal): Promise<Buffer | BackupDamaged> {
  try {
    return await readRecord(scope, ref, signal);
  } catch (error) {
    if (error instanceof BackupDamaged) return error;
    if (error instanceof BackupMissing) return new BackupDamaged(error.message, { cause: error });
    throw error;
  }
}

/** Some chunks of a volume, beginning with `first`, without those that are zeroes. */
export const stored = (first: number, chunks: readonly Chunk[]): PlacedChunk[] =>
  chunks.flatMap((chunk, at) => (chunk === null ? [] : [{ place: first + at, chunk }]));
