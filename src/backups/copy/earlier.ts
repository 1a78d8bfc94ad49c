/**
 * What an earlier try of the same backup has stored before it failed. The volume may have changed since, so nothing is taken for what it was: a
 * chunk of then counts where the source holds the same at the same place, and all that it is made of is there still.
 */
import { BackupDamaged, BackupMissing } from '../../model/errors.ts';
import { ahead } from '../ahead.ts';
import type { Bite } from '../backups.ts';
import type { Manifest } from '../format/manifest.ts';
import { packFile } from '../format/names.ts';
import type { RecordRef } from '../format/record.ts';
import { type PagedChunk, recordsOf } from '../format/segment.ts';
import type { Trailer } from '../format/trailer.ts';
import { readTrailer } from '../read.ts';
import type { OpenScope } from '../scope.ts';
import type { Lost } from './lost.ts';

/** Trailers that are read at once. */
const AT_ONCE = 8;

export interface EarlierFacts {
  readonly scope: OpenScope;
  /** Of earlier tries, in their order. */
  readonly bites: readonly Bite[];
  /** Of this one: what it is made of is needed by it, and stays. */
  readonly parent: Manifest | null;
  readonly lost: Lost;
  readonly signal: AbortSignal;
}

export class Earlier {
  readonly #facts: EarlierFacts;
  /** Whether packs are there with all of their bytes, by their names. */
  readonly #there: Map<string, Promise<boolean>>;
  readonly #own: ReadonlyMap<string, Bite>;

  constructor(facts: EarlierFacts) {
    this.#facts = facts;
    this.#own = new Map(facts.bites.map((bite) => [bite.pack, bite]));
    this.#there = new Map(facts.parent?.packs.map(({ name }) => [name, Promise.resolve(true)]));
  }

  /** Of so many chunks from `first` on those that were stored, by their places. */
  async chunks(first: number, count: number): Promise<ReadonlyMap<number, RecordRef | PagedChunk>> {
    const { bites, lost } = this.#facts;
    const isWithin = (place: number): boolean => place >= first && place < first + count;
    const telling = bites.filter((bite) => bite.first < first + count && bite.first + bite.chunks > first);
    const found = new Map<number, RecordRef | PagedChunk>();
    for await (const trailer of ahead(telling, AT_ONCE, (bite) => this.#trailer(bite)))
      for (const [place, chunk] of trailer?.changes ?? [])
        if (chunk !== null && isWithin(place) && !lost.isLost(chunk)) found.set(place, chunk);
    for (const [place, chunk] of found)
      for (const { pack } of recordsOf(chunk)) if (!(await this.#isThere(pack))) found.delete(place);
    return found;
  }

  /** Null: it cannot be read any more. */
  async #trailer(bite: Bite): Promise<Trailer | null> {
    const { scope, signal } = this.#facts;
    return readTrailer(scope, bite, signal).catch((error: unknown) => {
      if (error instanceof BackupDamaged || error instanceof BackupMissing) return null;
      throw error;
    });
  }

  #isThere(pack: string): Promise<boolean> {
    const { scope, signal } = this.#facts;
    const bite = this.#own.get(pack);
    const isThere =
      this.#there.get(pack) ??
      (bite === undefined
        ? Promise.resolve(false)
        : scope.store.head(packFile(scope.name, pack), signal).then((bytes) => bytes === bite.bytes));
    this.#there.set(pack, isThere);
    return isThere;
  }
}
