import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { configurationMarkdown } from '../../../scripts/print-configuration.ts';
import { readConfig } from '../../../src/lib/config/read-config.ts';

describe('what is written about the configuration', () => {
  test('every option is described', () => {
    assert.doesNotMatch(configurationMarkdown(), /undefined/);
  });

  test('every option that is called as a secret is one', () => {
    const rows = [...configurationMarkdown().matchAll(/^\| `(\w*(?:password|secret|token|_key))` .*$/gm)];
    assert.ok(rows.length > 5);
    const open = rows.filter(([row]) => !row.includes('*Secret.*')).map(([, name]) => name);
    // Of a key of backups it is the name.
    assert.deepEqual(
      open.filter((name) => name !== 'backup_key'),
      [],
    );
  });

  test('every option is read somewhere', () => {
    // Where an option is declared, and where one of cinder.conf's becomes it, it is not read.
    const program = readdirSync('src', { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.startsWith('import/conf/'))
      .map((file) => readFileSync(`src/${file}`, 'utf8').replaceAll(/^ +\w+: Type\./gm, ''))
      .join('\n');
    const options = [...configurationMarkdown().matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name ?? '');
    assert.ok(options.length > 50);
    // Only its form counts: it is taken from a cinder.conf, and its other value refused.
    assert.deepEqual(
      options.filter((name) => !new RegExp(`\\b${name}\\b`).test(program)),
      ['lvm_type'],
    );
  });

  test('the example can be used as it is', () => {
    const config = readConfig(new URL('../../../pumice.example.toml', import.meta.url).pathname);
    assert.deepEqual(config.enabled_backends, ['fast', 'large']);
    assert.equal(config.api.listen_beyond_loopback, false);
  });
});
