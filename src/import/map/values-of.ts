/** Key/value rows of Cinder's as the JSON text that ours keep in one column. */
import type { FoundInRow } from './verdict.ts';

interface ValueRow {
  readonly id: number;
  readonly key: string | null;
  readonly value: string | null;
}

/** In the order of their ids: of a key that lives twice the greater id counts, as in Cinder. */
export function valuesOf(rows: readonly ValueRow[], kind: string, found: FoundInRow): Record<string, string> {
  const values = new Map<string, string>();
  for (const { key, value } of [...rows].sort((a, b) => a.id - b.id)) {
    if (key === null) continue;
    if (values.has(key)) {
      found.add('key-twice', `has the ${kind} ${JSON.stringify(key)} twice`, 'the later one counts, as in Cinder');
      values.delete(key);
    }
    values.set(key, value ?? '');
  }
  return Object.fromEntries(values);
}

export const valuesText = (rows: readonly ValueRow[], kind: string, found: FoundInRow): string =>
  rows.length === 0 ? '{}' : JSON.stringify(valuesOf(rows, kind, found));

/** Rows by whom they belong to. */
export function byOwner<Row>(
  rows: readonly Row[],
  ownerOf: (row: Row) => string | null,
): ReadonlyMap<string, readonly Row[]> {
  const owners = new Map<string, Row[]>();
  for (const row of rows) {
    const owner = ownerOf(row);
    if (owner === null) continue;
    const of = owners.get(owner);
    if (of === undefined) owners.set(owner, [row]);
    else of.push(row);
  }
  return owners;
}
