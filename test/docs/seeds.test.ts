import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

const ROWS = 93;
const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const rows = read('docs/seeds.md')
  .split('\n')
  .filter((line) => /^\| S\d/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()));

/** What stands in backticks and looks like a file. */
const filesIn = (text: string): string[] =>
  [...text.matchAll(/`((?:src|test|docs)\/[^`]+)`/g)].map(([, path = '']) => path);

/** Tests as they are cited: `path` · "name". */
const testsIn = (text: string): { readonly path: string; readonly name: string }[] =>
  [...text.matchAll(/`(test\/[^`]+)` · "([^"]+)"/g)].map(([, path = '', name = '']) => ({ path, name }));

/** Whether the file has a test, a suite or a case of that name; of a proof of types it is what must not compile. */
function hasTest(source: string, name: string): boolean {
  const literal = name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const made = `(?:\\b(?:test|it|describe|promise|prove\\w+)\\(|\\bsentence:)\\s*(['"\`])${literal}\\1`;
  return new RegExp(`${made}|// @ts-expect.error ${literal}$`, 'm').test(source);
}

describe('the page of the seeds', () => {
  test('has a row for each requirement, once and in order', () => {
    assert.deepEqual(
      rows.map(([, id]) => id),
      Array.from({ length: ROWS }, (_, index) => `S${index + 1}`),
    );
  });

  for (const [, id, requirement = '', where = '', shown = '', ...rest] of rows) {
    test(`says of ${id} what it is, where it is done, and what shows it`, () => {
      assert.deepEqual(rest, [''], 'four cells');
      assert.notEqual(requirement, '');
      assert.ok(filesIn(where).length > 0, 'a file');
      for (const path of filesIn(where)) assert.ok(existsSync(new URL(path, root)), `${path} exists`);
      assert.ok(testsIn(shown).length > 0, 'a test');
      assert.equal(testsIn(shown).length, filesIn(shown).length, 'each file of a test is cited with a name');
      for (const { path, name } of testsIn(shown)) assert.ok(hasTest(read(path), name), `${path} has "${name}"`);
    });
  }
});
