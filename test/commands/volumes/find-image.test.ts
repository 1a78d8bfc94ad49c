import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { DirectoryImages } from '../../../src/clients/image-directory.ts';
import { findActiveImage } from '../../../src/commands/volumes/find-image.ts';
import { uuid } from '../../../src/lib/clock.ts';
import type { Caller } from '../../../src/model/caller.ts';
import type { Image, ImageStore } from '../../../src/model/image.ts';

const signal = new AbortController().signal;
const caller: Caller = {
  userId: 'user',
  projectId: 'mine',
  roles: ['member', 'reader'],
  isAdmin: false,
  serviceRoles: [],
  requestId: 'req-1',
};

async function start(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'pumice-test-'));
  t.after(() => rm(directory, { recursive: true }));
  const source = join(directory, 'source');
  await writeFile(source, 'data');
  const images = new DirectoryImages({ directory });
  const add = (name: string, more: Partial<Pick<Image, 'id' | 'owner'>> & { visibility?: 'private' } = {}) => {
    const { owner, ...rest } = more;
    return images.add({ name, diskFormat: 'raw', ...rest, ...(owner != null && { owner }) }, source, signal);
  };
  const find = async (reference: string): Promise<string> => (await findActiveImage(images, caller, reference)).id;
  return { add, find };
}

const unknown = { name: 'InvalidInput', message: 'Invalid image identifier or unable to access requested image.' };

describe('the image of a request', () => {
  it('is found by its id, by its URL, and by a name that it alone has', async (t) => {
    const { add, find } = await start(t);
    const { id } = await add('of /a name');
    for (const reference of [id, `http://glance/v2/images/${id}`, 'of /a name'])
      assert.equal(await find(reference), id);
  });

  it('is found by its id before another’s name', async (t) => {
    const { add, find } = await start(t);
    const { id } = await add('one');
    await add(id);
    assert.equal(await find(id), id);
  });

  it('is found by a name that looks like an id', async (t) => {
    const { add, find } = await start(t);
    const name = uuid();
    const { id } = await add(name);
    assert.equal(await find(name), id);
  });

  it('has its id in the letters that it was given', async (t) => {
    const { add, find } = await start(t);
    const id = 'ABCDEFAB-0000-4000-8000-ABCDEFABCDEF';
    await add('loud', { id });
    assert.equal(await find(id), id);
    await assert.rejects(find(id.toLowerCase()), unknown);
  });

  it('is not guessed from two of one name', async (t) => {
    const { add, find } = await start(t);
    for (let n = 0; n < 3; n += 1) await add('twin');
    await assert.rejects(find('twin'), {
      name: 'Conflict',
      status: 409,
      message: "Multiple matches found for 'twin', use an ID to be more specific.",
    });
  });

  it('is one that the caller may use, whoever else has one of the name', async (t) => {
    const { add, find } = await start(t);
    const hidden = await add('ours', { visibility: 'private', owner: 'theirs' });
    await assert.rejects(find('ours'), unknown);
    await assert.rejects(find(hidden.id), unknown);
    const { id } = await add('ours', { visibility: 'private', owner: 'mine' });
    assert.equal(await find('ours'), id);
  });

  it('that nobody has is an invalid identifier', async (t) => {
    const { add, find } = await start(t);
    await add('cirros');
    for (const reference of [uuid(), 'Cirros', 'cirros ', '/', '../cirros', 'x'.repeat(255)])
      await assert.rejects(find(reference), unknown, reference);
  });

  it('is a matter of the image service: one that takes too long is away, not a mistake of ours', async () => {
    const slow = async (): Promise<never> => {
      throw new DOMException('The operation was aborted due to timeout', 'TimeoutError');
    };
    const images: ImageStore = {
      show: slow,
      named: slow,
      local: slow,
      locations: slow,
      fetch: slow,
      create: slow,
      upload: slow,
      remove: slow,
    };
    await assert.rejects(findActiveImage(images, caller, uuid()), { name: 'ImageServiceUnavailable', status: 503 });
  });
});
