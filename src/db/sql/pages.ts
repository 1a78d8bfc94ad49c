/**
 * The statements behind every list (`list-query.ts`), with keyset pagination: a page of a table, its keys alone, and the count without
 * pages.
 */
import { type RawBuilder, sql } from 'kysely';
import type { Columns } from './columns.ts';
import type { Queries, Readers } from './db.ts';
import { partsInOrder } from './list-parts.ts';
import {
  inOrder,
  joined,
  type ListFilter,
  type ListQuery,
  matches,
  orderedColumns,
  totalOrder,
  waysAfter,
} from './list-query.ts';
import type { Tables } from './schema.ts';

/** What every listed thing has. */
interface Listed {
  readonly id: string;
  readonly createdAt: string;
}

/** A table with what is listed of it. */
export interface Listing<Model extends Listed, Row> {
  readonly table: keyof Tables & string;
  readonly columns: Columns<Model, Row>;
  /** Each has an index between the project and the order of creation (`list-parts.ts`). */
  readonly indexed?: readonly Fields<Model>[];
  /** Of a marker that names nothing. */
  readonly notFound: (id: string) => Error;
}

/** The row's id and how often it has changed: enough to find what was rendered of it before. */
export interface Key {
  readonly id: string;
  readonly revision: number;
}

type Fields<Model> = keyof Model & string;

export async function page<Model extends Listed, Row>(
  readers: Readers,
  listing: Listing<Model, Row>,
  query: ListQuery<Fields<Model>>,
): Promise<Row[]> {
  const { db, selected } = await select(readers, listing, query, 'rows');
  const { rows } = await sql<Row>`${selected}`.execute(db);
  return rows;
}

/** The keys of a page, in its order. They come as one text: a thousand small rows cost more to make than to read. */
export async function pageKeys<Model extends Listed, Row>(
  readers: Readers,
  listing: Listing<Model, Row>,
  query: ListQuery<Fields<Model>>,
): Promise<Key[]> {
  const { db, selected } = await select(readers, listing, query, 'keys');
  const keys = joined(db, sql<string>`id || ':' || revision`);
  const { rows } = await sql<{ keys: string | null }>`SELECT ${keys} AS keys FROM (${selected}) AS page`.execute(db);
  const text = rows[0]?.keys ?? '';
  if (text === '') return [];
  return text.split(',').map((key) => {
    const colon = key.lastIndexOf(':');
    return { id: key.slice(0, colon), revision: Number(key.slice(colon + 1)) };
  });
}

/** However many there are, each is looked at. */
export async function count<Model extends Listed, Row>(
  { search }: Readers,
  { table, columns }: Listing<Model, Row>,
  filters: readonly ListFilter<Fields<Model>>[],
): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*) AS count FROM ${sql.table(table)} WHERE ${matches(search, columns, filters)}`.execute(search);
  return rows[0]?.count ?? 0;
}

interface Selected {
  /** Where to ask it. */
  readonly db: Queries;
  readonly selected: RawBuilder<unknown>;
}

async function select<Model extends Listed, Row>(
  readers: Readers,
  listing: Listing<Model, Row>,
  query: ListQuery<Fields<Model>>,
  what: 'rows' | 'keys',
): Promise<Selected> {
  const { columns, indexed = [] } = listing;
  const { filters = [], usual = [], marker } = query;
  const sort = totalOrder<Fields<Model>>(query.sort ?? []);
  const order = orderedColumns(columns, sort);
  const ways = marker === undefined ? [] : waysAfter(order, await findMarker(readers.read, listing, marker, filters));
  const parts = partsInOrder(indexed, query, sort);
  const db = parts === undefined ? readers.search : readers.read;
  const matching = (part: typeof filters) => matches(db, columns, [...part, ...usual]);
  const conditions =
    ways.length === 0
      ? (parts ?? [filters]).map(matching)
      : parts === undefined
        ? [sql<boolean>`${matching(filters)} AND (${sql.join(ways, sql` OR `)})`]
        : parts.flatMap((part) => ways.map((way) => sql<boolean>`${matching(part)} AND ${way}`));
  // Parts are merged by what they select.
  const keys = new Set(['id', 'revision', ...order.map(({ column }) => column.name)]);
  const selects = what === 'rows' ? sql`*` : sql.join([...keys].map((name) => sql.ref(name)));
  const all = conditions.map((condition) => sql`SELECT ${selects} FROM ${sql.table(listing.table)} WHERE ${condition}`);
  return { db, selected: inOrder(db, all, order, query) };
}

/** The marker may have left the list meanwhile, by another status for example. Only its project must be the caller's. */
async function findMarker<Model extends Listed, Row>(
  db: Queries,
  { table, columns, notFound }: Listing<Model, Row>,
  id: string,
  filters: readonly ListFilter<Fields<Model>>[],
): Promise<Readonly<Record<string, unknown>>> {
  const scope = filters.filter((filter) => filter.is === 'equal' && filter.field === 'projectId');
  const { rows } = await sql<Record<string, unknown>>`
    SELECT * FROM ${sql.table(table)} WHERE id = ${id} AND ${matches(db, columns, scope)}`.execute(db);
  const [marker] = rows;
  if (marker === undefined) throw notFound(id);
  return marker;
}
