/**
 * Whether backups could be restored: their packs are there with their sizes; each of their bytes is as it was sent; each chunk can be
 * read and is what it was. What is damaged is local: it is told with the ranges of each volume that it takes, and the rest is looked at.
 *
 * Packs are looked at in the order of their names, so that whoever stops, or is stopped, goes on after the last one.
 */
import { createHash, randomInt } from 'node:crypto';
import { BackupDamaged, BackupMissing } from '../model/errors.ts';
import { ahead } from './ahead.ts';
import type { BackupDamage, ByteRange, ListedPack, VerifyOrder, VerifyOutcome, VerifyWatch } from './backups.ts';
import type { Manifest } from './format/manifest.ts';
import { packFile } from './format/names.ts';
import { CHUNK_BYTES, type Chunk, chunksIn, contentOf, recordsOf, SEGMENT_CHUNKS } from './format/segment.ts';
import { giveBack } from './outside-heap.ts';
import { readManifest, readSegment } from './read.ts';
import { type PlacedChunk, readChunks, stored } from './restore/chunk-reader.ts';
import type { OpenScope } from './scope.ts';

const HEADS_AT_ONCE = 8;
/** Of a pack that is read through. */
const PIECE_BYTES = 2 * CHUNK_BYTES;
const PIECES_AHEAD = 2;
const WINDOW = 128;
/** Of a share. */
const EXACT = 1_000_000;

export function verify(scope: OpenScope, order: VerifyOrder, watch: VerifyWatch): Promise<VerifyOutcome> {
  return new Verification(scope, order, watch).run();
}

class Verification {
  readonly #scope: OpenScope;
  readonly #order: VerifyOrder;
  readonly #watch: VerifyWatch;
  readonly #damage: BackupDamage[] = [];
  /** Packs, and what is wrong with each. */
  readonly #bad = new Map<string, string>();
  /** Packs of which every byte was read. */
  readonly #read = new Set<string>();
  #readBytes = 0;

  constructor(scope: OpenScope, order: VerifyOrder, watch: VerifyWatch) {
    this.#scope = scope;
    this.#order = order;
    this.#watch = watch;
  }

  async run(): Promise<VerifyOutcome> {
    const { backupIds, others = [], damaged = [] } = this.#order;
    for (const pack of damaged) this.#bad.set(pack, `Pack ${pack} is damaged.`);
    const packs = new Map<string, ListedPack>();
    const readable: string[] = [];
    for (const backupId of backupIds) {
      const manifest = await this.#manifestOf(backupId);
      if (manifest === null) continue;
      readable.push(backupId);
      for (const pack of manifest.packs) packs.set(pack.name, pack);
    }
    const ended = await this.#packs([...packs.values()]);
    for (const backupId of readable) await this.#lookInto(backupId, this.#order.depth === 'chunks');
    if (this.#bad.size > 0) for (const backupId of others) await this.#lookInto(backupId, false);
    return { damage: this.#damage, ended, readBytes: this.#readBytes };
  }

  /** Null when there is none that can be read, which is told. */
  async #manifestOf(backupId: string): Promise<Manifest | null> {
    try {
      return await readManifest(this.#scope, backupId, this.#watch.signal);
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#damage.push({ backupId, pack: null, what: error.message, ranges: [] });
      return null;
    }
  }

  /** False when the budget was spent before all were looked at. */
  async #packs(all: readonly ListedPack[]): Promise<boolean> {
    const { after = null, depth, budgetBytes = null, share = 1 } = this.#order;
    const packs = all
      .filter(({ name }) => (after === null || name > after) && !this.#bad.has(name))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const isRead = packs.map(() => depth !== 'present' && randomInt(EXACT) < share * EXACT);
    // Of a few packs a small share may be none.
    if (depth !== 'present' && share > 0 && packs.length > 0 && !isRead.includes(true))
      isRead[randomInt(packs.length)] = true;
    const inAll = packs.reduce((sum, { bytes }, index) => sum + (isRead[index] ? bytes : 0), 0);
    const toRead = Math.min(inAll, budgetBytes ?? inAll);
    let looked = 0;
    const looks = ahead(packs, HEADS_AT_ONCE, async (pack) => ({ pack, missing: await this.#isPresent(pack) }));
    for await (const { pack, missing } of looks) {
      if (budgetBytes !== null && this.#readBytes >= budgetBytes) return false;
      const what = missing ?? (isRead[looked] ? await this.#isAsSent(pack) : null);
      if (what !== null) this.#bad.set(pack.name, what);
      looked += 1;
      this.#watch.looked({ pack: pack.name, what });
      const done = toRead > 0 ? Math.min(1, this.#readBytes / toRead) : looked / packs.length;
      this.#watch.progress(depth === 'chunks' ? done / 2 : done);
    }
    return true;
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
      for await (const piece of read) {
        digest.update(piece);
        this.#readBytes += piece.length;
        giveBack(piece);
      }
    } catch (error) {
      if (isDamage(error)) return error.message;
      throw error;
    }
    this.#read.add(name);
    return digest.digest('hex') === sha256 ? null : `Pack ${name} has been changed.`;
  }

  /** What a backup loses; `chunks`: those of what was read are looked at, too. */
  async #lookInto(backupId: string, chunks: boolean): Promise<void> {
    const manifest = await this.#manifestOf(backupId);
    if (manifest === null) return;
    const losses = new Losses(backupId);
    for (const { name } of manifest.packs) {
      const what = this.#bad.get(name);
      if (what !== undefined) losses.add(name, what, []);
    }
    if (chunks || losses.any) await this.#segments(manifest, losses, chunks);
    this.#damage.push(...losses.told());
  }

  async #segments(manifest: Manifest, losses: Losses, chunks: boolean): Promise<void> {
    const isBad = (pack: string): boolean => this.#bad.has(pack);
    for (const [index, segment] of manifest.segments.entries()) {
      this.#watch.signal.throwIfAborted();
      if (chunks) this.#watch.progress(0.5 + index / manifest.segments.length / 2);
      if (segment === null || !(chunks || [segment.record.pack, ...segment.packs].some(isBad))) continue;
      const first = index * SEGMENT_CHUNKS;
      try {
        const all = await readSegment(this.#scope, manifest, index, this.#watch.signal);
        if (contentOf(all) !== segment.content) throw new BackupDamaged('A segment holds other chunks than it should.');
        if (chunks) await this.#chunks(first, all, losses);
        else
          for (const { place, chunk } of stored(first, all))
            for (const { pack } of recordsOf(chunk)) if (isBad(pack)) losses.add(pack, '', [place]);
      } catch (error) {
        if (!isDamage(error)) throw error;
        const all = Array.from({ length: chunksIn(index, manifest.bytes / CHUNK_BYTES) }, (_, at) => first + at);
        losses.add(segment.record.pack, error.message, all);
      }
    }
  }

  /** Those of packs that were read, or are damaged: of these not everything need be lost. */
  async #chunks(first: number, chunks: readonly Chunk[], losses: Losses): Promise<void> {
    const isMeant = (pack: string): boolean => this.#read.has(pack) || this.#bad.has(pack);
    const taker = {
      take: async () => {},
      miss: async (missed: readonly PlacedChunk[], damage: BackupDamaged, pack: string) =>
        losses.add(
          pack,
          damage.message,
          missed.map(({ place }) => place),
        ),
    };
    for (let at = 0; at < chunks.length; at += WINDOW) {
      const placed = stored(first + at, chunks.slice(at, at + WINDOW));
      const meant = placed.filter(({ chunk }) => recordsOf(chunk).every(({ pack }) => isMeant(pack)));
      await readChunks(this.#scope, meant, taker, this.#watch.signal);
    }
  }
}

/** What one backup loses, by pack. */
class Losses {
  readonly #backupId: string;
  readonly #found = new Map<string, { readonly what: string; readonly places: Set<number> }>();

  constructor(backupId: string) {
    this.#backupId = backupId;
  }

  get any(): boolean {
    return this.#found.size > 0;
  }

  add(pack: string, what: string, places: readonly number[]): void {
    const found = this.#found.get(pack) ?? { what, places: new Set() };
    this.#found.set(pack, found);
    for (const place of places) found.places.add(place);
  }

  told(): BackupDamage[] {
    return [...this.#found].map(([pack, { what, places }]) => {
      return { backupId: this.#backupId, pack, what, ranges: rangesOf(places) };
    });
  }
}

const isDamage = (error: unknown): error is BackupDamaged | BackupMissing =>
  error instanceof BackupDamaged || error instanceof BackupMissing;

function rangesOf(places: ReadonlySet<number>): ByteRange[] {
  const ranges: { at: number; bytes: number }[] = [];
  for (const place of [...places].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && last.at + last.bytes === place * CHUNK_BYTES) last.bytes += CHUNK_BYTES;
    else ranges.push({ at: place * CHUNK_BYTES, bytes: CHUNK_BYTES });
  }
  return ranges;
}
