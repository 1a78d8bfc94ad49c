import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isPassword } from '../../src/lib/password.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

describe('pumice passwd', () => {
  const run = async (input: string) => {
    const child = spawn(process.execPath, [MAIN, 'passwd'], { stdio: 'pipe' });
    child.stdin.end(input);
    const [out, err, code] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      new Promise((resolve) => child.once('close', resolve)),
    ]);
    return { out, err, code };
  };

  it('prints the hash of the first line, and nothing else', async () => {
    const { out, err, code } = await run('correct horse\nmore\n');
    assert.equal(code, 0, err);
    assert.equal(await isPassword('correct horse', out.trim()), true);
    assert.doesNotMatch(out + err, /horse/);
  });

  it('refuses no password at all', async () => {
    const { out, err, code } = await run('');
    assert.equal(code, 1);
    assert.equal(out, '');
    assert.match(err, /There was no password/);
  });
});
