/**
 * The matcher of extra specs: whether a backend's capabilities meet the specs of a volume type.
 *
 * A key without a scope, or in the scope `capabilities:`, names a capability, further levels divided by `:`. Any other
 * scope speaks to somebody else and is not looked at. A key that is not reported fails.
 *
 *     = n   == n   != n   >= n   <= n            numbers (`=` means at least)
 *     s== t   s!= t   s< t   s<= t   s> t   s>= t   text, in code unit order
 *     <in> t                                      t is part of the text
 *     <is> b                                      the same truth: 1, t, true, on, y, yes are true, all else is not
 *     <or> a <or> b                               one of these
 *     anything else                               exactly this text, case and all
 *     null                                        null, and nothing else
 *
 * A list that is reported satisfies what any of its items does, except that a negation must hold for all of them.
 * Nothing here throws: a spec is text somebody typed once, and a bad one must refuse a backend, not stop a flow.
 */

import type { Specs } from '../model/specs.ts';

type Operator = (value: unknown, operand: string) => boolean;

const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ['=', numbers((value, operand) => value >= operand)],
  ['==', numbers((value, operand) => value === operand)],
  ['!=', numbers((value, operand) => value !== operand)],
  ['>=', numbers((value, operand) => value >= operand)],
  ['<=', numbers((value, operand) => value <= operand)],
  ['s==', texts((value, operand) => value === operand)],
  ['s!=', texts((value, operand) => value !== operand)],
  ['s<', texts((value, operand) => value < operand)],
  ['s<=', texts((value, operand) => value <= operand)],
  ['s>', texts((value, operand) => value > operand)],
  ['s>=', texts((value, operand) => value >= operand)],
  ['<in>', texts((value, operand) => value.includes(operand))],
  ['<is>', texts((value, operand) => isTrue(value) === isTrue(operand))],
  ['<or>', (value, operand) => operand.split('<or>').some((word) => word.trim() !== '' && equals(value, word.trim()))],
]);

const NEGATIONS: ReadonlySet<string> = new Set(['!=', 's!=']);

/** Names drivers give to one and the same protocol. */
const PROTOCOLS: readonly (readonly string[])[] = [
  ['iSCSI', 'iscsi'],
  ['FC', 'fibre_channel', 'fc'],
  ['NFS', 'nfs'],
  ['NVMe-oF', 'NVMeOF', 'nvmeof'],
];

/** The first extra spec that the capabilities do not meet, in words; undefined when they meet all. */
export function unmetSpec(extraSpecs: Specs, capabilities: Readonly<Record<string, unknown>>): string | undefined {
  for (const [key, wanted] of Object.entries(extraSpecs)) {
    const path = capabilityPath(key);
    if (path === undefined) continue;
    const reported = lookUp(capabilities, path);
    if (reported === undefined) return `${path.join(':')} is not reported`;
    const values = path.join(':') === 'storage_protocol' ? withSynonyms(reported) : reported;
    if (!satisfies(values, wanted)) return `${path.join(':')} does not satisfy "${wanted}"`;
  }
  return undefined;
}

/** Whether one reported value, or list of values, satisfies the text of an extra spec. */
export function satisfies(reported: unknown, wanted: string | null): boolean {
  if (wanted === null) return reported === null || (Array.isArray(reported) && reported.includes(null));
  const [word, operand] = firstWord(wanted);
  const operator = OPERATORS.get(word);
  const values: readonly unknown[] = Array.isArray(reported) ? reported : [reported];
  if (operator === undefined) return values.some((value) => equals(value, wanted));
  if (operand === '' || values.length === 0) return false;
  const holds = (value: unknown): boolean => operator(value, operand);
  return NEGATIONS.has(word) ? values.every(holds) : values.some(holds);
}

/** Where a key points in the capabilities; undefined when it speaks to somebody else. */
function capabilityPath(key: string): readonly string[] | undefined {
  const path = key.split(':');
  if (path.length === 1) return path;
  return path[0] === 'capabilities' ? path.slice(1) : undefined;
}

function lookUp(capabilities: Readonly<Record<string, unknown>>, path: readonly string[]): unknown {
  let found: unknown = capabilities;
  for (const key of path) {
    // `constructor` is a property of every object and a capability of none.
    if (typeof found !== 'object' || found === null || Array.isArray(found) || !Object.hasOwn(found, key)) {
      return undefined;
    }
    found = (found as Readonly<Record<string, unknown>>)[key];
  }
  return found;
}

function withSynonyms(reported: unknown): readonly unknown[] {
  const values: readonly unknown[] = Array.isArray(reported) ? reported : [reported];
  return values.flatMap(
    (value): readonly unknown[] => PROTOCOLS.find((names) => names.some((name) => name === value)) ?? [value],
  );
}

function firstWord(text: string): readonly [word: string, rest: string] {
  const trimmed = text.trim();
  const gap = trimmed.search(/\s/);
  return gap < 0 ? [trimmed, ''] : [trimmed.slice(0, gap), trimmed.slice(gap).trim()];
}

function equals(value: unknown, wanted: string): boolean {
  switch (typeof value) {
    case 'string':
      return value === wanted;
    case 'boolean':
      return value ? isTrue(wanted) : isFalse(wanted);
    case 'number':
      return value === toNumber(wanted);
    default:
      return false;
  }
}

function numbers(compare: (value: number, operand: number) => boolean): Operator {
  return (value, operand) => {
    const left = toNumber(value);
    const right = toNumber(operand);
    return left !== undefined && right !== undefined && compare(left, right);
  };
}

function texts(compare: (value: string, operand: string) => boolean): Operator {
  return (value, operand) => {
    const text = toText(value);
    return text !== undefined && compare(text, operand);
  };
}

function toText(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
      return String(value);
    case 'boolean':
      // As operators write it in a type, after clients written in Python.
      return value ? 'True' : 'False';
    default:
      return undefined;
  }
}

function toNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  // Number() would take '' for 0 and '0x10' for 16.
  if (typeof value !== 'string' || !/^\s*[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?\s*$/i.test(value)) return undefined;
  return Number(value);
}

function isTrue(word: string): boolean {
  return ['1', 't', 'true', 'on', 'y', 'yes'].includes(word.trim().toLowerCase());
}

function isFalse(word: string): boolean {
  return ['0', 'f', 'false', 'off', 'n', 'no'].includes(word.trim().toLowerCase());
}
