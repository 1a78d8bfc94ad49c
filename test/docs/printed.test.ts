import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { PRINTED } from '../../scripts/print-docs.ts';

describe('documents that are printed from the source', () => {
  for (const [file, print] of Object.entries(PRINTED)) {
    test(`docs/${file} is what the source prints`, () => {
      assert.equal(readFileSync(new URL(`../../docs/${file}`, import.meta.url), 'utf8'), print(), 'run `npm run docs`');
    });
  }
});
