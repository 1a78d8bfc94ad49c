/** Holds answers of our own API against what its description says of them: all that is told there, and nothing else. */
import assert from 'node:assert/strict';
import { Ajv, type ValidateFunction } from 'ajv';
import { everyOwnRoute } from './every-route.ts';

const ROOT = '/pumice/v1';
const ajv = new Ajv({ strict: false });

const checks = everyOwnRoute.map(({ method, path, action, answer }) => ({
  method,
  action,
  pattern: new RegExp(`^${ROOT}${path.replaceAll(/:\w+/g, '[^/]+')}$`),
  check: answer && ajv.compile(closed(answer) as object),
}));

/** `url` from the root. Nothing is said of answers of other APIs. */
export function fitsDescription(method: string, url: string, asked: unknown, answered: unknown): void {
  const [path = ''] = url.split('?', 1);
  if (!path.startsWith(ROOT)) return;
  const [action] = Object.keys((asked ?? {}) as object);
  const found = checks.find(
    (each) =>
      each.method === method && each.pattern.test(path) && (each.action === undefined || each.action === action),
  );
  const check: ValidateFunction | undefined = found?.check;
  if (check === undefined) return;
  assert.ok(check(answered), `${method} ${path}: ${ajv.errorsText(check.errors)}: ${JSON.stringify(answered)}`);
}

/** A field that is not told of is a flaw here, though not to clients. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)]));
  return inner.type === 'object' && 'properties' in inner ? { ...inner, additionalProperties: false } : inner;
}
