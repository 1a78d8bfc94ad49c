/**
 * Whether a backup could be restored: its packs are there with their sizes; each of their bytes is as it was sent; each chunk can be read
 * and is what it was. What is damaged is local: it is told with the ranges of the volume that it takes, and the rest is looked at.
 */
import { createHash } from 'node:crypto';
import { BackupDamaged, BackupMissing } from '../model/errors.ts';
import { ahead } from './ahead.ts';
import type { BackupDamage, ByteRange, ListedPack, VerifyOrder, WorkWatch } from './backups.ts';
import type { Manifest } from './format/manifest.ts';
import { packFile } from './format/names.ts';
import { CHUNK_BYTES, type Chunk, chunksIn, contentOf, recordsOf, SEGMENT_CHUNKS } from './format/segment.ts';
import { readManifest, readSegment } from './read.ts';
import { type PlacedChunk, readChunks, stored } from './restore/chunk-reader.ts';
import type { OpenScope } from './scope.ts';

const HEADS_AT_ONCE = 8;
/** Of a pack that is read through. */
const PIECE_BYTES = 2 * CHUNK_BYTES;
const PIECES_AHEAD = 2;
const WINDOW = 128;

export async function verify(
  scope: OpenScope,
  { place, depth }: VerifyOrder,
  watch: WorkWatch,
): Promise<readonly BackupDamage[]> {
  let manifest: Manifest;
  try {
    manifest = await readManifest(scope, place.backupId, watch.signal);
  } catch (error) {
    if (!(error instanceof BackupDamaged || error instanceof BackupMissing)) throw error;
    return [{ pack: null, what: error.message, ranges: [] }];
  }
  return new Verification(scope, manifest, watch).run(depth);
}

class Verification {
  readonly #scope: OpenScope;
  readonly #manifest: Manifest;
  readonly #watch: WorkWatch;
  /** Of packs; what is wrong with the manifest's own tables is under null. */
  readonly #found = new Map<string | null, { what: string; places: Set<number> }>();

  constructor(scope: OpenScope, manifest: Manifest, watch: WorkWatch) {
    this.#scope = scope;
    this.#manifest = manifest;
    this.#watch = watch;
  }

  async run(depth: VerifyOrder['depth']): Promise<readonly BackupDamage[]> {
    await this.#packs(HEADS_AT_ONCE, (pack) => this.#isPresent(pack));
    if (depth !== 'present') await this.#packs(1, (pack) => this.#isAsSent(pack));
    const isBad = (chunk: Chunk): boolean => recordsOf(chunk).some(({ pack }) => this.#found.has(pack));
    if (depth === 'chunks') await this.#segments((first, chunks) => this.#chunks(first, chunks));
    else if (this.#found.size > 0)
      await this.#segments(async (first, chunks) => {
        for (const each of stored(first, chunks)) if (isBad(each.chunk)) this.#blame(each);
      });
    return [...this.#found].map(([pack, { what, places }]) => ({ pack, what, ranges: rangesOf(places) }));
  }

  async #packs(atOnce: number, look: (pack: ListedPack) => Promise<string | null>): Promise<void> {
    const packs = this.#manifest.packs.filter(({ name }) => !this.#found.has(name));
    const looks = ahead(packs, atOnce, async (pack) => ({ pack, wrong: await look(pack) }));
    for await (const { pack, wrong } of looks) if (wrong !== null) this.#find(pack.name, wrong, []);
  }

  async #isPresent({ name, bytes }: ListedPack): Promise<string | null> {
    const there = await this.#scope.store.head(packFile(this.#scope.name, name), this.#watch.signal);
    if (there === null) return `Pack ${name} is not there.`;
    return there === bytes ? null : `Pack ${name} has ${there} bytes in place of ${bytes}.`;
  }

  async #isAsSent({ name, bytes, sha256 }: ListedPack): Promise<string | null> {
    const file = packFile(this.#scope.name, name);
    const pieces = Array.from({ length: Math.ceil(bytes / PIECE_BYTES) }, (_, index) => index * PIECE_BYTES);
    const digest = createHash('sha256');
    try {
      const read = ahead(pieces, PIECES_AHEAD, (at) => {
        return this.#scope.store.get(file, this.#watch.signal, { at, bytes: Math.min(PIECE_BYTES, bytes - at) });
      });
      for await (const piece of read) digest.update(piece);
      return digest.digest('hex') === sha256 ? null : `Pack ${name} has been changed.`;
    } catch (error) {
      if (error instanceof BackupDamaged || error instanceof BackupMissing) return error.message;
      throw error;
    }
  }

  async #segments(look: (first: number, chunks: readonly Chunk[]) => Promise<void>): Promise<void> {
    const { segments, bytes } = this.#manifest;
    for (const [index, segment] of segments.entries()) {
      this.#watch.signal.throwIfAborted();
      this.#watch.progress(index / segments.length);
      if (segment === null) continue;
      const first = index * SEGMENT_CHUNKS;
      try {
        const chunks = await readSegment(this.#scope, this.#manifest, index, this.#watch.signal);
        if (contentOf(chunks) !== segment.content)
          throw new BackupDamaged('A segment holds other chunks than it should.');
        await look(first, chunks);
      } catch (error) {
        if (!(error instanceof BackupDamaged || error instanceof BackupMissing)) throw error;
        const all = Array.from({ length: chunksIn(index, bytes / CHUNK_BYTES) }, (_, at) => first + at);
        this.#find(segment.record.pack, error.message, all);
      }
    }
  }

  async #chunks(first: number, chunks: readonly Chunk[]): Promise<void> {
    for (let at = 0; at < chunks.length; at += WINDOW) {
      const placed = stored(first + at, chunks.slice(at, at + WINDOW));
      const taker = {
        take: async () => {},
        miss: async (missed: readonly PlacedChunk[], damage: BackupDamaged, pack: string) =>
          this.#find(
            pack,
            damage.message,
            missed.map(({ place }) => place),
          ),
      };
      await readChunks(this.#scope, placed, taker, this.#watch.signal);
    }
  }

  #blame({ place, chunk }: PlacedChunk): void {
    for (const { pack } of recordsOf(chunk)) this.#found.get(pack)?.places.add(place);
  }

  #find(pack: string, what: string, places: readonly number[]): void {
    const found = this.#found.get(pack) ?? { what, places: new Set() };
    this.#found.set(pack, found);
    for (const place of places) found.places.add(place);
  }
}

function rangesOf(places: ReadonlySet<number>): ByteRange[] {
  const ranges: { at: number; bytes: number }[] = [];
  for (const place of [...places].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && last.at + last.bytes === place * CHUNK_BYTES) last.bytes += CHUNK_BYTES;
    else ranges.push({ at: place * CHUNK_BYTES, bytes: CHUNK_BYTES });
  }
  return ranges;
}
