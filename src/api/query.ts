/** The part of a URL after the question mark, read as Cinder reads it: everything is text, the last of a name counts. */
import { InvalidInput } from '../model/errors.ts';
import { queryEntries } from './decode.ts';

export type Query = ReadonlyMap<string, string>;

const EMPTY: Query = new Map();

/** Throws `InvalidInput` for what cannot be decoded. */
export const parseQuery = (text: string): Query => (text === '' ? EMPTY : queryEntries(text));

const TRUE: ReadonlySet<string> = new Set(['1', 't', 'true', 'on', 'y', 'yes']);
const FALSE: ReadonlySet<string> = new Set(['0', 'f', 'false', 'off', 'n', 'no']);

/** A boolean in any of the ways a client may write it. */
export function readBoolean(value: boolean | string, name: string): boolean {
  if (typeof value === 'boolean') return value;
  const text = value.trim().toLowerCase();
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw new InvalidInput(`Invalid value for ${name}: a boolean is expected.`);
}

export function queryBoolean(query: Query, name: string, absent = false): boolean {
  const text = query.get(name);
  return text === undefined ? absent : readBoolean(text, name);
}

const MOST = 2_147_483_647;

/** An integer of at least 0. */
export function queryInteger(query: Query, name: string): number | undefined {
  const text = query.get(name);
  if (text === undefined) return undefined;
  if (!/^\s*\d+\s*$/.test(text)) throw new InvalidInput(`${name} must be an integer of at least 0.`);
  const value = Number(text);
  if (name !== 'limit' && value > MOST) throw new InvalidInput(`${name} must be at most ${MOST}.`);
  return value;
}
