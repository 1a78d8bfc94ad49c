/**
 * What was measured, as a table a person can judge: each figure beside a peer of the same run, their ratio, and what is wanted.
 *
 * A quantity is one value a round; it is told as the median and, in brackets, the range. A ratio is made inside each round,
 * so that a neighbour who slows down the machine slows down both sides of it.
 */
export interface Quantity {
  /** One a round. */
  readonly values: readonly number[];
  readonly unit: string;
}

export interface Wanted {
  readonly of: 'measured' | 'ratio';
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Row {
  readonly figure: string;
  readonly measured: Quantity;
  readonly beside?: Beside;
  /** Measured over beside, or beside over measured, whichever grows as we get better or is easier to read. */
  readonly ratio?: readonly number[];
  readonly wanted?: Wanted;
}

export interface Beside {
  readonly what: string;
  readonly quantity: Quantity;
  /** Nobody could be better, who keeps the same promises on this machine. */
  readonly isLimit?: true;
}

/** What could not be measured, and what to do about it. */
export interface Skipped {
  readonly figure: string;
  readonly skipped: string;
}

export type Result = Row | Skipped;

export const quantity = (values: readonly number[], unit: string): Quantity => ({ values, unit });

/** `ours[i] / theirs[i]`. */
export const ratios = (ours: readonly number[], theirs: readonly number[]): number[] =>
  ours.map((value, round) => value / (theirs[round] ?? Number.NaN));

/** The same figure of another build. */
export const besideBuild = (
  { name }: { readonly name: string },
  ours: readonly number[],
  theirs: readonly number[],
  unit: string,
): Pick<Row, 'beside' | 'ratio'> => ({
  beside: { what: name, quantity: quantity(theirs, unit) },
  ratio: ratios(ours, theirs),
});

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
}

/** `part` of the values are below it: 0.5, 0.99; with 1 the largest. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** Undefined when nothing is wanted. */
export function isMet({ measured, ratio, wanted }: Row): boolean | undefined {
  if (wanted === undefined) return undefined;
  const value = median(wanted.of === 'ratio' ? (ratio ?? []) : measured.values);
  return value >= (wanted.atLeast ?? Number.NEGATIVE_INFINITY) && value <= (wanted.atMost ?? Number.POSITIVE_INFINITY);
}

const HEAD = ['figure', 'measured', 'beside', 'ratio', 'wanted'];

export function cellsOf(result: Result): string[] {
  if ('skipped' in result) return [result.figure, 'skipped', '', '', result.skipped];
  const { figure, measured, beside, ratio, wanted } = result;
  return [
    figure,
    told(measured),
    beside === undefined ? '' : `${beside.what}: ${told(beside.quantity)}`,
    ratio === undefined ? '' : told(quantity(ratio, '×')),
    wanted === undefined ? '' : `${bounds(wanted, measured.unit)} ${isMet(result) ? '✔' : '✘ missed'}`,
  ];
}

/** For a terminal: columns as wide as they need to be. */
export function plainTable(results: readonly Result[]): string {
  const rows = [HEAD, ...results.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function markdownTable(results: readonly Result[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(HEAD), line(HEAD.map(() => '---')), ...results.map((result) => line(cellsOf(result)))].join('\n');
}

/** How far from its limit each figure is that stands beside it. */
export function toldLimits(results: readonly Result[]): string[] {
  return results.flatMap((each) => {
    if ('skipped' in each || !each.beside?.isLimit || each.ratio === undefined) return [];
    const { figure, beside, ratio } = each;
    const most = number(median(beside.quantity.values));
    return [
      `${figure}: the limit is ${`${most} ${beside.quantity.unit}`.trim()} (${beside.what}), and this is ${number(median(ratio))} × it.`,
    ];
  });
}

function told({ values, unit }: Quantity): string {
  const middle = number(median(values));
  const [low, high] = [number(Math.min(...values)), number(Math.max(...values))];
  const range = low === high ? '' : ` (${low}–${high})`;
  return `${`${middle} ${unit}`.trim()}${range}`;
}

function bounds({ of, atLeast, atMost }: Wanted, unitMeasured: string): string {
  const unit = of === 'ratio' ? '×' : unitMeasured;
  if (atLeast !== undefined && atMost !== undefined) return `${number(atLeast)}–${number(atMost)} ${unit}`;
  return atLeast === undefined ? `≤ ${number(atMost ?? 0)} ${unit}` : `≥ ${number(atLeast)} ${unit}`;
}

/** Three digits that count. */
function number(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: Math.abs(value) >= 1000 ? 4 : 3 });
}
