/**
 * Request bodies: read as JSON, checked against a schema of the request's microversion.
 *
 * `null` and absence are the same to Cinder wherever a value is optional, and so here: a schema says `Nullable`, a handler
 * says `?? null`. Values that a schema cannot describe (a boolean in words, a size as text) are read by `readBoolean`,
 * `readSize` and `readWord`.
 */
import type { Ajv, ErrorObject } from 'ajv';
import { type TSchema, Type } from '../lib/schema.ts';
import { InvalidInput } from '../model/errors.ts';
import { isLongText, LONG_TEXT } from './long-text.ts';
import { type Microversion, OLDEST, STRICT_BODIES } from './microversion.ts';

/** One schema for all versions, or schemas with the version each begins with, oldest first. */
export type Bodies<S extends TSchema = TSchema> = S | readonly (readonly [since: Microversion, schema: S])[];

/** Rejects with `InvalidInput`. */
export type BodyCheck = (body: unknown, version: Microversion) => Promise<void>;

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

let compiler: Promise<Ajv> | undefined;

/** Loaded with the first body: a server that has only been started, or only read from, does without. */
function loadCompiler(): Promise<Ajv> {
  compiler ??= import('ajv').then(
    ({ default: { Ajv } }) =>
      new Ajv({ allErrors: true, allowMatchingProperties: true, formats: { uuid: UUID, [LONG_TEXT]: isLongText } }),
  );
  return compiler;
}

export function bodiesByVersion(bodies: Bodies): readonly (readonly [since: Microversion, schema: TSchema])[] {
  return isList(bodies) ? bodies : [[OLDEST, bodies]];
}

/** Each schema is compiled when the first body of its version comes. */
export function bodyCheck(bodies: Bodies): BodyCheck {
  const newestFirst = bodiesByVersion(bodies).toReversed();
  return async (body, version) => {
    const schema = newestFirst.find(([since]) => since <= version)?.[1];
    if (schema === undefined) return;
    const ajv = await loadCompiler();
    const check = ajv.compile(schema);
    if (!check(body)) throw new InvalidInput(`Invalid request body: ${described(check.errors ?? [])}`);
  };
}

/** The flaws that a client can mend; those of a union's other branches and of the unions themselves say nothing more. */
function described(flaws: readonly ErrorObject[]): string {
  const telling = flaws.filter(({ keyword }) => keyword !== 'anyOf' && keyword !== 'false schema');
  const shown = telling.length > 0 ? telling : flaws;
  const texts = shown.slice(0, 5).map(({ instancePath, message }) => `${instancePath || 'body'} ${message}`);
  return `${texts.join('; ')}.`;
}

const isList = (bodies: Bodies): bodies is readonly (readonly [Microversion, TSchema])[] => Array.isArray(bodies);

/** A body that below 3.53 may hold anything beside what is known, and from then on may not. */
export function strictSince353<S extends TSchema>(
  schemaOf: (rest: { readonly additionalProperties: boolean }) => S,
): readonly (readonly [Microversion, S])[] {
  return [
    [OLDEST, schemaOf({ additionalProperties: true })],
    [STRICT_BODIES, schemaOf({ additionalProperties: false })],
  ];
}

export const CLOSED = { additionalProperties: false } as const;

export const Nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
export const Maybe = <S extends TSchema>(schema: S) => Type.Optional(Nullable(schema));

export const Text255 = Type.String({ maxLength: 255 });
/** Not empty, and more than blanks. */
export const NotBlank255 = Type.String({ maxLength: 255, pattern: '\\S' });
export const Uuid = Type.String({ format: 'uuid' });

const BOOLEAN_TEXT =
  '^\\s*(1|0|[tT]|[fF]|[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|[oO][nN]|[oO][fF][fF]|[yY]|[nN]|[yY][eE][sS]|[nN][oO])\\s*$';
/** A boolean in any of the ways a client may write it; `readBoolean` (`query.ts`) reads it. */
export const LooseBoolean = Type.Union([Type.Boolean(), Type.String({ pattern: BOOLEAN_TEXT })]);

const MOST_GIB = 2_147_483_647;
/** One of these words, in upper or lower case; `readWord` reads it. */
export const Word = (words: readonly string[]) =>
  Type.String({ maxLength: 255, description: `In upper or lower case: ${words.join(', ')}.` });

/** Undefined when it is empty. */
export function readWord<const Known extends string>(
  value: string | null | undefined,
  name: string,
  words: readonly Known[],
): Known | undefined {
  if (value == null || value === '') return undefined;
  const word = words.find((each) => each === value.toLowerCase());
  if (word === undefined) throw new InvalidInput(`Invalid ${name}: it must be one of ${words.join(', ')}.`);
  return word;
}

/** GiB as a number or as text; `readSize` reads it. */
export const LooseSize = Type.Union([
  Type.Integer({ minimum: 1, maximum: MOST_GIB }),
  Type.String({ pattern: '^\\s*[0-9]{1,20}\\s*$' }),
]);

export function readSize(value: number | string, name: string): number {
  const size = Number(value);
  if (size < 1 || size > MOST_GIB) throw new InvalidInput(`${name} must be between 1 and ${MOST_GIB}.`);
  return size;
}

/** A name or description as a new API or as an old one calls it; absent when the body has neither. */
export function named(
  body: { readonly [name: string]: unknown },
  name: 'name' | 'description',
): string | null | undefined {
  const text = body[name] !== undefined ? body[name] : body[`display_${name}`];
  return text === undefined ? undefined : trimmed(text as string | null);
}

/** `name` and `description`, under both their names. */
export const NAMED = {
  name: Maybe(Text255),
  description: Maybe(Text255),
  display_name: Maybe(Text255),
  display_description: Maybe(Text255),
} as const;

/** Text without the blanks at its ends; null stays null. */
export function trimmed(text: string | null | undefined): string | null {
  return text === undefined || text === null ? null : text.trim();
}

/** The JSON object in the text of a body; undefined when there is none. */
export function parseBody(text: string): object | undefined {
  if (text === '') return undefined;
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new InvalidInput('The request body is not valid JSON.');
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new InvalidInput('The request body must be a JSON object.');
  }
  checkText(body, 0);
  return body;
}

/** Deeper than any body a client sends for a reason; what walks a body later may then recurse. */
const DEPTH = 32;

function checkText(value: unknown, depth: number): void {
  if (typeof value === 'string') {
    // No database keeps the one as text, nor PostgreSQL the other as JSON.
    if (value.includes('\0') || !value.isWellFormed()) {
      throw new InvalidInput('The request body may contain neither the NUL character nor half a surrogate pair.');
    }
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  if (depth >= DEPTH) throw new InvalidInput('The request body is nested too deeply.');
  for (const [key, item] of Object.entries(value)) {
    checkText(key, depth);
    checkText(item, depth + 1);
  }
}
