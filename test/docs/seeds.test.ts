import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { hasTest, readPage, testsIn } from './cited-tests.ts';

const ROWS = 93;
const root = new URL('../../', import.meta.url);
const rows = readPage('docs/seeds.md')
  .split('\n')
  .filter((line) => /^\| S\d/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()));

/** What stands in backticks and looks like a file. */
const filesIn = (text: string): string[] =>
  [...text.matchAll(/`((?:src|test|docs)\/[^`]+)`/g)].map(([, path = '']) => path);

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
      for (const { path, name } of testsIn(shown)) assert.ok(hasTest(readPage(path), name), `${path} has "${name}"`);
    });
  }
});
