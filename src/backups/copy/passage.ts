/**
 * One way through a volume, from the first chunk to the last: each becomes what it is in the parent, zeroes, what is in the store
 * already, some pages over what is in the store, or a record of its own.
 *
 * When it goes on where another stopped, the trailers of what is in the store say what the chunks of the segment under way are;
 * those of earlier segments are not needed, since a segment is stored when its last chunk is done.
 */
import { BackupDamaged } from '../../model/errors.ts';
import { ahead } from '../ahead.ts';
import type { Bite, CopyWatch } from '../backups.ts';
import { chunksDone } from '../bites.ts';
import type { ByteRate } from '../byte-rate.ts';
import type { Manifest } from '../format/manifest.ts';
import type { RecordRef } from '../format/record.ts';
import {
  CHUNK_BYTES,
  type Chunk,
  chunksIn,
  encodeSegment,
  isPaged,
  type PagedChunk,
  SEGMENT_CHUNKS,
  segmentsOf,
} from '../format/segment.ts';
import { readSegment, readTrailer } from '../read.ts';
import type { OpenScope } from '../scope.ts';
import type { Earlier } from './earlier.ts';
import type { Lost } from './lost.ts';
import type { Packer } from './packer.ts';
import { differing, MOST_PAGES, pagesOf } from './pages.ts';
import { HOLE, type Plan, READ, SAME } from './plan.ts';
import type { FileSource } from './source.ts';

/** Chunks that are read ahead of the one that is worked on. */
const READ_AHEAD = 3;
/** Trailers that are read at once. */
const TRAILERS_AT_ONCE = 8;
/** Ids of chunks that are remembered, the newest: what a volume holds twice is stored once, if not too far apart. */
const KNOWN_IDS = 32_768;

const ZEROES = Buffer.alloc(CHUNK_BYTES);

/** What was said to be the same is not, or the base is not what the parent was made of. */
export class Distrusted extends Error {
  override readonly name = 'Distrusted';
}

export interface PassageFacts {
  readonly scope: OpenScope;
  readonly source: FileSource;
  readonly base: FileSource | null;
  readonly parent: Manifest | null;
  readonly lost: Lost;
  readonly earlier: Earlier;
  readonly plan: Plan;
  /** Some chunks are taken for what they are in the parent without being read. */
  readonly believes: boolean;
  readonly packer: Packer;
  /** Of earlier attempts: it goes on behind them. */
  readonly bites: readonly Bite[];
  readonly watch: CopyWatch;
  readonly rate: ByteRate;
}

/** What was read of a chunk: its bytes, and those of the base. Both are right until the next is read. */
interface ReadChunk {
  readonly data: Buffer;
  readonly base: Buffer | null;
}

export class Passage {
  /** The first chunk. */
  readonly start: number;
  readBytes = 0;
  readonly #facts: PassageFacts;
  readonly #known = new Map<string, RecordRef | PagedChunk>();
  readonly #reads: AsyncGenerator<ReadChunk, void, undefined>;
  /** Of the segment under way, what an earlier try has stored. */
  #earlier: ReadonlyMap<number, RecordRef | PagedChunk> = new Map();
  /** For a chunk of the base that was not read ahead. */
  #late: Buffer | undefined;

  constructor(facts: PassageFacts) {
    this.#facts = facts;
    this.start = chunksDone(facts.bites);
    this.#reads = this.#readAhead();
  }

  /** Rejects with `Distrusted` when it was told what is not so; what it has done then counts no more. */
  async run(): Promise<void> {
    const { source, packer } = this.#facts;
    try {
      for (let index = 0; index < segmentsOf(source.chunks); index += 1) await this.#segment(index);
      await packer.finish(source.chunks);
    } finally {
      await this.#reads.return();
    }
  }

  async #segment(index: number): Promise<void> {
    const { source, packer, lost, earlier } = this.#facts;
    const [first, count] = [index * SEGMENT_CHUNKS, chunksIn(index, source.chunks)];
    const isInherited = this.#isInherited(index);
    if (first + count <= this.start || (this.start <= first && this.#isUntouched(index, isInherited))) return;
    const was = await this.#was(index);
    const before = was.map((chunk): Chunk => (chunk === undefined || lost.isLost(chunk) ? null : chunk));
    // What its chunks are taken for, unless a trailer tells something else.
    const assumed = isInherited ? was : was.map(() => null);
    const done = this.start > first ? await this.#doneFrom(first) : new Map<number, Chunk>();
    this.#earlier = await earlier.chunks(first, count);
    const chunks: Chunk[] = [];
    for (let at = 0; at < count; at += 1) {
      const place = first + at;
      if (place >= this.start) chunks.push(await this.#chunk(place, before[at] as Chunk, assumed[at]));
      else chunks.push(known(done.has(place) ? done.get(place) : assumed[at], index));
    }
    if (!lost.touched.has(index) && chunks.every((chunk, at) => chunk === assumed[at])) return;
    const isZero = chunks.every((chunk) => chunk === null);
    packer.tellSegment(index, isZero ? null : packer.add(encodeSegment(chunks)));
  }

  async #chunk(place: number, before: Chunk, assumed: Chunk | undefined): Promise<Chunk> {
    const { plan, packer, watch } = this.#facts;
    watch.signal.throwIfAborted();
    await packer.reach(place);
    const action = plan.actions[place];
    const chunk = action === READ ? await this.#read(place, before) : action === SAME ? before : null;
    if (chunk !== assumed) packer.tellChange(place, chunk);
    return chunk;
  }

  /** Whether a segment is the parent's, unless a trailer tells something else. */
  #isInherited(index: number): boolean {
    const { source, parent } = this.#facts;
    if (parent === null || index >= parent.segments.length) return false;
    return chunksIn(index, parent.bytes / CHUNK_BYTES) === chunksIn(index, source.chunks);
  }

  /** Whether nothing of a segment needs to be looked at. */
  #isUntouched(index: number, isInherited: boolean): boolean {
    const { plan, parent, lost } = this.#facts;
    if (lost.touched.has(index)) return false;
    const wasZero = (parent?.segments[index] ?? null) === null;
    if (!isInherited && !wasZero) return false;
    const actions = plan.actions.subarray(index * SEGMENT_CHUNKS, (index + 1) * SEGMENT_CHUNKS);
    return actions.every((action) => action === SAME || (wasZero && action === HOLE));
  }

  /** What its chunks are in the parent; undefined: nobody knows. */
  async #was(index: number): Promise<(Chunk | undefined)[]> {
    const { scope, source, parent, lost, watch } = this.#facts;
    const count = chunksIn(index, source.chunks);
    if (lost.unreadable.has(index)) return Array.from({ length: count }, () => undefined);
    const isThere = parent !== null && index < parent.segments.length;
    const was: Chunk[] = isThere ? (await readSegment(scope, parent, index, watch.signal)).slice(0, count) : [];
    for (const chunk of was) if (!lost.isLost(chunk)) this.#remember(chunk);
    while (was.length < count) was.push(null);
    return was;
  }

  /** What trailers tell of chunks from `first` on. */
  async #doneFrom(first: number): Promise<Map<number, Chunk>> {
    const { scope, bites, watch } = this.#facts;
    const telling = bites.filter((bite) => bite.first + bite.chunks > first);
    const done = new Map<number, Chunk>();
    for await (const trailer of ahead(telling, TRAILERS_AT_ONCE, (bite) => readTrailer(scope, bite, watch.signal))) {
      for (const [place, chunk] of trailer.changes) {
        done.set(place, chunk);
        this.#remember(chunk);
      }
    }
    return done;
  }

  async #read(place: number, before: Chunk): Promise<Chunk> {
    const next = await this.#reads.next();
    if (next.done) throw new RangeError('More chunks are read than were planned.');
    const { scope, packer, rate, watch } = this.#facts;
    this.readBytes += CHUNK_BYTES;
    await rate.spend(CHUNK_BYTES, watch.signal);
    const { data, base } = next.value;
    if (data.equals(ZEROES)) return null;
    const id = scope.sealing.idOf(data);
    if (before?.id === id) return before;
    const earlier = this.#earlier.get(place);
    const known = earlier?.id === id ? earlier : this.#known.get(id);
    if (known !== undefined) return known;
    const old = before === null ? null : (base ?? (await this.#readBase(place)));
    const paged = old !== null && before !== null ? this.#paged(id, data, old, before) : null;
    const chunk = paged ?? packer.add(data, id);
    this.#remember(chunk);
    return chunk;
  }

  async #readBase(place: number): Promise<Buffer | null> {
    const { base } = this.#facts;
    if (base === null || place >= base.chunks) return null;
    this.#late ??= Buffer.allocUnsafeSlow(CHUNK_BYTES);
    return base.read(place, this.#late);
  }

  /** Null where it is better stored whole. */
  #paged(id: string, data: Buffer, base: Buffer, before: RecordRef | PagedChunk): PagedChunk | null {
    const { scope, packer, believes } = this.#facts;
    const earlier = isPaged(before) ? Buffer.from(before.bitmap, 'hex') : null;
    const { map, count } = differing(data, base, earlier);
    if (count > MOST_PAGES) return null;
    if (scope.sealing.idOf(base) !== before.id) {
      if (believes) throw new Distrusted();
      return null;
    }
    const over = isPaged(before) ? before.over : before;
    return { id, over, pages: packer.add(pagesOf(data, map)), bitmap: Buffer.from(map).toString('hex') };
  }

  #remember(chunk: Chunk): void {
    if (chunk === null) return;
    this.#known.set(chunk.id, chunk);
    if (this.#known.size <= KNOWN_IDS) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      break;
    }
  }

  async *#readAhead(): AsyncGenerator<ReadChunk, void, undefined> {
    const { source, plan, believes, watch } = this.#facts;
    // Where nothing is told to have changed, most of what is read has not, and is not compared with the base.
    const base = believes ? this.#facts.base : null;
    const { actions, reads } = plan;
    const places = function* (start: number): Generator<number, void, undefined> {
      for (let place = start; place < actions.length; place += 1) if (actions[place] === READ) yield place;
    };
    // One more than are read ahead: the one that is worked on.
    const buffers = Array.from({ length: READ_AHEAD + 1 }, () => ({
      data: Buffer.allocUnsafeSlow(CHUNK_BYTES),
      base: Buffer.allocUnsafeSlow(base === null ? 0 : CHUNK_BYTES),
    }));
    let taken = 0;
    const begin = async (place: number): Promise<ReadChunk> => {
      const buffer = buffers[taken % buffers.length] as (typeof buffers)[number];
      taken += 1;
      const isInBase = base !== null && place < base.chunks;
      const reads = [source.read(place, buffer.data), isInBase ? base.read(place, buffer.base) : null] as const;
      const [data, old] = await Promise.all(reads);
      return { data, base: old };
    };
    let done = reads - actions.subarray(this.start).reduce((sum, action) => sum + (action === READ ? 1 : 0), 0);
    for await (const chunk of ahead(places(this.start), READ_AHEAD, begin)) {
      yield chunk;
      done += 1;
      watch.progress(done / reads, { bytes: done * CHUNK_BYTES, of: reads * CHUNK_BYTES });
    }
  }
}

/** A segment that was read by an earlier attempt, and cannot be by this one, is not made of guesses. */
function known(chunk: Chunk | undefined, index: number): Chunk {
  if (chunk === undefined)
    throw new BackupDamaged(`What segment ${index} of the parent holds cannot be read any more.`);
  return chunk;
}
