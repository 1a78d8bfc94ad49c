import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import pg from 'pg';
import { freshPostgresql } from './databases.ts';

/** Resolves with its name, or with the reason why there is none, when a test has done so much in it. */
async function used(statement: string): Promise<string | { readonly missing: string }> {
  const fresh = await freshPostgresql();
  if ('missing' in fresh) return fresh;
  const client = new pg.Client({ connectionString: fresh.url });
  await client.connect();
  await client.query(statement).finally(() => client.end());
  await fresh.remove();
  return new URL(fresh.url).pathname;
}

describe('a database that a test has done with', () => {
  for (const [did, statement, isUsedAgain] of [
    ['left rows', "INSERT INTO quota_limit VALUES ('p', 'volumes', 1)", true],
    ['added a column', 'ALTER TABLE service ADD COLUMN later text', false],
    ['taken a column', 'ALTER TABLE volume DROP COLUMN description', false],
    ['taken an index', 'DROP INDEX volume_name', false],
    ['made a type private', 'UPDATE volume_type SET is_public = 0', false],
  ] as const)
    it(`is ${isUsedAgain ? '' : 'not '}the next one's when the test has ${did}`, async (context) => {
      const name = await used(statement);
      if (typeof name !== 'string') return context.skip(`PostgreSQL: ${name.missing}`);
      const next = await used('SELECT 1');
      assert.equal(next === name, isUsedAgain);
    });
});
