/**
 * Where the command line writes: a terminal, a file or a pipe.
 *
 * Colours are used where the stream takes them (`NO_COLOR` and `FORCE_COLOR` are heeded), and a line is only ever rewritten
 * on a terminal. Text of users (names, reasons) may hold anything, control sequences too: it goes through
 * `printable` before it is shown.
 */
import { stripVTControlCharacters, styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

/** As much of a stream as is needed. */
export interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** Lines are not made longer than this even where they could be. */
const WIDEST = 140;
const NARROWEST = 40;
const LOWEST = 4;
/** A line that is too long is cut and not wrapped, so that as many lines are replaced as were written. */
const [CUTS, WRAPS] = ['\u001B[?7l', '\u001B[?7h'];

export class Terminal {
  readonly #stream: Stream;
  /** Something stands in the last line that the next `live` or `line` replaces. */
  #live = '';
  /** So many lines above the cursor are replaced by the next `picture` or `line`. */
  #pictured = 0;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  /** Lines may be rewritten. */
  get isLive(): boolean {
    return this.#stream.isTTY === true;
  }

  /** Columns to fill; unlimited where lines are read by programs. */
  get width(): number {
    if (!this.isLive) return Number.POSITIVE_INFINITY;
    return Math.max(NARROWEST, Math.min(WIDEST, this.#stream.columns ?? 80));
  }

  /** Lines of a picture, at most: one that is higher could not be replaced. */
  get height(): number {
    return this.isLive ? Math.max(LOWEST, (this.#stream.rows ?? 24) - 1) : Number.POSITIVE_INFINITY;
  }

  paint(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#stream as NodeJS.WriteStream });
  }

  /** As it is; whoever draws on a screen of its own. */
  raw(text: string): void {
    this.#stream.write(text);
  }

  line(text = ''): void {
    this.#clear();
    this.#stream.write(`${text}\n`);
  }

  lines(all: readonly string[]): void {
    for (const each of all) this.line(each);
  }

  /** A line that the next one replaces; nothing where that cannot be. */
  live(text: string): void {
    if (!this.isLive) return;
    const fitting = widthOf(text) < this.width ? text : stripVTControlCharacters(text).slice(0, this.width - 1);
    if (fitting === this.#live) return;
    this.#stream.write(`\r${fitting}\u001B[K`);
    this.#live = fitting;
  }

  /** Lines that the next picture replaces; nothing where that cannot be. */
  picture(lines: readonly string[]): void {
    if (!this.isLive) return;
    const fitting = lines.slice(0, this.height);
    this.#clear();
    this.#stream.write(`${CUTS}${fitting.map((each) => `${each}\n`).join('')}${WRAPS}`);
    this.#pictured = fitting.length;
  }

  /** The picture stays as it is. */
  keepPicture(): void {
    this.#pictured = 0;
  }

  /** Takes away what is to be replaced. */
  #clear(): void {
    if (this.#live !== '') this.#stream.write('\r\u001B[K');
    if (this.#pictured > 0) this.#stream.write(`\u001B[${this.#pictured}A\r\u001B[J`);
    this.#live = '';
    this.#pictured = 0;
  }
}

export const widthOf = (text: string): number => [...stripVTControlCharacters(text)].length;

/** Text of users without what a terminal would obey. */
export const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\u{FFFD}');

/** At most so many columns. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  return `${[...stripVTControlCharacters(text)].slice(0, Math.max(0, width - 1)).join('')}…`;
}

/** Words in lines of at most so many columns. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
