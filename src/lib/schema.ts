/**
 * Builders of JSON Schemas, with the TypeScript types of the values they describe.
 *
 * The builders' names and the types are TypeBox's; a schema made here is a plain object. TypeBox itself is 680 modules at
 * run time, which a server would load at every start only to write down the form of its requests.
 */
import type { Type as TypeBox } from 'typebox';

type Options = Readonly<Record<string, unknown>>;
type Schema = Options;

const OPTIONAL = Symbol('optional');

function objectOf(properties: Readonly<Record<string, Schema>>, options: Options = {}): Schema {
  const required = Object.keys(properties).filter((name) => !(OPTIONAL in (properties[name] as Schema)));
  return { type: 'object', ...(required.length > 0 ? { required } : {}), properties, ...options };
}

function recordOf(key: Schema, value: Schema, options: Options = {}): Schema {
  return { type: 'object', patternProperties: { [String(key.pattern ?? '^.*$')]: value }, ...options };
}

const typed =
  (type: string) =>
  (options: Options = {}): Schema => ({ type, ...options });

const words = {
  Array: (items: Schema, options: Options = {}): Schema => ({ type: 'array', items, ...options }),
  Boolean: typed('boolean'),
  Enum: (values: readonly unknown[], options: Options = {}): Schema => ({ enum: values, ...options }),
  Integer: typed('integer'),
  Literal: (value: unknown, options: Options = {}): Schema => ({ type: typeof value, const: value, ...options }),
  Null: typed('null'),
  Number: typed('number'),
  Object: objectOf,
  Optional: (schema: Schema): Schema => ({ ...schema, [OPTIONAL]: true }),
  Record: recordOf,
  String: typed('string'),
  Union: (anyOf: readonly Schema[], options: Options = {}): Schema => ({ anyOf, ...options }),
  Unknown: (options: Options = {}): Schema => ({ ...options }),
};

export const Type = words as unknown as Pick<typeof TypeBox, keyof typeof words>;
export type { Static, TSchema } from 'typebox';
