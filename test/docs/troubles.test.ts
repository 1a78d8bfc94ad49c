/** The table of what is seen when something is in the way (`docs/flows.md`): each operation has all its cells, and tests that are there. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hasTest, readPage, testsIn } from './cited-tests.ts';

const [, section = ''] = /## When something is in the way\n(.*?)\n## /s.exec(readPage('docs/flows.md')) ?? [];
const lines = section.split('\n');
const [head = [], , ...rows] = lines.filter((line) => line.startsWith('| ') || line.startsWith('|-')).map(cellsOf);
const shown = lines.filter((line) => line.startsWith('- '));

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

describe('what is seen when something is in the way', () => {
  test('stands there for each operation, and what shows it', () => {
    assert.ok(rows.length >= 10);
    assert.equal(shown.length, rows.length);
  });

  for (const [operation = '', ...cells] of rows)
    test(`of ${operation} has a cell for each trouble, and tests that are there`, () => {
      assert.equal(cells.length, head.length - 1);
      assert.ok(!cells.includes(''), 'no cell is empty');
      const cited = shown.filter((line) => line.startsWith(`- ${operation}: \``)).flatMap(testsIn);
      assert.ok(cited.length > 1);
      for (const { path, name } of cited) assert.ok(hasTest(readPage(path), name), `${path} has "${name}"`);
    });
});
