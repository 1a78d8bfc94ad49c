import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { pythonDict } from '../../src/events/python-text.ts';
import { missing } from '../drivers/file/file-systems.ts';

const run = promisify(execFile);

const TEXTS: Readonly<Record<string, string>> = {
  plain: 'text',
  "it's": 'one quote',
  both: `it's "so"`,
  double: '"so"',
  '': '',
  back: 'a\\b',
  lines: 'a\nb\r\tc',
  control: '\u0000\u001b\u007f\u0085\u00ad',
  é: 'naïve – ✓ 漢字',
  blanks: 'a b\u00a0c\u2003d\u2028',
  far: '😀\u{e0001}\u{10ffff}',
};

describe('a dictionary as text', { skip: missing('python3') ?? false }, () => {
  it('is what Python makes of it', async () => {
    const { stdout } = await run('python3', [
      '-c',
      'import json, sys; sys.stdout.buffer.write(str(json.loads(sys.argv[1])).encode())',
      JSON.stringify(TEXTS),
    ]);
    assert.equal(pythonDict(TEXTS), stdout);
  });
});
