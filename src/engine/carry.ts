/**
 * Deep copies of inputs and results, frozen, as JSON gives them back: a task sees the same before a crash and after it, and no
 * task changes what another one sees.
 */
import type { Json } from '../lib/json.ts';
import { NotJson, ResultTooLarge } from './failure.ts';

/** Bytes of JSON that an input or the result of one task may have. */
const LIMIT = 64 * 1024;
/** The most bytes of JSON that one character becomes: `\u0000`. */
const WIDEST = 6;

/** `what` names the value in errors: the path of its task. */
export function carry<T>(value: T, what: string): T {
  const weight = { characters: 0 };
  const copy = copied(value ?? null, what, '', weight);
  if (weight.characters * WIDEST > LIMIT) {
    const bytes = Buffer.byteLength(JSON.stringify(copy));
    if (bytes > LIMIT)
      throw new ResultTooLarge(`${what} gave ${bytes} bytes; a result is a reference, at most ${LIMIT} bytes.`);
  }
  return copy as T;
}

function copied(value: unknown, what: string, place: string, weight: { characters: number }): Json {
  weight.characters += 8;
  if (typeof value === 'string') {
    weight.characters += value.length;
    return value;
  }
  if (value === null || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value)))
    return value;
  if (Array.isArray(value)) {
    return Object.freeze(value.map((each, index) => copied(each, what, `${place}[${index}]`, weight)));
  }
  if (!isPlain(value)) throw new NotJson(`${what} gave something JSON does not carry${place && ` in ${place}`}.`);
  const copy: Record<string, Json> = {};
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    weight.characters += key.length;
    copy[key] = copied(member, what, place === '' ? key : `${place}.${key}`, weight);
  }
  return Object.freeze(copy);
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
