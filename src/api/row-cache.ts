/**
 * The row cache: the JSON of each row, as it was sent.
 *
 * A list of a thousand volumes is the same thousand texts as a second ago, but for the few that changed. So the text of each
 * row is kept, under the row's id, its revision and its *shape*: all else that the view depends on (which view, the band of
 * microversions, administrator or not, which attributes, the beginning of links, the generation of names). Every change of a
 * row raises its revision, so an entry is never stale; it is only ever not found. A list asks the database for ids and
 * revisions, and joins texts.
 *
 * The cache is bounded by size. When it is full, the clock algorithm (of operating systems) evicts the texts that were not used
 * since its last round: using one costs a flag, not a place in a queue. Nobody tells it of rows that are gone, whose texts would fill it in the
 * end, however few rows there are: what nobody has asked for in a minute is evicted, too.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Database } from '../db/database.ts';
import { onceATurn } from '../db/sql/once-a-turn.ts';
import { readViewNames, type ViewNames } from '../db/view-names.ts';
import { elapsed } from '../lib/clock.ts';
import type { Microversion } from './microversion.ts';
import { KnownNames, type NameLookup } from './names.ts';
import { attributesKey } from './policy/attributes.ts';
import type { View, Viewer } from './view.ts';

interface Row {
  readonly id: string;
  readonly revision: number;
}

/** Who asks, as far as views care. */
export interface ViewOptions extends Omit<Viewer, 'names'> {
  readonly version: Microversion;
}

interface Kept {
  readonly revision: number;
  readonly text: Buffer;
  used: boolean;
  /** In which it was made or used last. */
  minute: number;
}

/** A thousand rows that were not shown before take 20 ms and more to render, in which others may be answered. */
const ROWS_A_TURN = 100;

/** What an entry costs beside its text. */
const OVERHEAD = 200;

const MINUTE_MS = 60_000;

export class RowCache {
  readonly #database: Database;
  readonly #mostBytes: number;
  readonly #clock: () => number;
  readonly #kept = new Map<string, Kept>();
  readonly #names = new KnownNames();
  readonly #readNames: () => Promise<ViewNames>;
  /** Rows whose text was known, and rows that were rendered. */
  readonly counts = { found: 0, rendered: 0 };
  #shapes = new Map<string, number>();
  #shapesMade = 0;
  #bytes = 0;
  #minute = 0;
  #minuteBegan: number;

  constructor(database: Database, mostBytes = 32 * 1024 * 1024, clock = elapsed) {
    this.#database = database;
    this.#clock = clock;
    this.#minuteBegan = clock();
    const read = () => readViewNames(database.reader);
    // Not on SQLite, which answers in less time than a turn takes.
    this.#readNames = database.dialect === 'postgresql' ? onceATurn(read) : read;
    this.#mostBytes = mostBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  async names(): Promise<NameLookup> {
    return this.#names.at(await this.#readNames());
  }

  /**
   * The texts of the rows, in the order of the keys; a row that has gone meanwhile is left out. Keys that are being read are read
   * together with the names: a text that is found under names was made with all that its row needs.
   */
  async texts<R extends Row>(
    view: View<R>,
    asking: ViewOptions,
    asked: readonly Row[] | Promise<readonly Row[]>,
  ): Promise<Buffer[]> {
    const [keys, names] = await Promise.all([asked, this.names()]);
    const shape = this.#shapeOf(view, asking, names);
    const missing: string[] = [];
    const texts = keys.map(({ id, revision }) => {
      const text = this.#find(`${shape}/${id}`, revision);
      if (text === undefined) missing.push(id);
      return text;
    });
    this.counts.found += keys.length - missing.length;
    this.counts.rendered += missing.length;
    if (missing.length === 0) return texts as Buffer[];
    const fresh = await this.#render(view, asking, missing);
    return keys.flatMap(({ id }, index) => texts[index] ?? fresh.get(id) ?? []);
  }

  async #render<R extends Row>(
    view: View<R>,
    asking: ViewOptions,
    ids: readonly string[],
  ): Promise<ReadonlyMap<string, Buffer>> {
    const rows = await view.load(this.#database.read, ids);
    // Read after the rows, so that no row has a type that is younger than the names.
    const names = await this.names();
    const shape = this.#shapeOf(view, asking, names);
    const fresh = new Map<string, Buffer>();
    for (const [index, row] of rows.entries()) {
      if (index > 0 && index % ROWS_A_TURN === 0) await nextTurn();
      const text = bytesOf(view.text(row, { ...asking, names }, asking.version));
      fresh.set(row.id, text);
      this.#keep(`${shape}/${row.id}`, row.revision, text);
    }
    return fresh;
  }

  /** A number for each shape: short keys, and a client that asks under a thousand host names fills nothing for ever. */
  #shapeOf(
    view: Pick<View<Row>, 'name' | 'band'>,
    { version, isAdmin, attributes, links }: ViewOptions,
    { generation }: NameLookup,
  ): number {
    const text = `${view.name} ${view.band(version)} ${isAdmin} ${attributesKey(attributes)} ${generation} ${links.prefix}`;
    const known = this.#shapes.get(text);
    if (known !== undefined) return known;
    if (this.#shapes.size >= 10_000) this.#shapes = new Map();
    this.#shapesMade += 1;
    this.#shapes.set(text, this.#shapesMade);
    return this.#shapesMade;
  }

  #find(key: string, revision: number): Buffer | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined || kept.revision !== revision) return undefined;
    kept.used = true;
    kept.minute = this.#minute;
    return kept.text;
  }

  #keep(key: string, revision: number, text: Buffer): void {
    const before = this.#kept.get(key);
    // An answer that was overtaken by a later one must not put the older text back.
    if (before !== undefined && before.revision > revision) return;
    if (before !== undefined) this.#bytes -= before.text.length + OVERHEAD;
    this.#kept.set(key, { revision, text, used: false, minute: this.#minute });
    this.#bytes += text.length + OVERHEAD;
    if (this.#clock() - this.#minuteBegan >= MINUTE_MS) this.#endMinute();
    if (this.#bytes > this.#mostBytes) this.#makeRoom();
  }

  /** Nothing has to be done where nothing new is kept, so no timer is needed. */
  #endMinute(): void {
    for (const [key, { minute, text }] of this.#kept) {
      if (minute === this.#minute) continue;
      this.#kept.delete(key);
      this.#bytes -= text.length + OVERHEAD;
    }
    this.#minute += 1;
    this.#minuteBegan = this.#clock();
  }

  /** Down to three quarters, so that not every further text makes room again. */
  #makeRoom(): void {
    const aim = this.#mostBytes * 0.75;
    for (const [key, kept] of this.#kept) {
      if (this.#bytes <= aim) return;
      this.#kept.delete(key);
      if (kept.used) {
        kept.used = false;
        this.#kept.set(key, kept);
      } else {
        this.#bytes -= kept.text.length + OVERHEAD;
      }
    }
  }
}

/** In memory of its own: a small Buffer is cut from a larger one, which the last of its neighbours would keep. */
function bytesOf(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}
