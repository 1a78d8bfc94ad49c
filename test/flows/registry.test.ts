import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { FLOWS } from '../../src/flows/registry.ts';

describe('the registry of flows', () => {
  it('holds no flow that has no proof', () => {
    for (const { name } of FLOWS) {
      const file = new URL(`${name.replaceAll('_', '-')}.test.ts`, import.meta.url);
      const variable = name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
      const text = readFileSync(file, 'utf8');
      assert.match(text, new RegExp(`^proveFlow\\(\\s*'[^']+',\\s*${variable},`, 'm'), `${name} is proven`);
      assert.match(text, new RegExp(`^provesEveryTask\\(${variable}\\);`, 'm'), `${name} is proven whole`);
    }
  });

  it('holds each flow once, in a version of its own', () => {
    const names = FLOWS.map(({ name, version }) => `${name}@${version}`);
    assert.deepEqual(names, [...new Set(names)]);
  });
});
