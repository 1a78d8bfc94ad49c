import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { configurationMarkdown } from '../../scripts/print-configuration.ts';
import { readConfig } from '../../src/lib/read-config.ts';

describe('what is written about the configuration', () => {
  test('docs/configuration.md is what the schema prints', () => {
    const written = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
    assert.equal(written, configurationMarkdown(), 'run `npm run docs`');
  });

  test('every option is described', () => {
    assert.doesNotMatch(configurationMarkdown(), /undefined/);
  });

  test('the example can be used as it is', () => {
    const config = readConfig(new URL('../../pumice.example.toml', import.meta.url).pathname);
    assert.deepEqual(config.enabled_backends, ['fast', 'large']);
    assert.equal(config.api.listen_beyond_loopback, false);
  });
});
