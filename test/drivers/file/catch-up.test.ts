/** A copy of a file follows it by what differs on the disk: byte for byte, and without what is the same. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { catchUp } from '../../../src/drivers/file/catch-up.ts';
import { exec } from '../../../src/lib/exec.ts';
import { calm } from '../driver-world.ts';
import { changeAtRandom, numbers } from './changes.ts';
import { cannotMount, type Kind, mountFileSystem } from './file-systems.ts';

const MIB = 1024 ** 2;
const BYTES = 32 * MIB;
const KIB = 1024;
const ROUNDS = 12;

for (const kind of ['xfs', 'btrfs'] as const satisfies readonly Kind[]) {
  describe(`what is written to a file on ${kind}`, { skip: cannotMount(kind) ?? false }, () => {
    it('is in its copy after each round, as is what was discarded and what was only allocated', async (t) => {
      const mounted = mountFileSystem(kind, 400);
      t.after(() => mounted.remove());
      const at = (name: string): string => join(mounted.path, name);
      const run = (program: string, ...args: string[]) => execFileSync(program, args);
      const number = numbers(7);
      run('truncate', '-s', String(BYTES), at('source'), at('target'));
      run('cp', '--reflink=always', at('source'), at('moment-0'));
      for (let round = 1; round <= ROUNDS; round += 1) {
        for (let changes = number(30); changes >= 0; changes -= 1) await changeAtRandom(at('source'), BYTES, number);
        run('cp', '--reflink=always', at('source'), at(`moment-${round}`));
        // The last from the file itself, as nobody writes to it.
        const later = at(round === ROUNDS ? 'source' : `moment-${round}`);
        const between = { before: at(`moment-${round - 1}`), later, target: at('target'), bytesPerSecond: 0 };
        await catchUp(exec, between, calm().signal);
        run('cmp', at('source'), at('target'));
        assert.equal(await catchUp(exec, { ...between, before: at(`moment-${round}`) }, calm().signal), 0);
      }
    });

    it('is all that is copied', async (t) => {
      const mounted = mountFileSystem(kind, 400);
      t.after(() => mounted.remove());
      const at = (name: string): string => join(mounted.path, name);
      execFileSync('dd', ['if=/dev/urandom', `of=${at('source')}`, 'bs=1M', 'count=32', 'conv=fsync'], {
        stdio: 'ignore',
      });
      for (const copy of ['moment', 'target']) execFileSync('cp', ['--reflink=always', at('source'), at(copy)]);
      const file = await open(at('source'), 'r+');
      for (const place of [0, 7 * MIB, 31 * MIB]) await file.write(Buffer.alloc(8 * KIB, 'x'), 0, undefined, place);
      await file.sync();
      await file.close();
      const between = { before: at('moment'), later: at('source'), target: at('target'), bytesPerSecond: 0 };
      assert.equal(await catchUp(exec, between, calm().signal), 3 * 8 * KIB);
      execFileSync('cmp', [at('source'), at('target')]);
    });
  });
}
