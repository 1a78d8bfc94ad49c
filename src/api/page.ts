/**
 * Pagination of a list by a marker (keyset, or cursor, pagination; its SQL: `db/sql/pages.ts`): `limit`, `marker`, `offset`,
 * `sort`, `with_count`, and the link to the next page.
 *
 * A page that is full has a next link, which is the request's own URL with the last id as its marker; a client that follows
 * links therefore asks once more than it must when the last page is just full, as it does of Cinder.
 */
import type { ListQuery, SortKey } from '../db/sql/list-query.ts';
import { InvalidInput } from '../model/errors.ts';
import { COUNT } from './microversion.ts';
import { type Query, queryBoolean, queryInteger } from './query.ts';
import type { ApiCall } from './route.ts';

export type PageQuery<Field extends string> = ListQuery<Field> & { readonly limit: number };

/** Names in a query that are no filters. */
export const PAGE_NAMES: ReadonlySet<string> = new Set([
  'limit',
  'marker',
  'offset',
  'sort',
  'sort_key',
  'sort_dir',
  'with_count',
  'all_tenants',
  'list_volume',
]);

/** `sortKeys` names the fields as clients call them. */
export function pageOf<Field extends string>(
  { query, desk }: ApiCall,
  sortKeys: Readonly<Record<string, Field>>,
): PageQuery<Field> {
  const most = desk.config.api.osapi_max_limit;
  const marker = query.get('marker');
  const offset = queryInteger(query, 'offset');
  return {
    limit: Math.min(queryInteger(query, 'limit') ?? most, most),
    ...(marker !== undefined && { marker }),
    ...(offset !== undefined && { offset }),
    sort: sortOf(query, sortKeys),
  };
}

function sortOf<Field extends string>(
  query: Query,
  sortKeys: Readonly<Record<string, Field>>,
): readonly SortKey<Field>[] {
  const sort = query.get('sort');
  const key = query.get('sort_key');
  const direction = query.get('sort_dir');
  if (sort !== undefined && (key !== undefined || direction !== undefined)) {
    throw new InvalidInput('sort_key and sort_dir cannot be used together with sort.');
  }
  if (sort === undefined) return key || direction ? [sortKey(key || 'created_at', direction, sortKeys)] : [];
  return sort.split(',').map((part) => {
    const [name = '', way, ...rest] = part.split(':').map((text) => text.trim());
    if (rest.length > 0) throw new InvalidInput('sort has the form key[:direction],key[:direction],…');
    return sortKey(name || 'created_at', way, sortKeys);
  });
}

function sortKey<Field extends string>(
  name: string,
  direction: string | undefined,
  sortKeys: Readonly<Record<string, Field>>,
): SortKey<Field> {
  if (!Object.hasOwn(sortKeys, name)) throw new InvalidInput(`A list cannot be sorted by ${name}.`);
  const way = direction || 'desc';
  if (way !== 'asc' && way !== 'desc') throw new InvalidInput('The direction of a sort key is asc or desc.');
  return { field: sortKeys[name] as Field, direction: way };
}

export interface Link {
  readonly rel: string;
  readonly href: string;
}

/** The next page's link; none when this page was not full. `path` is that of the route: `/volumes/detail`. */
export function nextLinks(
  { links, query }: ApiCall,
  path: string,
  { limit }: { readonly limit: number },
  ids: { readonly length: number; readonly last: string | undefined },
): readonly Link[] {
  if (ids.last === undefined || ids.length < limit) return [];
  const next = new URLSearchParams([...query].filter(([name]) => name !== 'marker'));
  next.set('marker', ids.last);
  return [{ rel: 'next', href: `${links.prefix}${path}?${next}` }];
}

/** Whether the number of all rows was asked for. */
export function wantsCount({ query, version }: ApiCall): boolean {
  return version >= COUNT && queryBoolean(query, 'with_count');
}

/** The only project that a list shows; undefined for an administrator who asks for all. */
export function projectShown({ caller, query }: ApiCall): string | undefined {
  const all = queryBoolean(query, 'all_tenants');
  return caller.isAdmin && all ? undefined : caller.projectId;
}
