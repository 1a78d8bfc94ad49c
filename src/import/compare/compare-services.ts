/**
 * Reads two services with one token, list by list and page by page, and tells each field that differs. Nothing is asked but GET. Rows are
 * told apart by their ids, so one that is missing on one side shifts no others; memory holds a page of each, and what has no partner yet.
 */
import { COMPARED_LISTS, type ComparedList } from './compared-lists.ts';
import type { ReadService } from './read-service.ts';

export interface Difference {
  readonly list: string;
  /** Of the row; the list's name where it is about the whole of it. */
  readonly id: string;
  /** `metadata.readonly`; `(row)`: it is missing on one side, `(order)`, `(status)` of the answer. */
  readonly field: string;
  /** Undefined: it has none. */
  readonly cinder: unknown;
  readonly pumice: unknown;
}

export interface ComparedServices {
  readonly cinder: ReadService;
  readonly pumice: ReadService;
  /** Of every project, which only an administrator may ask. */
  readonly ofAll: boolean;
  /** Default: all of them. */
  readonly lists?: readonly ComparedList[];
  readonly signal: AbortSignal;
}

export interface ComparedSummary {
  readonly list: string;
  readonly rows: number;
}

/** Calls `tell` for each difference, and yields each list when it is done. */
export async function* compareServices(
  services: ComparedServices,
  tell: (difference: Difference) => void,
): AsyncGenerator<ComparedSummary> {
  for (const list of services.lists ?? COMPARED_LISTS)
    yield { list: list.path, rows: await compareList(list, services, tell) };
}

type Row = Readonly<Record<string, unknown>>;

async function compareList(
  list: ComparedList,
  { cinder, pumice, ofAll, signal }: ComparedServices,
  tell: (difference: Difference) => void,
): Promise<number> {
  const [theirs, ours] = [cinder.pages(list, ofAll, signal), pumice.pages(list, ofAll, signal)];
  const waiting = { cinder: new Map<string, Row>(), pumice: new Map<string, Row>() };
  let [rows, ordered] = [0, true];
  for (;;) {
    const [a, b] = [await theirs.next(), await ours.next()];
    if (a.done && b.done) break;
    const [status, other] = [a.value?.status ?? 200, b.value?.status ?? 200];
    if (status !== other) {
      tell({ list: list.path, id: list.path, field: '(status)', cinder: status, pumice: other });
      return rows;
    }
    const [left, right] = [a.value?.rows ?? [], b.value?.rows ?? []];
    for (let place = 0; place < Math.max(left.length, right.length); place++) {
      const pair = [left[place], right[place]] as const;
      if (pair[0] !== undefined && pair[1] !== undefined && idOf(list, pair[0]) !== idOf(list, pair[1]))
        ordered = false;
      if (pair[0] !== undefined) waiting.cinder.set(idOf(list, pair[0]), pair[0]);
      if (pair[1] !== undefined) waiting.pumice.set(idOf(list, pair[1]), pair[1]);
    }
    for (const [id, row] of waiting.cinder) {
      const partner = waiting.pumice.get(id);
      if (partner === undefined) continue;
      rows += 1;
      waiting.cinder.delete(id);
      waiting.pumice.delete(id);
      for (const [field, x, y] of differing(row, partner)) tell({ list: list.path, id, field, cinder: x, pumice: y });
    }
  }
  for (const id of waiting.cinder.keys())
    tell({ list: list.path, id, field: '(row)', cinder: 'there', pumice: undefined });
  for (const id of waiting.pumice.keys())
    tell({ list: list.path, id, field: '(row)', cinder: undefined, pumice: 'there' });
  const isWhole = waiting.cinder.size + waiting.pumice.size === 0;
  if (isWhole && !ordered && !list.unordered)
    tell({ list: list.path, id: list.path, field: '(order)', cinder: 'one', pumice: 'another' });
  return rows;
}

function idOf({ by = ['id'], path }: ComparedList, row: Row): string {
  const parts = by.map((name) => row[name]);
  return parts.every((part) => part === undefined) ? path : parts.map(String).join(' ');
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string');

type FieldDifference = readonly [field: string, cinder: unknown, pumice: unknown];

const isObject = (value: unknown): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value);

function* differing(a: unknown, b: unknown, field = ''): Generator<FieldDifference> {
  if (isObject(a) && isObject(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)]))
      yield* differing(a[key], b[key], field === '' ? key : `${field}.${key}`);
  } else if (isTexts(a) && isTexts(b)) {
    // Lists of texts within a row are sets: the values of a key, the types of a group.
    if (a.toSorted().join('\n') !== b.toSorted().join('\n')) yield [field, a, b];
  } else if (Array.isArray(a) && Array.isArray(b) && a.length === b.length) {
    for (const [place, each] of a.entries()) yield* differing(each, b[place], `${field}[${place}]`);
  } else if (JSON.stringify(a) !== JSON.stringify(b)) {
    const shown = isSecret(field) ? [a, b].map((value) => value && '(a secret)') : [a, b];
    yield [field, shown[0], shown[1]];
  }
}

const isSecret = (field: string): boolean => /password|secret|keyring|auth_key/i.test(field);
