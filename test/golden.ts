/**
 * What people see is kept in `test/golden`, and compared. When it was changed on purpose, `UPDATE_GOLDEN=1 npm test` writes
 * it anew, and the diff is looked at.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export function assertGolden(name: string, text: string): void {
  const file = join(import.meta.dirname, 'golden', name);
  if (process.env.UPDATE_GOLDEN) writeFileSync(file, text);
  assert.equal(text, readFileSync(file, 'utf8'), `${name} is not what it was; UPDATE_GOLDEN=1 accepts the new text.`);
}
