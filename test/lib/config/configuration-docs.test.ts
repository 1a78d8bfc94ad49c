import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { configurationMarkdown } from '../../../scripts/print-configuration.ts';
import { readConfig } from '../../../src/lib/config/read-config.ts';

describe('what is written about the configuration', () => {
  test('every option is described', () => {
    assert.doesNotMatch(configurationMarkdown(), /undefined/);
  });

  test('every option is read somewhere', () => {
    const program = readdirSync('src', { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && file !== 'lib/config/config.ts')
      .map((file) => readFileSync(`src/${file}`, 'utf8'))
      .join('\n');
    const options = [...configurationMarkdown().matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name ?? '');
    assert.ok(options.length > 50);
    assert.deepEqual(
      options.filter((name) => !new RegExp(`\\b${name}\\b`).test(program)),
      [],
    );
  });

  test('the example can be used as it is', () => {
    const config = readConfig(new URL('../../../pumice.example.toml', import.meta.url).pathname);
    assert.deepEqual(config.enabled_backends, ['fast', 'large']);
    assert.equal(config.api.listen_beyond_loopback, false);
  });
});
