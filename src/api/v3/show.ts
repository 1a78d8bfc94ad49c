/**
 * Get and list through the row cache: one row, and pages of rows. The lists and gets of volumes and of snapshots share it.
 */
import type { Readers } from '../../db/sql/db.ts';
import type { ListFilter, ListQuery } from '../../db/sql/list-query.ts';
import type { Key } from '../../db/sql/pages.ts';
import { findViewKey } from '../../db/view-keys.ts';
import { listOf, oneOf } from '../answer.ts';
import { type FilteredResource, type FilterTable, filtersOf } from '../filters.ts';
import { nextLinks, pageOf, projectShown, wantsCount } from '../page.ts';
import type { ApiCall } from '../route.ts';
import type { Fields, View, Viewer } from '../view.ts';

interface Row {
  readonly id: string;
  readonly revision: number;
  readonly projectId: string;
}

/** A kind of row that clients list, and the fields to find it by. */
export interface ListedKind<R extends Row, F extends string = keyof R & string> {
  readonly resource: FilteredResource & ('volume' | 'snapshot');
  readonly filters: FilterTable<F>;
  sortKeys(call: ApiCall): Readonly<Record<string, F>>;
  keys(readers: Readers, query: ListQuery<F>): Promise<Key[]>;
  count(readers: Readers, filters: readonly ListFilter<F>[]): Promise<number>;
  notFound(id: string): Error;
}

/** The rows a query names; undefined when it can name none. */
export function wanted<R extends Row, F extends string>(
  call: ApiCall,
  kind: ListedKind<R, F | 'projectId'>,
): readonly ListFilter<F | 'projectId'>[] | undefined {
  const filters = filtersOf(call, kind.resource, kind.filters);
  if (filters === undefined) return undefined;
  const projectId = projectShown(call);
  if (projectId === undefined) return filters;
  return [...filters, { is: 'equal', field: 'projectId', value: projectId }];
}

/** `path` is that of the route, for the link to the next page. */
export async function showPage<R extends Row, F extends string, Viewed extends R>(
  call: ApiCall,
  kind: ListedKind<R, F | 'projectId'>,
  view: View<Viewed>,
  path: string,
): Promise<Buffer> {
  const { db } = call.desk;
  const key = `${kind.resource}s`;
  const page = pageOf(call, kind.sortKeys(call));
  const filters = wanted(call, kind);
  const counted = wantsCount(call);
  if (filters === undefined) return listOf(key, [], [], counted ? 0 : undefined);
  const asked = page.limit === 0 ? [] : kind.keys(db, { ...page, filters });
  const texts = await call.rowCache.texts(view, asking(call), asked);
  const keys = await asked;
  const links = nextLinks(call, path, page, { length: keys.length, last: keys.at(-1)?.id });
  return listOf(key, texts, links, counted ? await kind.count(db, filters) : undefined);
}

export async function showOne<R extends Row, Viewed extends R>(
  call: ApiCall,
  kind: Pick<ListedKind<R>, 'resource' | 'notFound'>,
  view: View<Viewed>,
  id: string,
): Promise<Buffer> {
  const { caller, desk, rowCache } = call;
  const asked = findViewKey(desk.db.reader, kind.resource, id).then((key) => {
    if (key === undefined || (!caller.isAdmin && key.projectId !== caller.projectId)) throw kind.notFound(id);
    return [{ id, revision: key.revision }];
  });
  const [text] = await rowCache.texts(view, asking(call), asked);
  if (text === undefined) throw kind.notFound(id);
  return oneOf(kind.resource, text);
}

/** Who asks, as far as views care. */
export const asking = ({ version, caller, attributes, links }: ApiCall) => ({
  version,
  isAdmin: caller.isAdmin,
  attributes,
  links,
});

/** A row at hand, in a view that is not kept. */
export async function shown<R>(call: ApiCall, row: R, view: Fields<R, Viewer>): Promise<object> {
  return view.show(row, { ...asking(call), names: await call.rowCache.names() }, call.version);
}
