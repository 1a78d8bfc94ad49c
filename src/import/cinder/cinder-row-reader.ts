/** The reader: statements of the session's dialect, and rows made the same of both. */
import {
  type CinderDatabase,
  type CinderValue,
  type KeyRange,
  PREFIX_LENGTH,
  type WhichRows,
} from './cinder-database.ts';
import type { CinderRevision } from './cinder-revisions.ts';
import type { CinderSession, RawRow, WhereClause } from './cinder-session.ts';
import {
  CINDER_TABLES,
  type CinderColumn,
  type CinderKey,
  type CinderRows,
  type CinderTable,
  type ColumnKind,
} from './cinder-tables.ts';
import { cinderTime } from './cinder-time.ts';

const BATCH = 500;
/** Values of one statement: MySQL takes 65,535, and a longer one is parsed for longer than it saves. */
const AT_ONCE = 1000;

export class CinderRowReader implements CinderDatabase {
  readonly dialect: CinderSession['dialect'];
  readonly server: string;
  readonly revision: CinderRevision;
  readonly #session: CinderSession;
  /** By `table.column`. */
  readonly #types: ReadonlyMap<string, string>;

  constructor(session: CinderSession, revision: CinderRevision, types: ReadonlyMap<string, string>) {
    this.#session = session;
    this.dialect = session.dialect;
    this.server = session.server;
    this.revision = revision;
    this.#types = types;
  }

  async *living<T extends CinderTable>(
    table: T,
    { after, before, limit = BATCH, also = [] }: KeyRange = {},
  ): AsyncGenerator<readonly CinderRows[T][]> {
    const { key } = CINDER_TABLES[table];
    const toRow = rowMaker(table);
    for (let last = after; ; ) {
      const conditions = [
        ...this.#alive(table, also),
        ...(last === undefined ? [] : [this.#session.isAfter(key, last)]),
        ...(before === undefined ? [] : [this.#session.isBefore(key, before)]),
      ];
      const raw = await this.#ask(
        `${this.#select(table)}${where(conditions)} ORDER BY ${this.#session.quoted(key)} LIMIT ${limit}`,
        conditions,
      );
      if (raw.length > 0) yield raw.map(toRow);
      if (raw.length < limit) return;
      last = raw.at(-1)?.[key] as CinderKey;
    }
  }

  async among<T extends CinderTable>(
    table: T,
    column: CinderColumn<T>,
    values: readonly CinderKey[],
    { evenDeleted = false }: WhichRows = {},
  ): Promise<readonly CinderRows[T][]> {
    const key = this.#session.quoted(CINDER_TABLES[table].key);
    const toRow = rowMaker(table);
    const rows: CinderRows[T][] = [];
    for (let from = 0; from < values.length; from += AT_ONCE) {
      const conditions = [
        ...(evenDeleted ? [] : this.#alive(table)),
        this.#session.isAmong(column, values.slice(from, from + AT_ONCE)),
      ];
      const raw = await this.#ask(`${this.#select(table)}${where(conditions)} ORDER BY ${key}`, conditions);
      for (const each of raw) rows.push(toRow(each));
    }
    return rows;
  }

  async distinct<T extends CinderTable>(table: T, column: CinderColumn<T>): Promise<readonly CinderValue[]> {
    const conditions = this.#alive(table);
    const quoted = this.#session.quoted(column);
    const rows = await this.#ask(
      `SELECT DISTINCT ${quoted} FROM ${this.#session.quoted(table)}${where(conditions)}`,
      conditions,
    );
    return rows.map((row) => row[column] as CinderValue);
  }

  async places(): Promise<readonly { readonly place: string; readonly volumes: number }[]> {
    const conditions = this.#alive('volumes');
    const rows = await this.#ask(
      `SELECT coalesce(cluster_name, host) AS place, count(*) AS n FROM volumes${where(conditions)} GROUP BY coalesce(cluster_name, host)`,
      conditions,
    );
    return rows.flatMap(({ place, n }) => (typeof place === 'string' ? [{ place, volumes: Number(n) }] : []));
  }

  async count(table: CinderTable): Promise<number> {
    const conditions = this.#alive(table);
    const [row] = await this.#ask(
      `SELECT count(*) AS n FROM ${this.#session.quoted(table)}${where(conditions)}`,
      conditions,
    );
    return Number(row?.n);
  }

  async digests<T extends CinderTable>(
    table: T,
    column: CinderColumn<T>,
    parent?: { readonly table: CinderTable; readonly by: CinderColumn<T> },
  ): Promise<ReadonlyMap<string, string>> {
    const quoted = (name: string): string => this.#session.quoted(name);
    const of = (name: CinderTable, row: string): string[] =>
      Object.keys(CINDER_TABLES[name].columns).map((each) => `${row}.${quoted(each)}`);
    const columns = [...of(table, 'own'), ...(parent === undefined ? [] : of(parent.table, 'other'))];
    const join =
      parent === undefined
        ? ''
        : ` LEFT JOIN ${quoted(parent.table)} AS other ON other.${quoted(CINDER_TABLES[parent.table].key)} = own.${quoted(parent.by)}`;
    const conditions = this.#alive(table, [], 'own.');
    const prefix = this.#session.prefix(`own.${quoted(column)}`, PREFIX_LENGTH);
    const rows = await this.#ask(
      `SELECT ${prefix} AS prefix, ${this.#session.digest(columns)} AS digest FROM ${quoted(table)} AS own${join}${where(conditions)} GROUP BY ${prefix}`,
      conditions,
    );
    return new Map(rows.map(({ prefix, digest }) => [String(prefix), String(digest)]));
  }

  async undecided(table: CinderTable): Promise<readonly CinderKey[]> {
    const { key, deletion } = CINDER_TABLES[table];
    if (deletion === 'never') return [];
    const column = this.#session.quoted(key);
    const rows = await this.#session.ask(
      `SELECT ${column} FROM ${this.#session.quoted(table)} WHERE deleted IS NULL ORDER BY ${column}`,
    );
    return rows.map((row) => row[key] as CinderKey);
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  #ask(sql: string, conditions: readonly WhereClause[]): Promise<readonly RawRow[]> {
    return this.#session.ask(
      sql,
      conditions.flatMap(({ values }) => values),
    );
  }

  #select(table: CinderTable): string {
    const columns = Object.keys(CINDER_TABLES[table].columns).map((column) => this.#session.quoted(column));
    return `SELECT ${columns.join(', ')} FROM ${this.#session.quoted(table)}`;
  }

  /** By the type that the column has here: one table says it with a number, on PostgreSQL too. */
  #alive(table: CinderTable, also: readonly CinderKey[] = [], row: '' | 'own.' = ''): WhereClause[] {
    if (CINDER_TABLES[table].deletion === 'never') return [];
    const isBoolean = this.#types.get(`${table}.deleted`) === 'boolean';
    const alive = isBoolean ? `NOT ${row}deleted` : `${row}deleted = 0`;
    if (also.length === 0) return [{ sql: alive, values: [] }];
    const { sql, values } = this.#session.isAmong(CINDER_TABLES[table].key, also);
    return [{ sql: `(${alive} OR ${sql})`, values }];
  }
}

const where = (conditions: readonly WhereClause[]): string =>
  conditions.length === 0 ? '' : ` WHERE ${conditions.map(({ sql }) => sql).join(' AND ')}`;

/** Makes rows of one table; those of a session are its own, and are changed in place. */
function rowMaker<T extends CinderTable>(table: T): (raw: RawRow) => CinderRows[T] {
  const kinds = Object.entries<ColumnKind>(CINDER_TABLES[table].columns);
  const flags = kinds.filter(([, kind]) => kind.startsWith('flag')).map(([column]) => column);
  const times = kinds.filter(([, kind]) => kind.startsWith('time')).map(([column]) => column);
  return (raw) => {
    for (const column of flags) {
      const value = raw[column];
      raw[column] = value === null ? null : value === true || Number(value) !== 0;
    }
    for (const column of times) raw[column] = cinderTime(raw[column]);
    return raw as CinderRows[T];
  };
}
