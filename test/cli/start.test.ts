/** The trial, `pumice start`: what it makes, and what it does not make again. */
import assert from 'node:assert/strict';
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { withPumice } from './pumice-process.ts';

describe('pumice start', () => {
  test('makes the directories of its backends once: one that is gone later is down, and nothing is in its place', async () => {
    await withPumice(async ({ directory, run }) => {
      const data = join(directory, 'trial');
      const serve = async (): Promise<string> => {
        const service = run('start', '--no-demo', '--data', data, '--port', '0');
        const [, line = ''] = await service.says(/ {2}backends {2}(.*)/);
        await service.address();
        service.signal('SIGTERM');
        const { code, err } = await service.ended();
        assert.equal(code, 0, err);
        return line;
      };
      assert.match(await serve(), /^east \(files.*west \(files/);
      const [west, away] = [join(data, 'west'), join(data, 'unmounted')];
      renameSync(west, away);
      assert.match(await serve(), /^east \(files.*west \(down\)$/);
      assert.equal(existsSync(west), false);
      renameSync(away, west);
      assert.match(await serve(), /west \(files/);
    });
  });
});
