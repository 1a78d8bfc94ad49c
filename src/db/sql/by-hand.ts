/** Statements by hand: their text, and the values of many rows in one. */
import type { Dialect } from './connection.ts';

/**
 * A text that both dialects run, with `?` where a value goes. `onPostgresql` is added there: a lock, say, which SQLite has no need of.
 */
export function byHand(text: string, onPostgresql = ''): Readonly<Record<Dialect, string>> {
  let place = 0;
  const numbered = text.replaceAll('?', () => {
    place += 1;
    return `$${place}`;
  });
  return { sqlite: text, postgresql: numbered + onPostgresql };
}

export type Values = readonly (string | number | null)[];

/** Rows as columns, for `unnest` of an array each. */
export const transposed = (rows: readonly Values[]): Values[] =>
  (rows[0] ?? []).map((_, place) => rows.map((row) => row[place] ?? null));
