import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { DirectoryImages } from '../../src/clients/image-directory.ts';
import { uuid } from '../../src/lib/clock.ts';
import { contentOfFile } from '../../src/lib/file-content.ts';
import type { Caller } from '../../src/model/caller.ts';

const signal = new AbortController().signal;
const call = { signal, progress: () => {} };
const member = (projectId: string): Caller => ({
  userId: 'user',
  projectId,
  roles: ['member'],
  isAdmin: false,
  serviceRoles: [],
  requestId: 'req-1',
});
const admin: Caller = { ...member('admins'), isAdmin: true };

interface World {
  readonly directory: string;
  readonly images: DirectoryImages;
  /** A file with something in it, a hole and no even length. */
  readonly source: string;
  readonly bytes: Buffer;
}

async function world(t: TestContext): Promise<World> {
  const root = await mkdtemp(join(tmpdir(), 'pumice-test-'));
  t.after(() => rm(root, { recursive: true }));
  const directory = join(root, 'images');
  const source = join(root, 'source');
  const bytes = Buffer.concat([Buffer.from('begin'), Buffer.alloc(4 * 1024 * 1024), Buffer.from('end')]);
  await writeFile(source, bytes);
  return { directory, images: new DirectoryImages({ directory }), source, bytes };
}

describe('adding an image to a directory', () => {
  test('keeps its bytes, and what was said and computed of it', async (t) => {
    const { images, source, bytes } = await world(t);
    const wanted = { name: 'cirros', diskFormat: 'qcow2', minDiskGiB: 1, properties: { os_distro: 'cirros' } } as const;
    const added = await images.add(wanted, source, signal);
    assert.deepEqual(added, {
      id: added.id,
      name: 'cirros',
      status: 'active',
      visibility: 'public',
      owner: null,
      diskFormat: 'qcow2',
      containerFormat: 'bare',
      sizeBytes: bytes.length,
      virtualSizeBytes: null,
      minDiskGiB: 1,
      minRamMiB: 0,
      updatedAt: null,
      checksum: createHash('md5').update(bytes).digest('hex'),
      hash: { algorithm: 'sha512', value: createHash('sha512').update(bytes).digest('hex') },
      properties: { os_distro: 'cirros' },
    });
    assert.deepEqual(await images.show(added.id, 'service', signal), added);
    assert.deepEqual(await readFile(await images.local(added, signal)), bytes);
  });

  test('keeps holes as holes', async (t) => {
    const { images, source } = await world(t);
    const path = await images.local(await images.add({ name: 'sparse', diskFormat: 'raw' }, source, signal), signal);
    const { blocks, size } = await stat(path);
    assert.ok(blocks * 512 < size);
  });

  test('leaves an image and nothing else', async (t) => {
    const { directory, images, source } = await world(t);
    const { id } = await images.add({ name: 'a', diskFormat: 'raw' }, source, signal);
    assert.deepEqual((await readdir(directory)).sort(), [`${id}.image`, `${id}.json`]);
  });

  test('leaves nothing when it is aborted or fails', async (t) => {
    const { directory, images, source } = await world(t);
    const wanted = { name: 'a', diskFormat: 'raw' } as const;
    await assert.rejects(images.add(wanted, source, AbortSignal.abort(new Error('enough'))), /enough/);
    await assert.rejects(images.add(wanted, `${source}-not-there`, signal), { code: 'ENOENT' });
    assert.deepEqual(await readdir(directory), []);
  });

  test('an id is used once, and again when only its bytes had come', async (t) => {
    const { directory, images, source, bytes } = await world(t);
    const wanted = { id: uuid(), name: 'a', diskFormat: 'raw' } as const;
    await mkdir(directory);
    await writeFile(join(directory, `${wanted.id}.image`), 'left by a crash');
    const added = await images.add(wanted, source, signal);
    assert.deepEqual(await readFile(await images.local(added, signal)), bytes);
    await assert.rejects(images.add(wanted, source, signal), { name: 'Conflict' });
  });

  test('refuses an id that is no UUID', async (t) => {
    const { images, source } = await world(t);
    const wanted = { id: '../x', name: 'a', diskFormat: 'raw' } as const;
    await assert.rejects(images.add(wanted, source, signal), { name: 'InvalidInput' });
  });
});

describe('the images of a directory', () => {
  test('are public, or private to their owner and administrators', async (t) => {
    const { images, source } = await world(t);
    const open = await images.add({ name: 'open', diskFormat: 'raw' }, source, signal);
    const own = await images.add(
      { name: 'own', diskFormat: 'raw', visibility: 'private', owner: 'mine' },
      source,
      signal,
    );
    const names = async (caller: Caller | 'service') => (await images.list(caller, signal)).map(({ name }) => name);
    assert.deepEqual(await names(member('mine')), ['open', 'own']);
    assert.deepEqual(await names(member('theirs')), ['open']);
    assert.deepEqual(await names(admin), ['open', 'own']);
    assert.deepEqual(await names('service'), ['open', 'own']);
    assert.equal((await images.show(open.id, member('theirs'), signal)).name, 'open');
    assert.equal((await images.show(own.id, member('mine'), signal)).name, 'own');
    await assert.rejects(images.show(own.id, member('theirs'), signal), { name: 'ImageNotFound' });
  });

  test('are none where there is no directory', async (t) => {
    const { images } = await world(t);
    assert.deepEqual(await images.list('service', signal), []);
    await assert.rejects(images.show(uuid(), 'service', signal), { name: 'ImageNotFound' });
  });

  test('have UUIDs: nothing else is looked for', async (t) => {
    const { directory, images } = await world(t);
    await mkdir(directory);
    await writeFile(join(directory, '..', 'outside.json'), '{"id":"../outside","status":"active"}');
    for (const id of ['../outside', '..', '', 'x\0y', uuid().toUpperCase()])
      await assert.rejects(images.show(id, 'service', signal), { name: 'ImageNotFound' });
  });

  test('whose metadata is broken say so, and do not hide the others', async (t) => {
    const { directory, images, source } = await world(t);
    const { id } = await images.add({ name: 'good', diskFormat: 'raw' }, source, signal);
    const broken = ['{', '[]', `{"id":"${id}","status":"active"}`, '{}', `"${'x'.repeat(2_000_000)}"`];
    for (const text of broken) {
      const other = uuid();
      await writeFile(join(directory, `${other}.json`), text);
      await assert.rejects(images.show(other, 'service', signal), { name: 'ImageServiceUnavailable' });
    }
    assert.deepEqual(
      (await images.list('service', signal)).map(({ name }) => name),
      ['good'],
    );
  });

  test('are not found through links', async (t) => {
    const { directory, images, source, bytes } = await world(t);
    const added = await images.add({ name: 'a', diskFormat: 'raw' }, source, signal);
    const path = join(directory, `${added.id}.image`);
    await rm(path);
    await writeFile(join(directory, '..', 'secret'), bytes);
    await symlink(join('..', 'secret'), path);
    await assert.rejects(images.local(added, signal), { name: 'ImageCopyFailure' });
    const linked = uuid();
    await symlink(join('..', 'source'), join(directory, `${linked}.json`));
    await assert.rejects(images.show(linked, 'service', signal), { name: 'ImageServiceUnavailable' });
  });
});

describe('fetching an image of a directory', () => {
  test('gives the file itself', async (t) => {
    const { directory, images, source } = await world(t);
    const added = await images.add({ name: 'a', diskFormat: 'raw' }, source, signal);
    const fetched = await images.fetch(added, join(directory, 'unused'), call);
    assert.deepEqual(fetched, { path: join(directory, `${added.id}.image`), temporary: false });
  });

  for (const [what, spoil] of [
    ['was cut short', (path: string) => writeFile(path, 'begin')],
    ['grew', (path: string) => appendFile(path, 'more')],
    ['is a directory', (path: string) => rm(path).then(() => mkdir(path))],
    ['is gone', (path: string) => rm(path)],
  ] as const)
    test(`refuses a file that ${what}, before and after it was found right`, async (t) => {
      const { directory, images, source } = await world(t);
      const path = (id: string): string => join(directory, `${id}.image`);
      const before = await images.add({ name: 'a', diskFormat: 'raw' }, source, signal);
      await spoil(path(before.id));
      await assert.rejects(images.local(before, signal), { name: 'ImageCopyFailure' });
      const later = await images.add({ name: 'b', diskFormat: 'raw' }, source, signal);
      await images.local(later, signal);
      await spoil(path(later.id));
      await assert.rejects(images.local(later, signal), { name: 'ImageCopyFailure' });
    });

  test('notices other bytes of the same length and time', async (t) => {
    const { images, source, bytes } = await world(t);
    const added = await images.add({ name: 'a', diskFormat: 'raw' }, source, signal);
    const path = await images.local(added, signal);
    const { atime, mtime } = await stat(path);
    await writeFile(path, Buffer.concat([Buffer.from('BEGIN'), bytes.subarray(5)]));
    await utimes(path, atime, mtime);
    await assert.rejects(images.local(added, signal), /sha512/);
  });

  test('does not read again what was found right', async (t) => {
    const { images, source } = await world(t);
    const added = await images.add({ name: 'a', diskFormat: 'raw' }, source, signal);
    const path = await images.local(added, signal);
    // A signal that is aborted later would stop reading, so that this proves there was none.
    const stop = new AbortController();
    const again = images.local(added, stop.signal);
    stop.abort(new Error('it was read'));
    assert.equal(await again, path);
  });

  test('stops reading when it is aborted', async (t) => {
    const { images, source } = await world(t);
    const added = await images.add({ name: 'a', diskFormat: 'raw' }, source, signal);
    const stop = new AbortController();
    const reading = images.local(added, stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(reading, /enough/);
  });
});

describe('an image that is sent to a directory', () => {
  const record = (id: string) => ({
    id,
    name: 'mine',
    owner: 'project-1',
    diskFormat: 'raw',
    containerFormat: 'bare',
    visibility: null,
    protected: true,
    properties: { os_distro: 'pumice', owner: 'others' },
  });

  test('is there when all of it is, belongs to its project, and is kept with its holes', async (t) => {
    const { directory, images, source, bytes } = await world(t);
    const id = uuid();
    await images.create(record(id));
    await assert.rejects(images.show(id, 'service', signal), { name: 'ImageNotFound' });
    const seen: number[] = [];
    const content = contentOfFile(source, bytes.length);
    await images.upload(record(id), content, { signal, progress: (fraction) => void seen.push(fraction) });
    const image = await images.show(id, member('project-1'), signal);
    assert.partialDeepStrictEqual(image, {
      name: 'mine',
      owner: 'project-1',
      sizeBytes: bytes.length,
      status: 'active',
    });
    assert.deepEqual(image.properties, { os_distro: 'pumice' });
    await assert.rejects(images.show(id, member('project-2'), signal), { name: 'ImageNotFound' });
    assert.ok((await readFile(await images.local(image, signal))).equals(bytes));
    assert.equal(seen.at(-1), 1);
    await images.upload(record(id), content, call);
    assert.deepEqual((await readdir(directory)).sort(), [`${id}.image`, `${id}.json`]);
  });

  test('that is there and is another is removed; one that breaks off leaves nothing', async (t) => {
    const { directory, images, source, bytes } = await world(t);
    const id = uuid();
    await images.upload(record(id), contentOfFile(source, 4), call);
    const whole = contentOfFile(source, bytes.length);
    await assert.rejects(images.upload(record(id), whole, call), { name: 'UploadedImageWrong' });
    assert.deepEqual(await readdir(directory), []);
    const longer = contentOfFile(source, bytes.length + 1);
    await assert.rejects(images.upload(record(id), longer, call), RangeError);
    assert.deepEqual(await readdir(directory), []);
    await images.upload(record(id), whole, call);
    await images.remove(id);
    await images.remove(id);
    assert.deepEqual(await readdir(directory), []);
  });
});
