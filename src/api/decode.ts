/**
 * Bytes from outside as text: UTF-8, or the request is wrong. Bytes that cannot be decoded are never replaced (`caf\ufffd` would be
 * stored, and found by nobody) and never passed over. Cinder bugs 1746202 (bodies) and 1766965 (names in a query). Raw bytes beyond
 * ASCII in a URL are refused by Node's parser, and escapes in a path by the router.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { InvalidInput } from '../model/errors.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Rejects with `InvalidInput`. */
export function bodyText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new InvalidInput('The request body is not UTF-8.');
  }
}

/** The names and values of a query; the last of a name counts. Throws `InvalidInput`. */
export function queryEntries(text: string): Map<string, string> {
  if (text.includes('%')) checkEscapes(text);
  const entries = new Map(new URLSearchParams(text));
  for (const [name, value] of entries) {
    if (BEYOND_ASCII.test(name))
      throw new InvalidInput('Names in a query, such as filter keys, can only contain ASCII characters.');
    // No database keeps one, and PostgreSQL refuses to compare with one.
    if (name.includes('\0') || value.includes('\0'))
      throw new InvalidInput('A query may not contain the NUL character.');
  }
  return entries;
}

const BEYOND_ASCII = /[^\0-\x7f]/;

/** `URLSearchParams` leaves an escape that is none as it is, and puts U+FFFD for bytes that are no UTF-8. */
function checkEscapes(text: string): void {
  try {
    decodeURIComponent(text);
  } catch {
    throw new InvalidInput(
      'A query has an escape that cannot be decoded: after % stand two digits, and bytes are UTF-8.',
    );
  }
}

/** What a header names that may be kept; undefined when it is not there or is empty. Throws `InvalidInput`. */
export function headerText(headers: IncomingHttpHeaders, name: string): string | undefined {
  const text = headers[name];
  if (typeof text !== 'string' || text === '') return undefined;
  // Nobody says in what character set a header is.
  if (BEYOND_ASCII.test(text)) throw new InvalidInput(`The header ${name} can only contain ASCII characters.`);
  return text;
}
