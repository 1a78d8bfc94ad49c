/**
 * Filters of a list: the names in a query that select rows.
 *
 * A resource names its filters in a table: the field, how the text is read, since which version. Whether a filter takes a
 * list is said there and never guessed from the text: `[prod]` and `None` are names like others (Cinder bug 1503485). A name in no
 * table is answered as Cinder does: an administrator, who may filter on anything, gets an empty list; anyone else is told so, or,
 * below 3.31, not. A table of its own, shown by `resource_filters`, limits the filters of others than administrators; names that
 * are not in that one are open to all.
 */
import type { Comparison, ListFilter, Value } from '../db/sql/list-query.ts';
import type { Timestamp } from '../lib/clock.ts';
import { InvalidInput } from '../model/errors.ts';
import { CONFIGURED_FILTERS, LIKE_FILTERS, type Microversion, OLDEST, TIME_FILTERS } from './microversion.ts';
import { PAGE_NAMES } from './page.ts';
import { type Literal, parseLiteral } from './python-literal.ts';
import { readBoolean } from './query.ts';
import type { ApiCall } from './route.ts';

/** What others than administrators may filter by. */
export const RESOURCE_FILTERS = {
  volume: [
    'name',
    'status',
    'metadata',
    'bootable',
    'migration_status',
    'availability_zone',
    'group_id',
    'size',
    'created_at',
    'updated_at',
    'consumes_quota',
  ],
  backup: ['name', 'status', 'volume_id'],
  snapshot: ['name', 'status', 'volume_id', 'metadata', 'availability_zone', 'consumes_quota'],
  group: ['name'],
  group_snapshot: ['name', 'status', 'group_id'],
  attachment: ['volume_id', 'status', 'instance_id', 'attach_status'],
  message: ['resource_uuid', 'resource_type', 'event_id', 'request_id', 'message_level'],
  pool: ['name', 'volume_type'],
  volume_type: ['is_public', 'extra_specs'],
} as const;

export type FilteredResource = keyof typeof RESOURCE_FILTERS;

/** What whoever may list it may filter by everything. */
export type UnlistedResource = 'transfer' | 'qos_specs' | 'group_type';

const isListed = (resource: FilteredResource | UnlistedResource): resource is FilteredResource =>
  Object.hasOwn(RESOURCE_FILTERS, resource);

/** Reads the text of a filter. */
type Reading<Field extends string> = (text: string, version: Microversion) => readonly ListFilter<Field>[];

/**
 * `text` is what people write, and means itself. A `word` is an id, a status, a zone: one of them, any of a list that is
 * written as in Python, or `None` for rows that have none; what cannot be read so means itself.
 */
type Kind = 'text' | 'word' | 'boolean' | 'integer' | 'time' | 'entries';

export interface FilterRule<Field extends string> {
  readonly field: Field;
  readonly as: Kind | Reading<Field>;
  /** Finds a part of the text (`name~`). Texts and words have it of themselves; a filter without one finds nothing by a part. */
  readonly like?: Reading<Field>;
  /** Below it the filter is passed over. */
  readonly since?: Microversion;
}

export type FilterTable<Field extends string> = Readonly<Record<string, FilterRule<Field>>>;

/** The filters in a query; undefined when no row can pass them. */
export function filtersOf<Field extends string>(
  { query, caller, version, desk }: ApiCall,
  resource: FilteredResource | UnlistedResource,
  table: FilterTable<Field>,
): readonly ListFilter<Field>[] | undefined {
  const allowed: readonly string[] | undefined = isListed(resource) ? RESOURCE_FILTERS[resource] : undefined;
  const filters: ListFilter<Field>[] = [];
  for (const [given, text] of query) {
    if (PAGE_NAMES.has(given)) continue;
    const like = version >= LIKE_FILTERS && given.endsWith('~');
    const name = like ? given.slice(0, -1) : given;
    if (!caller.isAdmin && allowed !== undefined && !allowed.includes(name)) {
      if (version < CONFIGURED_FILTERS) continue;
      throw new InvalidInput(`Invalid filters ${name} are found in query options.`);
    }
    const rule = Object.hasOwn(table, name) ? table[name] : undefined;
    if (rule === undefined) return undefined;
    if ((rule.since ?? OLDEST) > version) continue;
    const blind = desk.config.ignore_case && isBlind(rule);
    const asked = blind && rule.field === 'status' ? text.toLowerCase() : text;
    const found = like ? partly(rule, asked, version) : read(rule, name, asked, version);
    if (found === undefined) return undefined;
    filters.push(...(blind ? found.map(ignoringCase) : found));
  }
  return filters;
}

/** What people write: neither an id nor what has a reading of its own, but for a status, all of which are small letters. */
const isBlind = ({ field, as }: FilterRule<string>): boolean =>
  field === 'status' || as === 'text' || (as === 'word' && field !== 'id' && !field.endsWith('Id'));

function ignoringCase<Field extends string>(filter: ListFilter<Field>): ListFilter<Field> {
  const takes = filter.is === 'equal' || filter.is === 'in' || filter.is === 'contains';
  return takes && 'field' in filter && filter.field !== 'status' ? { ...filter, ignoreCase: true } : filter;
}

function partly<Field extends string>(
  { field, as, like }: FilterRule<Field>,
  text: string,
  version: Microversion,
): readonly ListFilter<Field>[] | undefined {
  if (like !== undefined) return like(text, version);
  return as === 'text' || as === 'word' ? [{ is: 'contains', field, text }] : undefined;
}

function read<Field extends string>(
  { field, as }: FilterRule<Field>,
  name: string,
  text: string,
  version: Microversion,
): readonly ListFilter<Field>[] {
  switch (as) {
    case 'text':
      return [{ is: 'equal', field, value: text }];
    case 'word':
      return [wordFilter(field, text)];
    case 'boolean':
      return [{ is: 'equal', field, value: readBoolean(text, name) }];
    case 'integer':
      return [{ is: 'equal', field, value: integer(text, name) }];
    case 'time':
      return version >= TIME_FILTERS ? timeFilters(field, text) : [{ is: 'equal', field, value: readTime(text) }];
    case 'entries':
      return entries(field, name, text);
    default:
      return as(text, version);
  }
}

/** `node@backend` names all its pools. */
export function hostFilter<Field extends string>(field: Field, text: string): ListFilter<Field> {
  return text.includes('#') ? { is: 'equal', field, value: text } : { is: 'starts-with', field, text: `${text}#` };
}

type EntryFilter<Field extends string> = Extract<ListFilter<Field>, { readonly is: 'entry' }>;

function wordFilter<Field extends string>(field: Field, text: string): ListFilter<Field> {
  const [only, ...others] = wordsOf(text);
  if (only === undefined || others.length > 0) return { is: 'in', field, values: wordsOf(text) };
  return { is: 'equal', field, value: only };
}

/** `available`, `'available'`, `['available', 'error']` or `None`. */
export function wordsOf(text: string): readonly Value[] {
  if (!LITERAL.test(text)) return [text];
  let literal: Literal;
  try {
    literal = parseLiteral(text);
  } catch {
    return [text];
  }
  const words = Array.isArray(literal) ? (literal as readonly Literal[]) : [literal];
  return words.some(isNested) ? [text] : words.map((word) => (word === null ? null : plainText(word)));
}

/** The beginnings of a list, of a tuple and of quoted text, and the one word that means something. */
const LITERAL = /^\s*(?:[[('"]|None\s*$)/;

const isNested = (value: Literal): boolean => typeof value === 'object' && value !== null;

function integer(text: string, name: string): number {
  if (!/^\s*-?\d{1,15}\s*$/.test(text))
    throw new InvalidInput(`Invalid value for the filter ${name}: an integer is expected.`);
  return Number(text);
}

/** Every entry of the dictionary is one of the field's. Throws `InvalidInput` for a text that is none. */
export function entries<Field extends string>(field: Field, name: string, text: string): readonly EntryFilter<Field>[] {
  const dictionary = parseLiteral(text);
  if (!(dictionary instanceof Map)) {
    throw new InvalidInput(`Invalid value for the filter ${name}: a dictionary is expected, such as {'key': 'value'}.`);
  }
  return [...(dictionary as ReadonlyMap<string, Literal>)].map(([key, value]) => ({
    is: 'entry',
    field,
    key,
    value: value === null ? null : plainText(value),
  }));
}

function plainText(value: Literal): string {
  if (isNested(value)) throw new InvalidInput("A filter's value must not hold lists or dictionaries.");
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return String(value);
}

const COMPARISON = /^(gt|gte|eq|neq|lt|lte):(.*)$/s;

/** `gt:2026-01-01T00:00:00,lt:2026-02-01`, or a time alone. */
function timeFilters<Field extends string>(field: Field, text: string): readonly ListFilter<Field>[] {
  return text.split(',').map((part) => {
    const [, op = 'eq', time = part] = COMPARISON.exec(part.trim()) ?? [];
    return { is: 'compare', field, op: op as Comparison, value: readTime(time) };
  });
}

const TIME = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,6})\d*)?)?(Z|[+-]\d\d:?\d\d)?$/;

/** A time in ISO 8601 as our rows keep it. */
export function readTime(text: string): Timestamp {
  const [, date, time = '00:00:00', fraction = '', zone = 'Z'] = TIME.exec(text.trim()) ?? [];
  // A plus sign that was not encoded has become a blank; Date refuses what is no day of the calendar.
  const moment = Date.parse(`${date}T${time}${zone}`);
  if (date === undefined || Number.isNaN(moment)) {
    throw new InvalidInput('A time in a filter must be in ISO 8601: YYYY-MM-DDThh:mm:ss.');
  }
  return `${new Date(moment).toISOString().slice(0, 19)}.${fraction.padEnd(6, '0')}`;
}
