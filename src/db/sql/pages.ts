/** The statements behind every list (`list-query.ts`): a page of a table, its keys alone, and the count without pages. */
import { type RawBuilder, sql } from 'kysely';
import type { Columns } from './columns.ts';
import type { Db } from './db.ts';
import {
  comesAfter,
  joined,
  type ListFilter,
  type ListQuery,
  matches,
  orderBy,
  orderedColumns,
  totalOrder,
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
  db: Db,
  listing: Listing<Model, Row>,
  query: ListQuery<Fields<Model>>,
): Promise<Row[]> {
  const { rows } = await sql<Row>`${await select(db, listing, query, sql`*`)}`.execute(db);
  return rows;
}

/** The keys of a page, in its order. They come as one text: a thousand small rows cost more to make than to read. */
export async function pageKeys<Model extends Listed, Row>(
  db: Db,
  listing: Listing<Model, Row>,
  query: ListQuery<Fields<Model>>,
): Promise<Key[]> {
  const selected = await select(db, listing, query, sql`id, revision`);
  const keys = joined(db, sql<string>`id || ':' || revision`);
  const { rows } = await sql<{ keys: string | null }>`SELECT ${keys} AS keys FROM (${selected}) AS page`.execute(db);
  const text = rows[0]?.keys ?? '';
  if (text === '') return [];
  return text.split(',').map((key) => {
    const colon = key.lastIndexOf(':');
    return { id: key.slice(0, colon), revision: Number(key.slice(colon + 1)) };
  });
}

export async function count<Model extends Listed, Row>(
  db: Db,
  listing: Listing<Model, Row>,
  filters: readonly ListFilter<Fields<Model>>[],
): Promise<number> {
  const { table, columns } = listing;
  const { rows } = await sql<{ count: number }>`
    SELECT count(*) AS count FROM ${sql.table(table)} WHERE ${matches(db, columns, filters)}`.execute(db);
  return rows[0]?.count ?? 0;
}

async function select<Model extends Listed, Row>(
  db: Db,
  listing: Listing<Model, Row>,
  query: ListQuery<Fields<Model>>,
  what: RawBuilder<unknown>,
): Promise<RawBuilder<unknown>> {
  const { table, columns } = listing;
  const filters = query.filters ?? [];
  const order = orderedColumns(columns, totalOrder(query.sort ?? []));
  let conditions = matches(db, columns, filters);
  if (query.marker !== undefined) {
    const marker = await findMarker(db, listing, query.marker, filters);
    conditions = sql<boolean>`${conditions} AND ${comesAfter(order, marker)}`;
  }
  const limit =
    query.limit === undefined && query.offset === undefined
      ? sql``
      : sql` LIMIT ${query.limit ?? Number.MAX_SAFE_INTEGER}`;
  const offset = query.offset === undefined ? sql`` : sql` OFFSET ${query.offset}`;
  return sql`SELECT ${what} FROM ${sql.table(table)} WHERE ${conditions} ORDER BY ${orderBy(order)}${limit}${offset}`;
}

/** The marker may have left the list meanwhile, by another status for example. Only its project must be the caller's. */
async function findMarker<Model extends Listed, Row>(
  db: Db,
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
