/**
 * Lists: filters, sort keys, pages. The same answer, in the same order, on both databases.
 *
 * A page begins after a *marker*, the last row of the page before: the rows that come after it in the order asked for, found by
 * comparing sort keys (never by counting, which skips or doubles rows when others come and go). `createdAt` and `id` end every
 * order, so it is total. Null counts as smaller than anything.
 *
 * This is also the one place where the two databases' words differ.
 */
import { type RawBuilder, SqliteAdapter, sql } from 'kysely';
import { type Column, type Columns, stored } from './columns.ts';
import type { Queries } from './db.ts';

export type Value = string | number | boolean | null;

/** `ignoreCase`: of the letters from A to Z, as `lower` of both databases does it. */
export type ListFilter<Field extends string> =
  | { readonly is: 'equal'; readonly field: Field; readonly value: Value; readonly ignoreCase?: boolean }
  /** Null among the values finds rows that have none. */
  | {
      readonly is: 'in';
      readonly field: Field;
      readonly values: readonly Value[];
      readonly ignoreCase?: boolean;
    }
  | { readonly is: 'not-in'; readonly field: Field; readonly values: readonly Value[] }
  /** The text stands somewhere in the field. */
  | { readonly is: 'contains'; readonly field: Field; readonly text: string; readonly ignoreCase?: boolean }
  | { readonly is: 'starts-with'; readonly field: Field; readonly text: string }
  | { readonly is: 'compare'; readonly field: Field; readonly op: Comparison; readonly value: string | number }
  /** Of a field that is an object of text. Null: the key is there and has no value. */
  | { readonly is: 'entry'; readonly field: Field; readonly key: string; readonly value: string | null }
  | { readonly is: 'any-of'; readonly filters: readonly ListFilter<Field>[] };

export type Comparison = 'gt' | 'gte' | 'eq' | 'neq' | 'lt' | 'lte';

export interface SortKey<Field extends string> {
  readonly field: Field;
  readonly direction: 'asc' | 'desc';
}

export interface ListQuery<Field extends string> {
  readonly filters?: readonly ListFilter<Field>[];
  /** Filters that nearly every row passes. */
  readonly usual?: readonly ListFilter<Field>[];
  /** Default: newest first. */
  readonly sort?: readonly SortKey<Field>[];
  /** The id of the last row of the page before. */
  readonly marker?: string;
  readonly limit?: number;
  readonly offset?: number;
}

const OPERATORS = { gt: '>', gte: '>=', eq: '=', neq: '<>', lt: '<', lte: '<=' } as const;

export function matches<Model, Row>(
  db: Queries,
  columns: Columns<Model, Row>,
  filters: readonly ListFilter<keyof Model & string>[],
): RawBuilder<boolean> {
  const conditions = filters.map((filter) => {
    if (filter.is !== 'any-of') return condition(db, columns[filter.field] as Column<never>, filter);
    const alternatives = filter.filters.map((each) => matches(db, columns, [each]));
    return sql<boolean>`(${sql.join(alternatives, sql` OR `)})`;
  });
  return conditions.length === 0 ? sql<boolean>`1 = 1` : sql<boolean>`${sql.join(conditions, sql` AND `)}`;
}

type OneFilter = Exclude<ListFilter<string>, { readonly is: 'any-of' }>;

function condition(db: Queries, column: Column<never>, filter: OneFilter): RawBuilder<boolean> {
  const ref = column.found === undefined ? sql.ref(column.name) : sql.raw<unknown>(column.found);
  const blind = 'ignoreCase' in filter && filter.ignoreCase;
  const text = (of: unknown): unknown => (blind ? sql`lower(${of})` : of);
  switch (filter.is) {
    case 'equal':
      return filter.value === null ? sql`${ref} IS NULL` : sql`${text(ref)} = ${text(stored(column, filter.value))}`;
    case 'in': {
      const values = filter.values.filter((value) => value !== null);
      const given = sql<boolean>`${text(ref)} IN (${sql.join(values.map((value) => text(stored(column, value))))})`;
      if (values.length === filter.values.length) return values.length === 0 ? sql`1 = 0` : given;
      return values.length === 0 ? sql`${ref} IS NULL` : sql`(${given} OR ${ref} IS NULL)`;
    }
    case 'not-in': {
      if (filter.values.length === 0) return sql`1 = 1`;
      return sql`(${ref} IS NULL OR ${ref} NOT IN (${sql.join(filter.values.map((value) => stored(column, value)))}))`;
    }
    case 'contains':
      return isSqlite(db)
        ? sql`instr(${text(ref)}, ${text(filter.text)}) > 0`
        : sql`strpos(${text(ref)}, ${text(filter.text)}) > 0`;
    case 'starts-with':
      return sql`(${ref} >= ${filter.text} AND ${ref} < ${filter.text + LAST_CHARACTER})`;
    case 'compare':
      return sql`${ref} ${sql.raw(OPERATORS[filter.op])} ${filter.value}`;
    case 'entry':
      return isSqlite(db)
        ? sql`EXISTS (SELECT 1 FROM json_each(${ref}) AS entry WHERE entry.key = ${filter.key} AND entry.value IS ${filter.value})`
        : sql`(${ref}::jsonb -> ${filter.key}::text) = ${JSON.stringify(filter.value)}::jsonb`;
  }
}

/** Sorts after every character a name of ours begins its rest with. */
const LAST_CHARACTER = '\u{10FFFF}';

/** The order that was asked for, made total. */
export function totalOrder<Field extends string>(
  sort: readonly SortKey<Field | 'createdAt' | 'id'>[],
): readonly SortKey<Field | 'createdAt' | 'id'>[] {
  const asked = sort.length > 0 ? sort : [{ field: 'createdAt', direction: 'desc' } as const];
  const direction = asked.at(-1)?.direction ?? 'desc';
  const ends = (['createdAt', 'id'] as const).filter((field) => !asked.some((key) => key.field === field));
  return [...asked, ...ends.map((field) => ({ field, direction }))];
}

interface OrderedColumn {
  readonly column: Column<never>;
  readonly direction: 'asc' | 'desc';
}

export function orderedColumns<Model, Row>(
  columns: Columns<Model, Row>,
  sort: readonly SortKey<keyof Model & string>[],
): readonly OrderedColumn[] {
  return sort.map(({ field, direction }) => ({ column: columns[field] as Column<never>, direction }));
}

/**
 * The rows of all selects in one order, from `offset` on. SQLite merges several as far as it is asked. PostgreSQL gathers and sorts them, so
 * it is given no more of each than the page may hold.
 */
export function inOrder(
  db: Queries,
  selects: readonly RawBuilder<unknown>[],
  order: readonly OrderedColumn[],
  { limit, offset }: { readonly limit?: number; readonly offset?: number },
): RawBuilder<unknown> {
  const by = sql` ORDER BY ${orderBy(order)}`;
  const upTo = limit === undefined ? sql`` : sql` LIMIT ${limit + (offset ?? 0)}`;
  const parts = selects.length === 1 || isSqlite(db) ? selects : selects.map((select) => sql`(${select}${by}${upTo})`);
  // SQLite knows no offset without a limit.
  const limited = limit === undefined && offset === undefined ? sql`` : sql` LIMIT ${limit ?? Number.MAX_SAFE_INTEGER}`;
  const from = offset === undefined ? sql`` : sql` OFFSET ${offset}`;
  return sql`${sql.join(parts, sql` UNION ALL `)}${by}${limited}${from}`;
}

function orderBy(order: readonly OrderedColumn[]): RawBuilder<unknown> {
  return sql.join(
    order.map(({ column, direction }) => {
      const nulls = !column.nullable ? '' : direction === 'asc' ? ' NULLS FIRST' : ' NULLS LAST';
      return sql`${sql.ref(column.name)} ${sql.raw(direction)}${sql.raw(nulls)}`;
    }),
  );
}

/**
 * The ways in which a row may come after the marker, whose columns are given: one at least, of which no row has two. An index in this order
 * answers each by starting where it begins.
 */
export function waysAfter(
  order: readonly OrderedColumn[],
  marker: Readonly<Record<string, unknown>>,
): readonly RawBuilder<boolean>[] {
  const value = (column: Column<never>): string | number | null => marker[column.name] as string | number | null;
  const [first] = order;
  if (
    first !== undefined &&
    order.every(({ column, direction }) => !column.nullable && direction === first.direction)
  ) {
    const names = sql.join(order.map(({ column }) => sql.ref(column.name)));
    const values = sql.join(order.map(({ column }) => value(column)));
    return [sql<boolean>`(${names}) ${sql.raw(first.direction === 'asc' ? '>' : '<')} (${values})`];
  }
  return order.flatMap((key, index) => {
    const before = order.slice(0, index).map(({ column }) => equals(column, value(column)));
    return beyond(key, value(key.column)).map((way) => sql<boolean>`(${sql.join([...before, way], sql` AND `)})`);
  });
}

function equals(column: Column<never>, value: string | number | null): RawBuilder<boolean> {
  return value === null ? sql`${sql.ref(column.name)} IS NULL` : sql`${sql.ref(column.name)} = ${value}`;
}

function beyond({ column, direction }: OrderedColumn, value: string | number | null): readonly RawBuilder<boolean>[] {
  const ref = sql.ref(column.name);
  if (direction === 'asc') return [value === null ? sql`${ref} IS NOT NULL` : sql`${ref} > ${value}`];
  if (value === null) return [];
  return column.nullable ? [sql`${ref} < ${value}`, sql`${ref} IS NULL`] : [sql`${ref} < ${value}`];
}

/** The entries of an object of text, as rows of `key` and `value`. */
export function eachEntry(db: Queries, object: RawBuilder<unknown>): RawBuilder<unknown> {
  return isSqlite(db) ? sql`json_each(${object})` : sql`json_each_text(${object}::json)`;
}

/** One text of a list of rows: a column of text each, joined by commas. */
export function joined(db: Queries, text: RawBuilder<string>): RawBuilder<string | null> {
  return isSqlite(db) ? sql`group_concat(${text}, ',')` : sql`string_agg(${text}, ',')`;
}

export function isSqlite(db: Queries): boolean {
  return db.getExecutor().adapter instanceof SqliteAdapter;
}
