/**
 * A table for people: columns as wide as they need to be. Where the terminal is narrower, the columns that may shrink do;
 * where that is not enough, each row becomes a paragraph. Programs are given JSON instead (`--json`).
 */
import { cut, printable, type Style, type Terminal, widthOf } from './terminal.ts';

export interface TableColumn {
  readonly title: string;
  readonly align?: 'right';
  /** Columns it may be cut down to. */
  readonly shrinksTo?: number;
}

export type Cell = string | { readonly text: string; readonly style: Style };

const GAP = '  ';

export function tableLines(terminal: Terminal, columns: readonly TableColumn[], rows: readonly (readonly Cell[])[]) {
  const texts = rows.map((row) => row.map((cell) => printable(typeof cell === 'string' ? cell : cell.text)));
  const wanted = columns.map(({ title }, index) =>
    Math.max(widthOf(title), ...texts.map((row) => widthOf(row[index] ?? ''))),
  );
  const widths = shrunk(columns, wanted, terminal.width);
  if (widths === null) return paragraphs(terminal, columns, rows, texts);
  const placed = (text: string, index: number, style?: Style): string => {
    const width = widths[index] ?? 0;
    const fitting = cut(text, width);
    const space = ' '.repeat(Math.max(0, width - widthOf(fitting)));
    const painted = style === undefined || fitting === '' ? fitting : terminal.paint(style, fitting);
    return columns[index]?.align === 'right' ? space + painted : painted + space;
  };
  return [
    columns.map(({ title }, index) => placed(title, index, 'dim')).join(GAP),
    ...rows.map((row, each) =>
      row
        .map((cell, index) =>
          placed(texts[each]?.[index] ?? '', index, typeof cell === 'string' ? undefined : cell.style),
        )
        .join(GAP),
    ),
  ].map((line) => line.trimEnd());
}

/** The widths that fit, the widest columns cut first; null when the columns cannot shrink so far. */
function shrunk(columns: readonly TableColumn[], wanted: readonly number[], width: number): readonly number[] | null {
  const widths = [...wanted];
  const slack = (index: number): boolean =>
    (widths[index] ?? 0) > (columns[index]?.shrinksTo ?? Number.POSITIVE_INFINITY);
  for (
    let over = wanted.reduce((sum, each) => sum + each, GAP.length * (columns.length - 1)) - width;
    over > 0;
    over -= 1
  ) {
    const able = [...widths.keys()].filter(slack);
    const [widest] = able.sort((a, b) => (widths[b] ?? 0) - (widths[a] ?? 0));
    if (widest === undefined) return null;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function paragraphs(
  terminal: Terminal,
  columns: readonly TableColumn[],
  rows: readonly (readonly Cell[])[],
  texts: readonly (readonly string[])[],
): string[] {
  const titles = Math.max(...columns.map(({ title }) => widthOf(title)));
  return rows.flatMap((row, each) => [
    ...(each > 0 ? [''] : []),
    ...columns.flatMap(({ title }, index) => {
      const text = texts[each]?.[index] ?? '';
      const cell = row[index];
      if (text === '' || cell === undefined) return [];
      const shown = typeof cell === 'string' ? text : terminal.paint(cell.style, text);
      return [`${terminal.paint('dim', title.padEnd(titles))}${GAP}${shown}`];
    }),
  ]);
}
