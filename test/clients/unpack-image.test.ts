import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { unpackImage } from '../../src/clients/unpack-image.ts';

const { signal } = new AbortController();
const MIB = 1024 ** 2;
const LIMITS = { most: 64 * MIB, timeoutMs: 600_000 };

/** Something, a hole, something, no even length. */
const CONTENT = Buffer.concat([Buffer.from('begin'), Buffer.alloc(12 * MIB), Buffer.alloc(70_001, 'of a disk ')]);

async function world(t: TestContext, packed: Buffer = gzipSync(CONTENT)) {
  const directory = await mkdtemp(join(tmpdir(), 'pumice-test-'));
  t.after(() => rm(directory, { recursive: true }));
  const [source, target] = [join(directory, 'packed'), join(directory, 'unpacked')];
  await writeFile(source, packed);
  const seen: number[] = [];
  const unpack = (limits = LIMITS, until: AbortSignal = signal): Promise<void> =>
    unpackImage(source, target, limits, { signal: until, progress: (done) => void seen.push(done) });
  return { directory, target, unpack, seen };
}

describe('unpacking an image', () => {
  test('gives its content, with its holes, and tells the progress', async (t) => {
    const { target, unpack, seen } = await world(t);
    await unpack();
    assert.ok((await readFile(target)).equals(CONTENT));
    assert.ok((await stat(target)).blocks * 512 < 4 * MIB);
    assert.equal(seen.at(-1), 1);
    assert.ok(seen.every((done) => done >= 0 && done <= 1));
  });

  test('takes the place of what an earlier try has left', async (t) => {
    const { target, unpack } = await world(t);
    await writeFile(target, Buffer.alloc(20 * MIB, 'left'));
    await unpack();
    assert.ok((await readFile(target)).equals(CONTENT));
  });

  test('goes on through all members of the file', async (t) => {
    const { target, unpack } = await world(t, Buffer.concat([gzipSync(CONTENT), gzipSync(Buffer.from('more'))]));
    await unpack();
    assert.equal((await readFile(target)).subarray(CONTENT.length).toString(), 'more');
  });

  const whole = gzipSync(CONTENT);
  const broken = Buffer.from(whole);
  broken.writeUInt8(broken.readUInt8(whole.length - 6) ^ 1, whole.length - 6);
  for (const [what, packed] of Object.entries({
    'is no gzip file': Buffer.from('QFI\xfb', 'latin1'),
    'is empty': Buffer.alloc(0),
    'is damaged': broken,
    'goes on with something else': Buffer.concat([whole, Buffer.alloc(512)]),
    ...Object.fromEntries(
      [3, 100, Math.floor(whole.length / 2), whole.length - 9, whole.length - 1].map((length) => [
        `was cut off at ${length} bytes`,
        whole.subarray(0, length),
      ]),
    ),
  }))
    test(`refuses what ${what}, and leaves nothing`, async (t) => {
      const { directory, unpack } = await world(t, packed);
      await assert.rejects(unpack(), { name: 'ImageUnacceptable' });
      assert.deepEqual(await readdir(directory), ['packed']);
    });

  test('ends where it becomes more than fits, and leaves nothing', async (t) => {
    const { directory, unpack } = await world(t);
    await assert.rejects(unpack({ ...LIMITS, most: CONTENT.length - 1 }), { name: 'ImageTooBig' });
    assert.deepEqual(await readdir(directory), ['packed']);
    await unpack({ ...LIMITS, most: CONTENT.length });
  });

  test('ends at its deadline, and leaves nothing', async (t) => {
    const { directory, unpack } = await world(t);
    await assert.rejects(unpack({ ...LIMITS, timeoutMs: 0 }), { name: 'ImageCopyFailure' });
    assert.deepEqual(await readdir(directory), ['packed']);
  });

  test('ends when it is aborted, with the reason, and leaves nothing', async (t) => {
    const { directory, unpack } = await world(t);
    const stop = new AbortController();
    const unpacking = unpack(LIMITS, stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(unpacking, /enough/);
    assert.deepEqual(await readdir(directory), ['packed']);
  });
});
