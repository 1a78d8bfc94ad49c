/** What a table asks the API for: a page of rows, found, sorted and cut by the server, whatever their number. */
import type { Place } from './places.ts';

export const PAGE_ROWS = 50;

export interface Sort {
  readonly key: string;
  readonly down: boolean;
}

export function sortOf({ sort }: Place['query'], byDefault: Sort): Sort {
  const [key, way] = (sort ?? '').split(':');
  return key ? { key, down: way === 'desc' } : byDefault;
}

export const sortText = ({ key, down }: Sort): string => `${key}:${down ? 'desc' : 'asc'}`;

/** What a click on a column does: the other way round if it is sorted by that, else as it says itself. */
export const sortedBy = (current: Sort, key: string, downFirst: boolean): Sort =>
  current.key === key ? { key, down: !current.down } : { key, down: downFirst };

/** The query of the API for what stands in the page's address: `name`, `status`, `sort`, `marker`, `all`. */
export function listQuery(query: Place['query'], sort: Sort): string {
  const wanted = new URLSearchParams({ limit: String(PAGE_ROWS), sort: sortText(sort) });
  if (query.name) wanted.set('name~', query.name);
  if (query.status) wanted.set('status', query.status);
  if (query.all) wanted.set('all_tenants', '1');
  if (query.marker) wanted.set('marker', query.marker);
  return wanted.toString();
}
