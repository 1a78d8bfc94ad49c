/**
 * Mapping of a model's fields to the columns of its table: the column's name, and its form there (as it is, as 0 or 1, or as
 * JSON text). Writes, filters and sort keys go through this; reads are written out, being the hot way.
 */

export interface Column<Row> {
  readonly name: keyof Row & string;
  readonly as: 'is' | 'whole' | 'flag' | 'json';
  readonly nullable: boolean;
  /** SQL of a text that another row has; to filter by, never written. */
  readonly found?: string;
}

export type Columns<Model, Row> = { readonly [Field in keyof Model & string]: Column<Row> };

export const is = <const N extends string>(name: N) => ({ name, as: 'is', nullable: false }) as const;
/** A whole number. */
export const whole = <const N extends string>(name: N) => ({ name, as: 'whole', nullable: false }) as const;
export const maybe = <const N extends string>(name: N) => ({ name, as: 'is', nullable: true }) as const;
export const flag = <const N extends string>(name: N) => ({ name, as: 'flag', nullable: false }) as const;
export const json = <const N extends string>(name: N) => ({ name, as: 'json', nullable: false }) as const;
export const maybeJson = <const N extends string>(name: N) => ({ name, as: 'json', nullable: true }) as const;
/** What another row says, to which the column leads; `sql` is a query of one text. */
export const elsewhere = <const N extends string>(name: N, sql: string) =>
  ({ name, as: 'is', nullable: true, found: `(${sql})` }) as const;

/** A value as its column keeps it. */
export function stored(column: Column<never>, value: unknown): string | number | null {
  if (value === null || value === undefined) return null;
  if (column.as === 'flag') return value ? 1 : 0;
  if (column.as === 'json') return JSON.stringify(value);
  return value as string | number;
}

/** The columns of the fields that are given. */
export function toRow<Model, Row>(columns: Columns<Model, Row>, fields: Partial<Model>): Partial<Row> {
  const row: Record<string, string | number | null> = {};
  for (const field in fields) {
    const column = columns[field as keyof Model & string];
    if (fields[field] !== undefined) row[column.name] = stored(column as Column<never>, fields[field]);
  }
  return row as Partial<Row>;
}

export type TextMap = Readonly<Record<string, string>>;

const EMPTY: TextMap = Object.freeze({});

/** JSON text of an object of text. Most are empty, and parsing is what a list spends its time on. */
export function textMap(text: string): TextMap {
  return text === '{}' ? EMPTY : JSON.parse(text);
}

export function maybeTextMap(text: string | null): TextMap | null {
  return text === null ? null : textMap(text);
}
