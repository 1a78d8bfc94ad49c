/** Every microversion that has a name is offered to clients, and is compared somewhere. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import * as microversions from '../../src/api/microversion.ts';

const { NEWEST, OLDEST } = microversions;
const named = Object.entries(microversions).filter(
  (entry): entry is [string, number] => typeof entry[1] === 'number' && !['OLDEST', 'NEWEST'].includes(entry[0]),
);

describe('microversions with a name', () => {
  it('are within those that are offered', () => {
    assert.deepEqual(
      named.filter(([, version]) => version <= OLDEST || version > NEWEST),
      [],
    );
  });

  it('are compared somewhere', () => {
    const door = readdirSync('src/api', { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && file !== 'microversion.ts')
      .map((file) => readFileSync(`src/api/${file}`, 'utf8').replaceAll(/^import .*?;$/gms, ''))
      .join('\n');
    assert.deepEqual(
      named.map(([name]) => name).filter((name) => !new RegExp(`\\b${name}\\b`).test(door)),
      [],
    );
  });
});
