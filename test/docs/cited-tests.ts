/** Tests as pages cite them: `path` · "name". */
import { readFileSync } from 'node:fs';

const root = new URL('../../', import.meta.url);

export const readPage = (path: string): string => readFileSync(new URL(path, root), 'utf8');

export const testsIn = (text: string): { readonly path: string; readonly name: string }[] =>
  [...text.matchAll(/`(test\/[^`]+)` · "([^"]+)"/g)].map(([, path = '', name = '']) => ({ path, name }));

/** Whether the file has a test, a suite or a case of that name; of a proof of types it is what must not compile. */
export function hasTest(source: string, name: string): boolean {
  const literal = name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const made = `(?:\\b(?:test|it|describe|promise|prove\\w+)\\(|\\bsentence:)\\s*(['"\`])${literal}\\1`;
  return new RegExp(`${made}|// @ts-expect.error ${literal}$`, 'm').test(source);
}
