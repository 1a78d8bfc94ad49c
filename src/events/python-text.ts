/** Python's `str` and `repr` of a value, for programs that read events as Cinder writes them. */

/** A dictionary of texts, in the order of its keys. */
export function pythonDict(texts: Readonly<Record<string, string>>): string {
  return `{${Object.entries(texts)
    .map(([key, value]) => `${quoted(key)}: ${quoted(value)}`)
    .join(', ')}}`;
}

const SHORT: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** In single quotes, unless that saves a backslash. */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inside = Array.from(text, (letter) => (letter === quote ? `\\${quote}` : (SHORT[letter] ?? shown(letter))));
  return `${quote}${inside.join('')}${quote}`;
}

/** What cannot be printed stands as its number. */
function shown(letter: string): string {
  if (letter === ' ' || !/[\p{C}\p{Z}]/u.test(letter)) return letter;
  const code = letter.codePointAt(0) ?? 0;
  const hex = (digits: number): string => code.toString(16).padStart(digits, '0');
  if (code <= 0xff) return `\\x${hex(2)}`;
  return code <= 0xffff ? `\\u${hex(4)}` : `\\U${hex(8)}`;
}
