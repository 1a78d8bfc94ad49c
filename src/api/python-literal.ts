/**
 * Reads values that clients write as Python does: `{'key': 'value'}` in the filters of a list. JSON is a special case of it.
 *
 * Only what filters need: dictionaries, lists, text, numbers, True, False, None.
 */
import { InvalidInput } from '../model/errors.ts';

export type Literal = string | number | boolean | null | readonly Literal[] | ReadonlyMap<string, Literal>;

const DEPTH = 8;
const WORDS: ReadonlyMap<string, Literal> = new Map<string, Literal>([
  ['True', true],
  ['true', true],
  ['False', false],
  ['false', false],
  ['None', null],
  ['null', null],
]);
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };

export function parseLiteral(text: string): Literal {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): Literal {
    if (depth > DEPTH) throw this.#wrong();
    this.#blanks();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#dictionary(depth);
      case '[':
        return this.#list(depth, ']');
      case '(':
        return this.#list(depth, ')');
      case "'":
      case '"':
        return this.#quoted();
      default:
        return this.#word();
    }
  }

  end(): void {
    this.#blanks();
    if (this.#at < this.#text.length) throw this.#wrong();
  }

  #dictionary(depth: number): ReadonlyMap<string, Literal> {
    const entries = new Map<string, Literal>();
    this.#at += 1;
    while (!this.#takes('}')) {
      const key = this.value(depth + 1);
      if (typeof key === 'object' || !this.#takes(':')) throw this.#wrong();
      entries.set(String(key), this.value(depth + 1));
      if (!this.#takes(',') && !this.#sees('}')) throw this.#wrong();
    }
    return entries;
  }

  #list(depth: number, close: string): readonly Literal[] {
    const items: Literal[] = [];
    this.#at += 1;
    while (!this.#takes(close)) {
      items.push(this.value(depth + 1));
      if (!this.#takes(',') && !this.#sees(close)) throw this.#wrong();
    }
    return items;
  }

  #quoted(): string {
    const quote = this.#text[this.#at];
    let value = '';
    for (this.#at += 1; this.#at < this.#text.length; this.#at += 1) {
      const character = this.#text[this.#at] as string;
      if (character === quote) {
        this.#at += 1;
        return value;
      }
      value += character === '\\' ? this.#escaped() : character;
    }
    throw this.#wrong();
  }

  /** What stands for the characters after a backslash; stops at the last of them. */
  #escaped(): string {
    this.#at += 1;
    const kind = this.#text[this.#at] ?? '';
    const digits = kind === 'x' ? 2 : kind === 'u' ? 4 : 0;
    if (digits === 0) return ESCAPES[kind] ?? kind;
    const code = this.#text.slice(this.#at + 1, this.#at + 1 + digits);
    if (!/^[0-9a-fA-F]+$/.test(code) || code.length < digits) throw this.#wrong();
    this.#at += digits;
    return String.fromCharCode(Number.parseInt(code, 16));
  }

  #word(): Literal {
    const [word = ''] = /^[A-Za-z0-9_.+-]*/.exec(this.#text.slice(this.#at)) ?? [];
    this.#at += word.length;
    // Text of Python 2 is marked: u'key'.
    if ((word === 'u' || word === 'b') && (this.#sees("'") || this.#sees('"'))) return this.#quoted();
    const known = WORDS.get(word);
    if (known !== undefined) return known;
    if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(word)) throw this.#wrong();
    return Number(word);
  }

  #takes(character: string): boolean {
    this.#blanks();
    if (!this.#sees(character)) return false;
    this.#at += 1;
    return true;
  }

  #sees(character: string): boolean {
    return this.#text[this.#at] === character;
  }

  #blanks(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at += 1;
  }

  #wrong(): InvalidInput {
    return new InvalidInput(`A filter's value cannot be read at character ${this.#at + 1}.`);
  }
}
