/** What docs/operations.md tells a supervisor, held against systemd and the code. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { EXIT } from '../../src/cli/exit-codes.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const text = readFileSync(join(ROOT, 'docs', 'operations.md'), 'utf8');
const noSystemd =
  spawnSync('systemd-analyze', ['--version']).status === 0
    ? false
    : 'systemd-analyze is not installed (Debian: systemd)';

describe('what docs/operations.md says of a supervisor', () => {
  test('shows a unit whose every word systemd knows', { skip: noSystemd }, () => {
    const directory = mkdtempSync(join(tmpdir(), 'pumice-unit-'));
    try {
      const unit = /^```ini\n([\s\S]*?)^```$/m.exec(text)?.[1] ?? '';
      const path = join(directory, 'pumice.service');
      writeFileSync(path, unit.replaceAll('/opt/pumice', ROOT));
      const { status, stderr } = spawnSync('systemd-analyze', ['verify', path], { encoding: 'utf8' });
      // It reads the machine's own units, too, and complains of them.
      const ours = stderr.split('\n').filter((line) => line.includes('pumice'));
      assert.deepEqual({ status, ours }, { status: 0, ours: [] });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('lists every exit code that a server ends with', () => {
    const listed = [...text.matchAll(/^\| (\d+)(?: \(`\w+`\))? \|/gm)].map(([, code]) => Number(code));
    const { findings: _, ...ofServer } = EXIT;
    assert.deepEqual(listed, Object.values(ofServer));
  });
});
