/**
 * The cache of a transaction: an identity map with write-behind. What units of work read by its key is read once a transaction,
 * and what they change of it is written at its end, of all units together, a statement a table (`cached-rows.ts`).
 *
 * What it promises:
 * - A unit sees what it would have seen without. A statement that goes past the cache comes after what was put off (`flush`), and
 *   after one that writes nothing is believed that was read before (`forget`).
 * - A unit that is undone takes with it what it put off, and no more. What earlier units put off is written before the
 *   savepoint of a unit that needs one; a unit that only works in the cache needs none.
 * - What is changed in memory is locked in the database first, so that nobody else has changed it by the time it is written.
 *
 * A write that was put off fails where no unit can be blamed. So the transaction is undone, and its units run again one by one
 * (`writer.ts`), each with its own failure.
 */
import type { Connection } from './connection.ts';

/** What is kept of one table, known by its identity. */
export interface CachedTable<V> {
  /** Rows of a lower rank are written first: those that others refer to. They are erased last. */
  readonly rank: number;
  /** Sends what was put off, all statements before the first answer is waited for. */
  write(connection: Connection, values: readonly V[]): readonly Promise<unknown>[];
  erase?(connection: Connection, values: readonly V[]): readonly Promise<unknown>[];
  /** The value when that is written; undefined when it need not be kept. */
  written(value: V): V | undefined;
  /**
   * What is left to write of a value when the one that it was made of, which was put off too, has been written. Without it: the
   * value, which says all.
   */
  since?(value: V, written: V): V;
}

interface Slot {
  readonly value: unknown;
  readonly putOff: boolean;
}

type Layer = Map<CachedTable<unknown>, Map<string, Slot>>;

export class TransactionCache {
  readonly #connection: Connection;
  /** Of units that stand, and of nobody. */
  #kept: Layer = new Map();
  /** Of the unit that runs. */
  #own: Layer = new Map();
  readonly #lookups = new Map<string, Promise<unknown>>();
  /** Those that are made again when a row is locked. */
  readonly #sets = new Map<string, Promise<unknown>>();
  #enter: () => void = () => {};
  #entered = false;
  #broken: { readonly error: unknown } | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The unit that runs has used the database itself, and has a savepoint to be undone to. */
  get entered(): boolean {
    return this.#entered;
  }

  /** What earlier units put off could not be written: no unit of this transaction stands. */
  get broken(): { readonly error: unknown } | undefined {
    return this.#broken;
  }

  /** A transaction begins; nothing is known. */
  begin(): void {
    this.#kept = new Map();
    this.#own = new Map();
    this.#forgetLookups();
    this.#broken = undefined;
    this.#entered = false;
  }

  /** `enter` sets its savepoint, if it comes to need one. */
  startUnit(enter: () => void): void {
    this.#enter = enter;
    this.#entered = false;
  }

  endUnit({ stands }: { readonly stands: boolean }): void {
    if (stands) {
      for (const [table, slots] of this.#own) {
        const kept = slotsOf(this.#kept, table);
        for (const [key, slot] of slots) kept.set(key, slot);
      }
    } else this.#forgetLookups();
    this.#own = new Map();
  }

  get<V>(table: CachedTable<V>, key: string): V | undefined {
    const of = table as CachedTable<unknown>;
    return (this.#own.get(of)?.get(key) ?? this.#kept.get(of)?.get(key))?.value as V | undefined;
  }

  /** All that is kept of a table. */
  *all<V>(table: CachedTable<V>): Iterable<V> {
    const of = table as CachedTable<unknown>;
    const own = this.#own.get(of);
    for (const [key, { value }] of this.#kept.get(of) ?? []) if (!own?.has(key)) yield value as V;
    for (const { value } of own?.values() ?? []) yield value as V;
  }

  /** As it is in the database. */
  keep<V>(table: CachedTable<V>, key: string, value: V): void {
    slotsOf(this.#own, table as CachedTable<unknown>).set(key, { value, putOff: false });
  }

  /** As it will be. */
  putOff<V>(table: CachedTable<V>, key: string, value: V): void {
    slotsOf(this.#own, table as CachedTable<unknown>).set(key, { value, putOff: true });
  }

  /** A look-up that many units repeat: of what is no cached table. */
  once<T>(key: string, look: () => Promise<T>): Promise<T> {
    return onceIn(this.#lookups, key, look);
  }

  /** A look-up of rows that are guarded by the lock of another. */
  onceBetweenLocks<T>(key: string, look: () => Promise<T>): Promise<T> {
    return onceIn(this.#sets, key, look);
  }

  /** A row is about to be locked. Who had it until then may have changed what it guards. */
  noteLock(): void {
    this.#sets.clear();
  }

  /** Before a statement that may see what was put off: sends it. Rejects when something of it failed. */
  async flush(): Promise<void> {
    if (!this.#entered) this.#standOnWritten();
    const earlier = this.#entered ? [] : this.#send(this.#kept);
    if (!this.#entered) this.#enter();
    this.#entered = true;
    const own = this.#send(this.#own);
    if (earlier.length > 0) await this.#allOf(earlier);
    if (own.length > 0) await Promise.all(own);
  }

  /** At the end of the transaction: sends what is put off; resolves when it is written. */
  async end(): Promise<void> {
    const sent = this.#send(this.#kept);
    if (sent.length > 0) await this.#allOf(sent);
  }

  /** Somebody has written past the cache: what was read is read again. */
  forget(): void {
    for (const layer of [this.#kept, this.#own]) {
      for (const slots of layer.values()) for (const [key, { putOff }] of slots) if (!putOff) slots.delete(key);
    }
    this.#forgetLookups();
  }

  #forgetLookups(): void {
    this.#lookups.clear();
    this.#sets.clear();
  }

  /** What the unit has put off stands on what earlier ones did, which is about to be written. */
  #standOnWritten(): void {
    for (const [table, slots] of this.#own) {
      const kept = this.#kept.get(table);
      for (const [key, { value, putOff }] of slots) {
        const before = kept?.get(key);
        if (putOff && before?.putOff) slots.set(key, { value: table.since?.(value, before.value) ?? value, putOff });
      }
    }
  }

  async #allOf(sent: readonly Promise<unknown>[]): Promise<void> {
    const failed = (await Promise.allSettled(sent)).find((each) => each.status === 'rejected');
    if (failed === undefined) return;
    this.#broken = { error: failed.reason };
    throw failed.reason;
  }

  #send(layer: Layer): readonly Promise<unknown>[] {
    const dirty = [...layer]
      .map(([table, slots]) => ({ table, values: changedOf(slots) }))
      .filter(({ values }) => values.length > 0)
      .sort((a, b) => a.table.rank - b.table.rank);
    if (dirty.length === 0) return NOTHING;
    // What is counted in the database is other than it was looked up.
    this.#forgetLookups();
    const sent = [
      ...dirty.flatMap(({ table, values }) => table.write(this.#connection, values)),
      ...dirty.toReversed().flatMap(({ table, values }) => table.erase?.(this.#connection, values) ?? NOTHING),
    ];
    for (const { table } of dirty) markWritten(table, layer.get(table) as Map<string, Slot>);
    // Each is waited for; until then none may count as unhandled.
    for (const each of sent) each.catch(() => {});
    return sent;
  }
}

const NOTHING: readonly never[] = [];

function onceIn<T>(made: Map<string, Promise<unknown>>, key: string, look: () => Promise<T>): Promise<T> {
  const known = made.get(key);
  if (known !== undefined) return known as Promise<T>;
  const found = look();
  made.set(key, found);
  found.catch(() => made.delete(key));
  return found;
}

function slotsOf(layer: Layer, table: CachedTable<unknown>): Map<string, Slot> {
  const known = layer.get(table);
  if (known !== undefined) return known;
  const made = new Map<string, Slot>();
  layer.set(table, made);
  return made;
}

const changedOf = (slots: ReadonlyMap<string, Slot>): unknown[] =>
  [...slots.values()].filter(({ putOff }) => putOff).map(({ value }) => value);

function markWritten(table: CachedTable<unknown>, slots: Map<string, Slot>): void {
  for (const [key, { value, putOff }] of slots) {
    if (!putOff) continue;
    const written = table.written(value);
    if (written === undefined) slots.delete(key);
    else slots.set(key, { value: written, putOff: false });
  }
}
