import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { packImage } from '../../src/clients/pack-image.ts';
import type { Content } from '../../src/lib/file-content.ts';

const { signal } = new AbortController();
const MIB = 1024 ** 2;
const PIECES = [Buffer.from('begin'), Buffer.alloc(12 * MIB), Buffer.alloc(70_001, 'of a disk ')];
const PLAIN = Buffer.concat(PIECES);

const contentOf = (pieces: () => Iterable<Buffer>): Content => ({
  bytes: PLAIN.length,
  async *read() {
    yield* pieces();
  },
});

async function world(t: TestContext, pieces: () => Iterable<Buffer> = () => PIECES) {
  const directory = await mkdtemp(join(tmpdir(), 'pumice-test-'));
  t.after(() => rm(directory, { recursive: true }));
  const target = join(directory, 'packed');
  const seen: number[] = [];
  const pack = (until: AbortSignal = signal, timeoutMs = 600_000): Promise<void> =>
    packImage(contentOf(pieces), target, { timeoutMs }, { signal: until, progress: (done) => void seen.push(done) });
  return { directory, target, pack, seen };
}

describe('packing an image', () => {
  test('gives a gzip file of its content, and tells the progress', async (t) => {
    const { target, pack, seen } = await world(t);
    await pack();
    assert.ok(gunzipSync(await readFile(target)).equals(PLAIN));
    assert.equal(seen.at(-1), 1);
    assert.ok(seen.every((done) => done >= 0 && done <= 1));
  });

  test('takes the place of what an earlier try has left', async (t) => {
    const { target, pack } = await world(t);
    await writeFile(target, Buffer.alloc(MIB, 'left'));
    await pack();
    assert.ok(gunzipSync(await readFile(target)).equals(PLAIN));
  });

  test('that fails, is cancelled or is too slow leaves nothing', async (t) => {
    const broken = await world(t, function* () {
      yield Buffer.from('begin');
      throw new RangeError('The file ends.');
    });
    await assert.rejects(broken.pack(), { name: 'RangeError' });
    assert.deepEqual(await readdir(broken.directory), []);

    const cancelled = await world(t);
    await assert.rejects(cancelled.pack(AbortSignal.abort(new Error('Enough.'))), /Enough/);
    assert.deepEqual(await readdir(cancelled.directory), []);

    const slow = await world(t, function* () {
      for (;;) yield PLAIN;
    });
    await assert.rejects(slow.pack(signal, 100), { name: 'ImageCopyFailure', message: /too long/ });
    assert.deepEqual(await readdir(slow.directory), []);
  });
});
