import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { HostCopies } from '../../src/drivers/host-copies.ts';
import { CONVERSION_LIMITS } from '../../src/drivers/qemu-img.ts';
import { writeArgv, writeImage } from '../../src/drivers/write-image.ts';
import { dataExtents, parseMap } from '../../src/lib/data-extents.ts';
import { CommandFailed, type Exec, exec } from '../../src/lib/exec.ts';
import { ImageCopyFailure, ImageTooBig } from '../../src/model/errors.ts';
import { calm } from './driver-world.ts';

const GIB = 1024 ** 3;
const writing = { limits: CONVERSION_LIMITS, copies: new HostCopies() };

/** A disk with data at its begin, and a place for the image. */
async function place(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'pumice-write-image-'));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, 'disk');
  await writeFile(path, Buffer.alloc(65_536, 'data'));
  await truncate(path, GIB);
  const image = { path: join(directory, 'image'), format: 'qcow2' } as const;
  return { directory, source: { path, bytes: GIB }, image };
}

/** Everything but the conversion is the real one's. */
const failing =
  (stderr: string, before: (target: string) => Promise<void> = async () => {}): Exec =>
  async (argv, options) => {
    if (argv[1] !== 'convert') return exec(argv, options);
    await before(argv.at(-1) ?? '');
    throw new CommandFailed(argv, 1, stderr, false);
  };

describe('the map of a file', () => {
  test('tells where its data is', async (t) => {
    const { source } = await place(t);
    const extents = await dataExtents(exec, source.path, calm().signal);
    assert.deepEqual(extents, [{ at: 0, bytes: 65_536 }]);
  });

  test('is not believed when it has a gap, and not needed when there is none', async () => {
    const part = (start: number, length: number, data = true) => ({ start, length, data, zero: !data });
    assert.deepEqual(parseMap(JSON.stringify([part(0, 4, false), part(4, 8), part(12, 4, false)])), [
      { at: 4, bytes: 8 },
    ]);
    for (const wrong of ['{}', JSON.stringify([part(4, 8)]), JSON.stringify([part(0, 4), part(8, 4)]), '[{"start":0}]'])
      assert.throws(() => parseMap(wrong), TypeError);
    const none: Exec = async (argv) => {
      throw new CommandFailed(argv, null, 'It printed more than can be.', false);
    };
    assert.equal(await dataExtents(none, '/nowhere', calm().signal), undefined);
  });
});

describe('a volume that is written as an image', () => {
  test('is told to qemu-img with every format, and nothing it could take for an option', () => {
    const argv = writeArgv('/a', 'vmdk', '/b', 0);
    assert.equal(argv.join(' '), 'qemu-img convert -p -f raw -O vmdk -- /a /b');
    const slowly = writeArgv('/a', 'vmdk', '/b', 1000);
    assert.equal(slowly.join(' '), 'qemu-img convert -p -r 1000 -f raw -O vmdk -- /a /b');
  });

  test('needs room for its data, which is looked at before a byte is written', async (t) => {
    const { directory, source, image } = await place(t);
    const full: Exec = async ([, verb, ...rest], options) => {
      assert.notEqual(verb, 'convert');
      await exec(['true', ...rest], options);
      return JSON.stringify([{ start: 0, length: Number.MAX_SAFE_INTEGER, data: true }]);
    };
    await assert.rejects(writeImage(full, source, image, writing, calm()), ImageTooBig);
    assert.deepEqual(await readdir(directory), ['disk']);
  });

  test('leaves nothing when the room ends in the middle, or it fails', async (t) => {
    const { directory, source, image } = await place(t);
    const half = (target: string) => writeFile(target, 'half');
    for (const [stderr, error] of [
      ['error while writing: No space left on device', ImageTooBig],
      ['Could not open', ImageCopyFailure],
    ] as const) {
      await assert.rejects(writeImage(failing(stderr, half), source, image, writing, calm()), error);
      assert.deepEqual(await readdir(directory), ['disk']);
    }
  });

  test('takes the place of what was left there', async (t) => {
    const { source, image } = await place(t);
    await writeFile(image.path, Buffer.alloc(1024 ** 2, 'left'));
    await writeImage(exec, source, image, writing, calm());
    const info = JSON.parse(await exec(['qemu-img', 'info', '--output=json', '-f', 'qcow2', image.path], calm()));
    assert.equal(info['virtual-size'], GIB);
  });
});
