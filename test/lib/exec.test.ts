import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exec } from '../../src/lib/exec.ts';

const { signal } = new AbortController();

describe('a program', () => {
  it('whose memory is limited does not reserve it for each of its threads', async () => {
    const ask = ['sh', '-c', 'ulimit -v; echo "$MALLOC_ARENA_MAX"'] as const;
    assert.equal(await exec(ask, { signal, memoryBytes: 1024 ** 3 }), `${1024 ** 2}\n1\n`);
  });

  it('whose memory is not limited has the memory of its surroundings', async () => {
    const own = process.env.MALLOC_ARENA_MAX ?? '';
    assert.equal(await exec(['sh', '-c', 'echo "$MALLOC_ARENA_MAX"'], { signal }), `${own}\n`);
  });
});
