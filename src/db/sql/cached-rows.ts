/**
 * Rows of one table that change by their id, in the cache of the transaction: found and locked once, changed in memory, written by
 * one statement for all of them. Every change raises a row's `revision` and sets its `updatedAt`.
 *
 * A row that was only found may be another by the time it is changed, so it is locked, and read again, before its first change.
 * Outside of a transaction there is nothing here but a `SELECT`. What is asked otherwise than by the id, or one field (`where`), comes
 * after what was put off.
 */
import { now } from '../../lib/clock.ts';
import { byHand, transposed, type Values } from './by-hand.ts';
import { type Column, type Columns, stored, toRow } from './columns.ts';
import type { Connection, PostgresqlConnection, SqliteConnection } from './connection.ts';
import type { Db } from './db.ts';
import type { CachedTable } from './transaction-cache.ts';

interface Revised {
  readonly id: string;
  readonly revision: number;
  readonly updatedAt: string | null;
}

interface Kept<Model> {
  readonly model: Model;
  readonly locked: boolean;
  /** What is not written yet. */
  readonly change:
    | { readonly is: 'none' | 'new' | 'gone' }
    | { readonly is: 'changed'; readonly fields: Partial<Model>; readonly times: number };
}

const NONE = { is: 'none' } as const;

export class CachedRows<Model extends Revised, Row> implements CachedTable<Kept<Model>> {
  readonly rank: number;
  readonly #table: string;
  readonly #columns: Columns<Model, Row>;
  readonly #all: readonly AnyColumn[];
  readonly #model: (row: Row) => Model;
  readonly #find: ReturnType<typeof byHand>;
  readonly #lock: ReturnType<typeof byHand>;
  readonly #insert: Readonly<Record<'sqlite' | 'postgresql', string>>;

  constructor(table: string, rank: number, columns: Columns<Model, Row>, model: (row: Row) => Model) {
    this.rank = rank;
    this.#table = table;
    this.#columns = columns;
    this.#model = model;
    const all = everyColumn(columns);
    this.#all = all;
    const names = all.map(({ name }) => name).join(', ');
    this.#find = byHand(`SELECT * FROM ${table} WHERE id = ?`);
    this.#lock = byHand(`SELECT * FROM ${table} WHERE id = ?`, ' FOR UPDATE');
    this.#insert = {
      sqlite: `INSERT INTO ${table} (${names}) VALUES (${all.map(() => '?').join(', ')})`,
      postgresql: `INSERT INTO ${table} (${names}) SELECT * FROM unnest(${arrays(all)})`,
    };
  }

  async find(db: Db, id: string): Promise<Model | undefined> {
    const kept = db.cache?.get(this, id);
    if (kept !== undefined) return kept.change.is === 'gone' ? undefined : kept.model;
    return this.#read(db, id, this.#find, false);
  }

  /** As it is now; nobody else changes it before the transaction ends. */
  async lock(db: Db, id: string): Promise<Model | undefined> {
    const kept = db.cache?.get(this, id);
    if (kept?.locked) return kept.change.is === 'gone' ? undefined : kept.model;
    return this.#read(db, id, this.#lock, true);
  }

  /**
   * Those whose field is this text, as the transaction leaves them, in no order. They are read once, and again when a row has been
   * locked since: what another process did to them before it let go of that row is then to be seen.
   */
  async where(db: Db, field: keyof Model & string, value: string): Promise<Model[]> {
    const { cache } = db;
    const rows = await this.#readWhere(db, field, value);
    const found = new Map(rows.map((model) => [model.id, model]));
    for (const { model, change } of cache?.all<Kept<Model>>(this) ?? []) {
      if (change.is === 'none') continue;
      if (change.is !== 'gone' && model[field] === value) found.set(model.id, model);
      else found.delete(model.id);
    }
    return [...found.values()];
  }

  /** Likewise, and nobody else changes them before the transaction ends. */
  async lockWhere(db: Db, field: keyof Model & string, value: string): Promise<Model[]> {
    const cache = db.writeBehind;
    if (db.direct.dialect === 'postgresql') cache.noteLock();
    for (const model of await this.#readWhere(db, field, value, ' ORDER BY id FOR UPDATE'))
      if (!cache.get(this, model.id)?.locked) this.#keep(db, model, true);
    return this.where(db, field, value);
  }

  /**
   * Those that exist, by one statement; in the order of their ids, so that two processes do not wait for each other crosswise. On
   * SQLite a look-up is no journey, and is made when somebody asks.
   */
  async lockAll(db: Db, ids: readonly string[]): Promise<void> {
    if (db.direct.dialect === 'sqlite') return;
    db.cache?.noteLock();
    const text = `SELECT * FROM ${this.#table} WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE`;
    for (const row of await db.direct.query<Row>(text, [[...new Set(ids)]])) this.#keep(db, this.#model(row), true);
  }

  /** The id must be new. */
  async insert({ writeBehind }: Db, model: Model): Promise<void> {
    // A row that goes by the same id goes first.
    if (writeBehind.get(this, model.id)?.change.is === 'gone') await writeBehind.flush();
    writeBehind.putOff(this, model.id, { model, locked: true, change: { is: 'new' } });
  }

  /** False when there is none, or it has changed since `revision`. */
  async update(db: Db, id: string, fields: Partial<Model>, revision?: number): Promise<boolean> {
    const model = await this.lock(db, id);
    if (model === undefined || (revision !== undefined && model.revision !== revision)) return false;
    const change = db.writeBehind.get(this, id)?.change ?? NONE;
    const after = { ...model, ...fields, revision: model.revision + 1, updatedAt: now() };
    const changed =
      change.is === 'changed'
        ? ({ is: 'changed', fields: { ...change.fields, ...fields }, times: change.times + 1 } as const)
        : ({ is: 'changed', fields, times: 1 } as const);
    db.writeBehind.putOff(this, id, { model: after, locked: true, change: change.is === 'new' ? change : changed });
    return true;
  }

  /** False when there was none. */
  async delete(db: Db, id: string): Promise<boolean> {
    const model = await this.lock(db, id);
    if (model === undefined) return false;
    // One that is not there yet is written first, so that nothing else need know of it.
    if (db.writeBehind.get(this, id)?.change.is === 'new') await db.writeBehind.flush();
    db.writeBehind.putOff(this, id, { model, locked: true, change: { is: 'gone' } });
    return true;
  }

  written(value: Kept<Model>): Kept<Model> {
    // That one is gone stays known: an earlier unit may have found it.
    return value.change.is === 'gone' ? value : { ...value, change: NONE };
  }

  since(value: Kept<Model>, written: Kept<Model>): Kept<Model> {
    const times = value.model.revision - written.model.revision;
    const isLeft = value.change.is === 'gone' || value.change.is === 'none' || written.change.is === 'gone';
    if (isLeft) return value;
    const fields = Object.entries(value.model).filter(
      ([field, is]) => field !== 'revision' && field !== 'updatedAt' && is !== written.model[field as keyof Model],
    );
    return { ...value, change: { is: 'changed', fields: Object.fromEntries(fields) as Partial<Model>, times } };
  }

  write(connection: Connection, values: readonly Kept<Model>[]): readonly Promise<unknown>[] {
    const made = values.filter(({ change }) => change.is === 'new').map(({ model }) => model);
    const changed = Map.groupBy(
      values.filter(({ change }) => change.is === 'changed'),
      ({ change }) => (change.is === 'changed' ? Object.keys(change.fields).sort().join() : ''),
    );
    return [
      ...(made.length > 0 ? [this.#writeNew(connection, made)] : []),
      ...[...changed.values()].map((alike) => this.#writeChanged(connection, alike)),
    ];
  }

  erase(connection: Connection, values: readonly Kept<Model>[]): readonly Promise<unknown>[] {
    const ids = values.filter(({ change }) => change.is === 'gone').map(({ model }) => model.id);
    if (ids.length === 0) return [];
    if (connection.dialect === 'postgresql')
      return [connection.query(`DELETE FROM ${this.#table} WHERE id = ANY ($1::text[])`, [ids])];
    return ids.map((id) => connection.query(`DELETE FROM ${this.#table} WHERE id = ?`, [id]));
  }

  #writeNew(connection: Connection, models: readonly Model[]): Promise<unknown> {
    const valuesOf = (model: Model) => this.#all.map(({ field, column }) => stored(column, model[field]));
    if (connection.dialect === 'postgresql')
      return connection.query(this.#insert.postgresql, transposed(models.map(valuesOf)));
    return eachOf(connection, this.#insert.sqlite, models.map(valuesOf));
  }

  /** Rows of which the same fields have changed. */
  #writeChanged(connection: Connection, alike: readonly Kept<Model>[]): Promise<unknown> {
    const [first] = alike;
    const names = Object.keys(this.#changedRow(first as Kept<Model>));
    const columns = this.#all.filter(({ name }) => names.includes(name));
    const rows = alike.map((each) => {
      const row = this.#changedRow(each) as Record<string, string | number | null>;
      const times = each.change.is === 'changed' ? each.change.times : 0;
      return [...columns.map(({ name }) => row[name] ?? null), each.model.updatedAt, times, each.model.id];
    });
    if (connection.dialect === 'postgresql') return this.#updateAll(connection, columns, rows);
    const set = columns.map(({ name }) => `${name} = ?, `).join('');
    const text = `UPDATE ${this.#table} SET ${set}updated_at = ?, revision = revision + ? WHERE id = ?`;
    return eachOf(connection, text, rows);
  }

  #updateAll(connection: PostgresqlConnection, columns: readonly AnyColumn[], rows: readonly Values[]) {
    const set = columns.map(({ name }) => `${name} = x.${name}, `).join('');
    const names = [...columns.map(({ name }) => name), 'updated_at', 'times', 'id'];
    const types = [...columns.map(({ type }) => type), 'text[]', 'bigint[]', 'text[]'];
    const text = `UPDATE ${this.#table} SET ${set}updated_at = x.updated_at, revision = ${this.#table}.revision + x.times
      FROM unnest(${types.map((type, index) => `$${index + 1}::${type}`).join(', ')}) AS x (${names.join(', ')})
      WHERE ${this.#table}.id = x.id`;
    return connection.query(text, transposed(rows));
  }

  #changedRow({ change }: Kept<Model>): Partial<Row> {
    return change.is === 'changed' ? toRow(this.#columns, change.fields) : {};
  }

  async #read(db: Db, id: string, text: ReturnType<typeof byHand>, locked: boolean): Promise<Model | undefined> {
    const { direct } = db;
    if (locked && direct.dialect === 'postgresql') db.cache?.noteLock();
    const row =
      direct.dialect === 'sqlite'
        ? (direct.statement(text.sqlite).get(id) as Row | undefined)
        : (
            await (locked
              ? direct.query<Row>(text.postgresql, [id])
              : direct.prepared<Row>(`${this.#table}-by-id`, text.postgresql, [id]))
          )[0];
    if (row === undefined) return undefined;
    const model = this.#model(row);
    this.#keep(db, model, locked);
    return model;
  }

  /** As they are in the database. */
  async #readWhere({ cache, direct }: Db, field: keyof Model & string, value: string, onPostgresql = '') {
    const name = String(this.#columns[field].name);
    const read = async (): Promise<readonly Model[]> => {
      const text = byHand(`SELECT * FROM ${this.#table} WHERE ${name} = ?`, onPostgresql);
      const rows =
        direct.dialect === 'sqlite'
          ? (direct.statement(text.sqlite).all(value) as Row[])
          : await direct.prepared<Row>(`${this.#table}-by-${name}${onPostgresql}`, text.postgresql, [value]);
      return rows.map(this.#model);
    };
    return cache?.onceBetweenLocks(`${this.#table} ${name} ${value}`, read) ?? read();
  }

  #keep({ cache, direct }: Db, model: Model, locked: boolean): void {
    // SQLite has one writer: whatever a transaction reads stays as it is.
    cache?.keep(this, model.id, { model, locked: locked || direct.dialect === 'sqlite', change: NONE });
  }
}

const everyColumn = (columns: object): readonly AnyColumn[] =>
  Object.entries(columns as Record<string, Column<never>>).map(([field, column]) => ({
    field: field as never,
    column,
    name: column.name as string,
    type: typeOf(column),
  }));

interface AnyColumn {
  readonly field: never;
  readonly column: Column<never>;
  readonly name: string;
  /** Of the array that PostgreSQL gets its values in. */
  readonly type: 'text[]' | 'bigint[]';
}

const typeOf = ({ as }: Column<never>) => (as === 'flag' || as === 'whole' ? 'bigint[]' : 'text[]');

const arrays = (columns: readonly AnyColumn[]): string =>
  columns.map(({ type }, index) => `$${index + 1}::${type}`).join(', ');

/** All of them have run when it returns. */
const eachOf = (connection: SqliteConnection, text: string, rows: readonly Values[]): Promise<unknown> =>
  Promise.all(rows.map((row) => connection.execute(text, row)));
