/** A migration that some database was given is never edited: what each does is kept as a digest. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import type { Migration } from '../../../src/db/sql/migrations/migration.ts';
import { assertGolden } from '../../golden.ts';

const FOLDER = new URL('../../../src/db/sql/migrations/', import.meta.url);
const isMigration = (each: unknown): each is Migration =>
  typeof each === 'object' && each !== null && 'version' in each;

/** Of what it does on both databases, however it is laid out. */
function digestOf({ statements, rows }: Migration): string {
  const does = [statements('sqlite'), statements('postgresql'), rows?.toString() ?? ''].join('\n');
  return createHash('sha256').update(does.replaceAll(/\s+/g, ' ')).digest('hex').slice(0, 16);
}

test('each migration does what it did', async () => {
  const files = readdirSync(FOLDER).filter((file) => /^\d/.test(file));
  const modules = await Promise.all(files.map((file) => import(new URL(file, FOLDER).href)));
  const migrations: Migration[] = modules.flatMap((module) => Object.values(module).filter(isMigration));
  assert.equal(migrations.length, files.length);
  assertGolden('migrations.txt', migrations.map((each) => `${digestOf(each)} ${each.name}\n`).join(''));
});
