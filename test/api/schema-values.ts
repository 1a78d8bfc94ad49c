/**
 * Values for a JSON schema, as fast-check makes them: those that fit it, and those that do not (wrong types, too much of
 * everything, strange letters, keys that are missing, unknown or dangerous).
 */
import fc from 'fast-check';
import { LONG_TEXT } from '../../src/api/long-text.ts';
import type { TSchema } from '../../src/lib/schema.ts';

/** The keywords that our schemas use. One that is not here makes `fitting` fail, so that it is added. */
interface Keywords {
  readonly type?: string;
  readonly anyOf?: readonly Keywords[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Keywords>>;
  readonly required?: readonly string[];
  readonly patternProperties?: Readonly<Record<string, Keywords>>;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly items?: Keywords;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
}

const KNOWN: ReadonlySet<string> = new Set<keyof Keywords | 'additionalProperties' | 'uniqueItems' | 'description'>([
  'type',
  'anyOf',
  'enum',
  'const',
  'properties',
  'required',
  'patternProperties',
  'minProperties',
  'maxProperties',
  'items',
  'minItems',
  'maxItems',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'pattern',
  'format',
  'additionalProperties',
  'uniqueItems',
  'description',
]);

/** What a field of this name may well hold: ids that exist, for example. */
export type Hints = Readonly<Record<string, readonly unknown[]>>;

export function fitting(schema: TSchema | Keywords, hints: Hints = {}, name = ''): fc.Arbitrary<unknown> {
  const made = plainFitting(schema as Keywords, hints);
  const hinted = hints[name];
  return hinted === undefined
    ? made
    : fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...hinted) }, { weight: 1, arbitrary: made });
}

function plainFitting(schema: Keywords, hints: Hints): fc.Arbitrary<unknown> {
  for (const keyword of Object.keys(schema)) {
    if (!KNOWN.has(keyword) && !keyword.startsWith('~'))
      throw new Error(`No values are made for the keyword ${keyword}.`);
  }
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map((each) => plainFitting(each, hints)));
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.const !== undefined) return fc.constant(schema.const);
  switch (schema.type) {
    case 'object':
      return fittingObject(schema, hints);
    case 'array':
      return fc.array(plainFitting(schema.items ?? {}, hints), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 4, 4),
      });
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -1000, max: schema.maximum ?? 1000 });
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'string':
      return fittingText(schema);
    case undefined:
      return fc.jsonValue();
    default:
      throw new Error(`No values are made for the type ${schema.type}.`);
  }
}

function fittingText({ format, pattern, minLength, maxLength }: Keywords): fc.Arbitrary<string> {
  if (format === 'uuid') return fc.uuid();
  if (format === LONG_TEXT) return fc.string({ maxLength: 300, unit: 'grapheme' });
  if (format !== undefined) throw new Error(`No values are made for the format ${format}.`);
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
  return fc.string({ minLength: minLength ?? 0, maxLength: Math.min(maxLength ?? 20, 300), unit: 'grapheme' });
}

function fittingObject(schema: Keywords, hints: Hints): fc.Arbitrary<unknown> {
  const { properties = {}, required = [], patternProperties = {}, minProperties = 0 } = schema;
  const named = Object.fromEntries(
    Object.entries(properties).map(([name, each]) => [name, fitting(each, hints, name)]),
  );
  const fixed = fc.record(named, { requiredKeys: [...required] });
  const rest = Object.entries(patternProperties).map(([pattern, each]) =>
    fc.dictionary(fc.stringMatching(new RegExp(pattern)), plainFitting(each, hints), {
      minKeys: minProperties,
      maxKeys: schema.maxProperties ?? 3,
    }),
  );
  return fc.tuple(fixed, ...rest).map((parts) => Object.assign({}, ...parts));
}

/** Fits, or fits in part, or not at all. */
export function wild(schema: TSchema | Keywords, hints: Hints = {}, name = ''): fc.Arbitrary<unknown> {
  const { properties } = schema as Keywords;
  const choices = [
    { weight: 4, arbitrary: fitting(schema, hints, name) },
    { weight: 1, arbitrary: junk },
  ];
  if (properties !== undefined) {
    const parts = Object.fromEntries(Object.entries(properties).map(([key, each]) => [key, wild(each, hints, key)]));
    choices.push({ weight: 4, arbitrary: fc.record(parts, { requiredKeys: [] }) });
    choices.push({
      weight: 1,
      arbitrary: fc
        .tuple(fitting(schema, hints, name), dangerousKeys)
        .map(([fits, more]) => ({ ...(fits as object), ...more })),
    });
  }
  return fc.oneof(...choices);
}

const strangeText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom(
    '',
    ' ',
    '\0',
    'a'.repeat(256),
    'é'.repeat(300),
    '\u202e',
    '\ud800',
    '%00',
    "'; DROP TABLE volume; --",
    '-1',
    '1e9',
  ),
);

const dangerousKeys = fc.dictionary(
  fc.oneof(fc.constantFrom('__proto__', 'constructor', 'toString', 'id', 'status', 'project_id'), strangeText),
  strangeText,
  { minKeys: 1, maxKeys: 3 },
);

export const junk: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, false, 0, -1, 1.5, 1e300, Number.MAX_SAFE_INTEGER, [], {}, [null]),
  strangeText,
  fc.array(strangeText, { maxLength: 3 }),
  dangerousKeys,
  fc.constant(Array.from({ length: 60 }).reduce((inner) => [inner], null as unknown)),
);
