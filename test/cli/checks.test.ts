/** No check of the doctor is forgotten. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { CHECKS } from '../../src/doctor/examine.ts';

test('the doctor makes every check there is', async () => {
  const files = readdirSync('src/doctor/checks').filter((file) => file !== 'check.ts');
  const made = await Promise.all(files.map((file) => import(`../../src/doctor/checks/${file}`)));
  const checks = made.flatMap((module) => Object.values(module)).filter((each) => typeof each === 'object');
  assert.equal(checks.length, files.length);
  assert.deepEqual(new Set(CHECKS), new Set(checks));
});
