import assert from 'node:assert/strict';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { type Content, contentOfFile } from '../../src/lib/file-content.ts';

const CHUNK = 1024 ** 2;
const never = new AbortController().signal;

async function file(t: TestContext, bytes: number): Promise<{ path: string; data: Buffer }> {
  const directory = await mkdtemp(join(tmpdir(), 'pumice-content-'));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, 'file');
  const data = Buffer.alloc(bytes, 'data');
  await writeFile(path, data);
  return { path, data };
}

async function whole(content: Content, signal = never): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of content.read(signal)) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe('the content of a file', () => {
  test('is all of its bytes, each time from the first', async (t) => {
    const { path, data } = await file(t, 2 * CHUNK + 7);
    const content = contentOfFile(path, data.length);
    assert.ok((await whole(content)).equals(data));
    assert.ok((await whole(content)).equals(data));
  });

  test('has zeroes where it is said to have no data, which are not read', async (t) => {
    const { path, data } = await file(t, 3 * CHUNK + 7);
    const extents = [
      { at: 5, bytes: 10 },
      { at: CHUNK + 3, bytes: CHUNK },
    ];
    const expected = Buffer.alloc(data.length);
    for (const { at, bytes } of extents) data.copy(expected, at, at, at + bytes);
    assert.ok((await whole(contentOfFile(path, data.length, extents))).equals(expected));
    assert.ok(
      (await whole(contentOfFile(path, 10 * CHUNK, extents))).subarray(data.length).every((byte) => byte === 0),
    );
    assert.equal((await whole(contentOfFile(path, 0, []))).length, 0);
  });

  test('ends with an error where the file ends early, is a link, or nobody wants it any more', async (t) => {
    const { path, data } = await file(t, CHUNK);
    await assert.rejects(whole(contentOfFile(path, data.length + 1)), /ends at 1048576/);
    await symlink(path, `${path}.link`);
    await assert.rejects(whole(contentOfFile(`${path}.link`, data.length)), { code: 'ELOOP' });
    const reason = new Error('not wanted');
    await assert.rejects(whole(contentOfFile(path, 5 * CHUNK, []), AbortSignal.abort(reason)), reason);
  });
});
