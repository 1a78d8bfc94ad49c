/**
 * Whether an index serves a list: holds its rows in the order asked for, one behind the other, so that a page costs what it
 * returns however many rows there are. The indexes are `(created_at, id)`, `(project_id, created_at, id)` and, for each field that
 * clients ask for all day, `(project_id, FIELD, created_at, id)` (`Listing.indexed`).
 *
 * A list of several values of such a field is in several places of the index, each in order: it is read in *parts*, which both
 * databases merge as far as the page goes (`UNION ALL` under one `ORDER BY`).
 *
 * Whatever else is asked (a part of a name, metadata, an order by size, a far offset) is found by looking at every row of the
 * project. That is right, takes a time that grows, and belongs where it holds up nobody (`Readers.search`).
 */
import type { ListFilter, ListQuery, SortKey } from './list-query.ts';

type Field = string;

/** More values than a volume has statuses are no list that a person keeps asking for. */
const MOST_PARTS = 40;
/** Rows that are passed over one by one. */
const MOST_PASSED = 5_000;

/** The filters of each part; undefined when no index serves the list. `sort` is total. */
export function partsInOrder<F extends Field>(
  indexed: readonly F[],
  { filters = [], offset = 0 }: ListQuery<F>,
  sort: readonly SortKey<F | 'createdAt' | 'id'>[],
): readonly (readonly ListFilter<F>[])[] | undefined {
  if (filters.some(isOfOne)) return [filters];
  const projects = filters.filter(({ field }: FieldOf) => field === 'projectId');
  const ofProject = projects.length === 1 && projects[0]?.is === 'equal';
  const isSince = ({ is, field }: FieldOf): boolean => is === 'compare' && field === 'createdAt';
  const since = filters.some(isSince);
  const [by, ...others] = filters.filter((filter: FieldOf) => filter.field !== 'projectId' && !isSince(filter));
  const begins = sort.map(({ field }) => field).join() === 'createdAt,id' ? undefined : sort[0]?.field;
  const has = (field: Field): boolean => ofProject && indexed.some((each) => each === field);

  if (projects.length > 0 && !ofProject) return undefined;
  if (others.length > 0 || offset > MOST_PASSED || !isOneWay(sort)) return undefined;
  if (begins !== undefined && (sort.length > 3 || since || !has(begins))) return undefined;
  if (by === undefined) return [filters];
  if (!('field' in by) || !has(by.field) || (begins !== undefined && begins !== by.field)) return undefined;
  if ('ignoreCase' in by && by.ignoreCase) return undefined;
  if (by.is === 'equal') return [filters];
  if (by.is !== 'in' || by.values.length > MOST_PARTS) return undefined;
  const rest = filters.filter((filter) => filter !== by);
  return [...new Set(by.values)].map((value) => [...rest, { is: 'equal', field: by.field, value }]);
}

/** Of a filter that has one. */
interface FieldOf {
  readonly is: string;
  readonly field?: Field;
}

/** By its id a row is found at once, and nothing else matters. */
const isOfOne = ({ is, field }: FieldOf): boolean => field === 'id' && (is === 'equal' || is === 'in');

const isOneWay = (sort: readonly SortKey<Field>[]): boolean =>
  sort.every(({ direction }) => direction === sort[0]?.direction);
