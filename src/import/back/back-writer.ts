/** Writes rows into a Cinder database as Cinder itself would: whole seconds, and what goes is marked, not removed. */
import type { CinderSession } from '../cinder/cinder-session.ts';
import { CINDER_TABLES, type CinderTable, type ColumnKind } from '../cinder/cinder-tables.ts';
import type { Written } from './mirrors.ts';

type Row = Readonly<Record<string, Written>>;

export class BackWriter {
  readonly #session: CinderSession;
  /** `2026-01-31 12:00:00` */
  readonly now: string;
  /** Rows written, by table. */
  readonly counts: Record<string, number> = {};

  constructor(session: CinderSession, now: string) {
    this.#session = session;
    this.now = seconds(now);
  }

  async insert(table: CinderTable, row: Row): Promise<void> {
    const all: Row = { created_at: this.now, ...row, ...(this.#isMarked(table) && { deleted: this.#living(table) }) };
    const columns = Object.keys(all);
    await this.#change(
      table,
      `INSERT INTO ${this.#quoted(table)} (${columns.map((each) => this.#quoted(each)).join(', ')})
       VALUES (${columns.map(() => '?').join(', ')})`,
      columns.map((column) => this.#value(table, column, all[column] ?? null)),
    );
  }

  /** `where` tells the row, or rows that live. */
  async update(table: CinderTable, where: Row, set: Row): Promise<void> {
    const columns = Object.keys(set);
    const keys = Object.keys(where);
    await this.#change(
      table,
      `UPDATE ${this.#quoted(table)} SET ${columns.map((each) => `${this.#quoted(each)} = ?`).join(', ')}
       WHERE ${keys.map((each) => `${this.#compared(each)} = ?`).join(' AND ')}`,
      [
        ...columns.map((column) => this.#value(table, column, set[column] ?? null)),
        ...keys.map((key) => this.#value(table, key, where[key] ?? null)),
      ],
    );
  }

  /** A row that is marked as gone there lives again. */
  revive(table: CinderTable, where: Row, set: Row): Promise<void> {
    return this.update(table, where, { ...set, deleted: this.#living(table), deleted_at: null });
  }

  markGone(table: CinderTable, where: Row, also: Row = {}): Promise<void> {
    return this.update(
      table,
      { ...where, deleted: this.#living(table) },
      { ...also, deleted: true, deleted_at: this.now },
    );
  }

  /** Where a row is marked by its own number. */
  async markGoneById(table: CinderTable, ids: readonly number[]): Promise<void> {
    for (const id of ids) await this.update(table, { id }, { deleted: id, deleted_at: this.now });
  }

  /** Rows of keys and values of one owner become those of the second object. */
  async values(
    table: CinderTable,
    owner: Row,
    was: Readonly<Record<string, string>>,
    is: Readonly<Record<string, string>>,
  ): Promise<void> {
    for (const key of Object.keys(was)) if (!Object.hasOwn(is, key)) await this.markGone(table, { ...owner, key });
    for (const [key, value] of Object.entries(is)) {
      if (!Object.hasOwn(was, key)) await this.insert(table, { ...owner, key, value });
      else if (was[key] !== value)
        await this.update(table, { ...owner, key, deleted: this.#living(table) }, { value, updated_at: this.now });
    }
  }

  async #change(table: string, sql: string, values: readonly unknown[]): Promise<void> {
    await this.#session.ask(sql, values);
    this.counts[table] = (this.counts[table] ?? 0) + 1;
  }

  /** MySQL takes keys for the same that differ in case alone. */
  #compared(column: string): string {
    const name = this.#quoted(column);
    return column === 'key' && this.#session.dialect === 'mysql' ? `CAST(${name} AS BINARY)` : name;
  }

  #quoted(name: string): string {
    return this.#session.quoted(name);
  }

  #isMarked(table: CinderTable): boolean {
    return CINDER_TABLES[table].deletion !== 'never';
  }

  #living(table: CinderTable): Written {
    return CINDER_TABLES[table].deletion === 'number' ? 0 : false;
  }

  #value(table: CinderTable, column: string, value: Written): unknown {
    const kind = (CINDER_TABLES[table].columns as Readonly<Record<string, ColumnKind>>)[column];
    if (value === null) return null;
    if (kind?.startsWith('time')) return seconds(String(value));
    const isFlag = kind?.startsWith('flag') || typeof value === 'boolean';
    if (!isFlag) return value;
    const yes = value === true || value === 1;
    return this.#session.dialect === 'mysql' ? Number(yes) : yes;
  }
}

/** As Cinder keeps times: the fraction is cut off. */
export const seconds = (time: string): string => time.replace('T', ' ').slice(0, 19);
