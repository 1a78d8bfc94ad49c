import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { GlanceImages, type GlanceOptions } from '../../src/clients/glance.ts';
import { byTokens } from '../../src/clients/glance-credentials.ts';
import { uuid } from '../../src/lib/clock.ts';
import type { Copied, Progress } from '../../src/lib/progress.ts';
import type { Caller } from '../../src/model/caller.ts';
import type { Image } from '../../src/model/image.ts';
import { IdentityUnavailable, type OwnToken, TokenText } from '../../src/model/token.ts';
import {
  answer,
  type Behaviour,
  dieAfter,
  endless,
  fallSilentAfter,
  type ImageServer,
  ignoreRange,
  imageServer,
  sayNothing,
  status,
} from './image-server.ts';

const signal = new AbortController().signal;
const caller: Caller = {
  userId: 'user-1',
  projectId: 'project-1',
  roles: ['member', 'reader'],
  isAdmin: false,
  serviceRoles: [],
  requestId: 'req-1',
};
const SESAME: OwnToken = { own: () => 'sesame', forget() {} };
const unavailable = { name: 'ImageServiceUnavailable', transient: true };

interface World {
  readonly server: ImageServer;
  readonly images: GlanceImages;
  readonly image: Image;
  readonly path: string;
  readonly call: { readonly signal: AbortSignal; progress(fraction: number): void };
  /** The `Range` of each request for the data. */
  ranges(): (string | undefined)[];
}

async function world(t: TestContext, options: Partial<GlanceOptions> & { bytes?: number } = {}): Promise<World> {
  const server = await imageServer(t, options.bytes);
  const images = new GlanceImages({ url: server.url, timeoutMs: 60_000, backoffMs: 1, ...options });
  const directory = await mkdtemp(join(tmpdir(), 'pumice-test-'));
  t.after(() => rm(directory, { recursive: true }));
  const image = await images.show(server.id, 'service', signal);
  server.requests.length = 0;
  const call = { signal, progress: (fraction: number) => server.progress(fraction) };
  const ranges = (): (string | undefined)[] =>
    server.requests.filter(({ path }) => path.endsWith('/file')).map(({ headers }) => headers.range);
  return { server, images, image, path: join(directory, 'conversion', 'flow.image'), ranges, call };
}

test('where the bytes of an image lie is what Glance says, for whom it says it', async (t) => {
  const { server, images, image } = await world(t);
  const locations = ['swift+https://user:password@store/image', 'rbd://secret@pool/image'];
  assert.deepEqual(await images.locations(image, signal), locations);
  server.next.push(status(403));
  await assert.rejects(images.locations(image, signal), { name: 'ImageNotFound' });
});

describe('showing an image of Glance', () => {
  test('tells what Glance says of it, and nothing of where its bytes lie', async (t) => {
    const { server, image } = await world(t);
    assert.deepEqual(image, {
      id: server.id,
      name: 'cirros',
      status: 'active',
      visibility: 'public',
      owner: 'project-1',
      diskFormat: 'qcow2',
      containerFormat: 'bare',
      sizeBytes: 300_000,
      virtualSizeBytes: null,
      minDiskGiB: 1,
      minRamMiB: 64,
      updatedAt: null,
      checksum: server.metadata.checksum,
      hash: { algorithm: 'sha512', value: server.metadata.os_hash_value },
      properties: { os_distro: 'cirros', hw_boot_menu: 'true' },
    });
    assert.doesNotMatch(inspect(image), /secret|password/);
  });

  test('says who asks', async (t) => {
    const { server, images } = await world(t);
    await images.show(server.id, caller, signal);
    assert.partialDeepStrictEqual(server.requests[0]?.headers, {
      'x-identity-status': 'Confirmed',
      'x-user-id': 'user-1',
      'x-project-id': 'project-1',
      'x-roles': 'member,reader',
    });
  });

  test('asks with the caller’s own token, and never with ours, where there are tokens', async (t) => {
    const { server, images } = await world(t, { credentials: byTokens(SESAME) });
    const withToken = { ...caller, token: new TokenText('of the caller') };
    await images.show(server.id, withToken, signal);
    assert.deepEqual(
      server.requests.map(({ headers }) => [headers['x-auth-token'], headers['x-user-id']]),
      [['of the caller', undefined]],
    );
    await assert.rejects(images.show(server.id, caller, signal), { name: 'Unauthorized' });
    assert.equal(server.requests.length, 1);
    assert.doesNotMatch(inspect(withToken, { depth: 9, showHidden: true }) + JSON.stringify(withToken), /of the/);
  });

  for (const [code, name] of [
    [403, 'ImageNotFound'],
    [404, 'ImageNotFound'],
    [410, 'ImageNotFound'],
    [401, 'ImageServiceUnavailable'],
    [429, 'ImageServiceUnavailable'],
    [500, 'ImageServiceUnavailable'],
    [503, 'ImageServiceUnavailable'],
  ] as const)
    test(`${code} is ${name}`, async (t) => {
      const { server, images } = await world(t);
      server.next.push(status(code), status(code), status(code));
      await assert.rejects(images.show(server.id, caller, signal), { name });
    });

  test('is asked for again while the service is away', async (t) => {
    const { server, images } = await world(t);
    server.next.push(status(503), status(503));
    assert.equal((await images.show(server.id, caller, signal)).id, server.id);
  });

  const lies: readonly [what: string, Behaviour][] = [
    ['HTML', answer(200, { 'content-type': 'text/html' }, '<html>Welcome to the hotel</html>')],
    ['an image without an id', answer(200, {}, '{"status":"active"}')],
    ['another image', answer(200, {}, JSON.stringify({ id: uuid(), status: 'active' }))],
    ['a size that is none', (_q, r, { metadata }) => r.end(JSON.stringify({ ...metadata, size: '1e9' }))],
    ['metadata without an end', endless],
    ['a redirect to nowhere', answer(302, {})],
    ['a redirect to another host', answer(302, { location: 'http://127.0.0.2:1/v2/images' })],
    ['a redirect to itself', (q, r) => r.writeHead(302, { location: q.url }).end()],
  ];
  for (const [what, lie] of lies)
    test(`${what} is not believed`, async (t) => {
      const { server, images } = await world(t);
      for (let n = 0; n < 12; n += 1) server.next.push(lie);
      await assert.rejects(images.show(server.id, caller, signal), unavailable);
    });

  test('a redirect on the same host is followed', async (t) => {
    const { server, images } = await world(t);
    server.next.push(answer(307, { location: `/v2/images/${server.id}` }));
    assert.equal((await images.show(server.id, caller, signal)).id, server.id);
  });

  test('an id that is no UUID never reaches the service', async (t) => {
    const { server, images } = await world(t);
    for (const id of ['', '../../v3/users', `${server.id}/file`, server.id.replaceAll('-', '')])
      await assert.rejects(images.show(id, caller, signal), { name: 'ImageNotFound' });
    assert.deepEqual(server.requests, []);
  });

  test('an id in capitals is asked for as it is, and the image has the id that the service says', async (t) => {
    const { server, images } = await world(t);
    const loud = server.id.toUpperCase();
    server.next.push(answer(200, {}, JSON.stringify(server.metadata)));
    assert.equal((await images.show(loud, caller, signal)).id, server.id);
    assert.equal(server.requests[0]?.path, `/v2/images/${loud}`);
    await assert.rejects(images.show(loud, caller, signal), { name: 'ImageNotFound' });
  });

  test('nobody there is unavailable', async (t) => {
    const { server, images } = await world(t);
    server.next.push(...Array.from({ length: 6 }, (): Behaviour => (request) => request.socket.destroy()));
    await assert.rejects(images.show(server.id, caller, signal), unavailable);
  });

  test('a service that says nothing is given up', async (t) => {
    const { server, images } = await world(t, { timeoutMs: 60 });
    server.next.push(sayNothing, sayNothing, sayNothing);
    await assert.rejects(images.show(server.id, caller, signal), unavailable);
  });

  test('ends with the reason when it is aborted', async (t) => {
    const { server, images } = await world(t);
    const stop = new AbortController();
    server.next.push(() => stop.abort(new Error('enough')));
    await assert.rejects(images.show(server.id, caller, stop.signal), /enough/);
  });

  test('no failure holds the token', async (t) => {
    const { server, images } = await world(t, { credentials: byTokens(SESAME) });
    for (const behaviour of [status(401), status(403), answer(302, { location: 'http://other/' }), dieAfter(0)]) {
      server.next.splice(0, Infinity, behaviour, behaviour, behaviour);
      await assert.rejects(images.show(server.id, 'service', signal), (error) => {
        assert.doesNotMatch(inspect(error, { depth: 20 }), /sesame/);
        return true;
      });
    }
  });
});

describe('images of Glance by name', () => {
  const named = (server: ImageServer, ...names: readonly (string | null)[]) =>
    answer(200, {}, JSON.stringify({ images: names.map((name) => ({ ...server.metadata, id: uuid(), name })) }));

  test('are at most two, asked for by whoever asks', async (t) => {
    const { server, images } = await world(t);
    const name = 'in:a&limit=9#?/ü';
    server.next.push(named(server, name, name));
    assert.equal((await images.named(name, caller, signal)).length, 2);
    const [{ path, headers } = assert.fail()] = server.requests;
    assert.deepEqual(
      [...new URL(path, server.url).searchParams],
      [
        ['limit', '2'],
        ['name', `eq:${name}`],
      ],
    );
    assert.equal(headers['x-user-id'], 'user-1');
  });

  test('are those that have it, whatever else the service lists', async (t) => {
    const { server, images } = await world(t);
    server.next.push(named(server, 'one', 'two'), named(server, 'One', null), named(server));
    assert.deepEqual(await images.named('in:one,two', caller, signal), []);
    assert.equal(
      (await images.named('one', caller, signal)).length,
      1,
      'for some databases letters are as good as capitals',
    );
    assert.deepEqual(await images.named('one', caller, signal), []);
  });

  for (const code of [400, 403, 404])
    test(`are none when the service answers ${code}`, async (t) => {
      const { server, images } = await world(t);
      server.next.push(status(code));
      assert.deepEqual(await images.named('one', caller, signal), []);
    });

  for (const [what, lie] of [
    ['no list', answer(200, {}, '{"images":{}}')],
    ['an image that is none', answer(200, {}, '{"images":[7]}')],
    ['no JSON', answer(200, {}, '<html>')],
    ['a list without an end', endless],
    ['500', status(500)],
  ] as const)
    test(`${what} is not believed`, async (t) => {
      const { server, images } = await world(t);
      server.next.push(lie, lie, lie);
      await assert.rejects(images.named('one', caller, signal), unavailable);
    });
});

describe('fetching an image of Glance', () => {
  test('makes a file of it and tells how far it is', async (t) => {
    const { server, images, image, path } = await world(t);
    const seen: number[] = [];
    let last: Copied | undefined;
    const progress: Progress = (fraction, copied) => {
      seen.push(fraction);
      last = copied;
    };
    const fetched = await images.fetch(image, path, { signal, progress });
    assert.deepEqual(last, { bytes: server.data.length, of: server.data.length });
    assert.deepEqual(fetched, { path, temporary: true });
    assert.deepEqual(await readFile(path), server.data);
    assert.equal(seen.at(-1), 1);
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
    );
  });

  test('an empty image is an empty file', async (t) => {
    const { images, image, path, call } = await world(t, { bytes: 0 });
    await images.fetch(image, path, call);
    assert.equal((await readFile(path)).length, 0);
  });

  test('goes on where an earlier download stopped', async (t) => {
    const { server, images, image, path, ranges, call } = await world(t);
    server.next.push(dieAfter(100_000), ...Array.from({ length: 3 }, () => status(503)));
    await assert.rejects(images.fetch(image, path, call), unavailable);
    const part = (await readFile(path)).length;
    assert.ok(part > 0);
    server.requests.length = 0;
    await images.fetch(image, path, call);
    assert.deepEqual(ranges(), [`bytes=${part}-`]);
    assert.deepEqual(await readFile(path), server.data);
  });

  test('does not fetch again what is there whole', async (t) => {
    const { server, images, image, path, ranges, call } = await world(t);
    await images.fetch(image, path, call);
    server.requests.length = 0;
    await images.fetch(image, path, call);
    assert.deepEqual(ranges(), []);
  });

  test('goes on by itself as long as it gets further', async (t) => {
    const { server, images, image, path, ranges, call } = await world(t);
    server.next.push(...Array.from({ length: 5 }, () => dieAfter(50_000)));
    await images.fetch(image, path, call);
    assert.equal(ranges().length, 6);
    assert.deepEqual(await readFile(path), server.data);
  });

  test('waits for a service that is away for a moment', async (t) => {
    const { server, images, image, path, call } = await world(t);
    server.next.push(status(503), status(503));
    await images.fetch(image, path, call);
    assert.deepEqual(await readFile(path), server.data);
  });

  test('begins again with a service that does not know of ranges', async (t) => {
    const { server, images, image, path, ranges, call } = await world(t);
    server.next.push(dieAfter(100_000), ignoreRange);
    await images.fetch(image, path, call);
    assert.match(ranges()[1] ?? '', /^bytes=\d+-$/);
    assert.deepEqual(await readFile(path), server.data);
  });

  test('begins again when the service refuses the range', async (t) => {
    const { server, images, image, path, ranges, call } = await world(t);
    server.next.push(dieAfter(100_000), status(416));
    await images.fetch(image, path, call);
    assert.equal(ranges().at(-1), undefined);
    assert.deepEqual(await readFile(path), server.data);
  });

  test('begins again when what was there is not of this image', async (t) => {
    const { server, images, image, path, call } = await world(t);
    await images.fetch(image, path, call);
    await writeFile(path, Buffer.alloc(1000, 7));
    await images.fetch(image, path, call);
    assert.deepEqual(await readFile(path), server.data);
    await writeFile(path, Buffer.alloc(400_000, 7));
    await images.fetch(image, path, call);
    assert.deepEqual(await readFile(path), server.data);
  });

  for (const [what, lie] of [
    ['hash', { os_hash_value: '0'.repeat(128) }],
    ['checksum, where there is no hash,', { os_hash_value: null, checksum: '0'.repeat(32) }],
    ['checksum, where the hash is one of another world,', { os_hash_algo: 'rot13', checksum: '0'.repeat(32) }],
    ['hash, as Glance names it,', { os_hash_algo: 'sha3_256', os_hash_value: '0'.repeat(64) }],
    ['hash, which nobody here can compute, and no checksum', { os_hash_algo: 'rot13', checksum: null }],
  ] as const)
    test(`bytes with another ${what} are refused and gone`, async (t) => {
      const { server, images, path, call } = await world(t);
      Object.assign(server.metadata, lie);
      const image = await images.show(server.id, 'service', signal);
      await assert.rejects(images.fetch(image, path, call), { name: 'ImageCopyFailure', transient: false });
      assert.ok(!existsSync(path));
    });

  for (const [theirs, ours] of [
    ['sha3_256', 'sha3-256'],
    ['blake2b', 'blake2b512'],
    ['SHA256', 'sha256'],
  ] as const)
    test(`bytes are compared with their hash where Glance calls it ${theirs}`, async (t) => {
      const { server, images, path, call } = await world(t);
      const value = createHash(ours).update(server.data).digest('hex');
      Object.assign(server.metadata, { os_hash_algo: theirs, os_hash_value: value, checksum: '0'.repeat(32) });
      await images.fetch(await images.show(server.id, 'service', signal), path, call);
      assert.deepEqual(await readFile(path), server.data);
    });

  const refused: readonly [what: string, Behaviour, name: string][] = [
    ['another length than the image has', answer(200, { 'content-length': 5 }, 'short'), 'ImageCopyFailure'],
    ['more than was announced', endless, 'ImageCopyFailure'],
    ['nothing', answer(204, {}), 'ImageCopyFailure'],
    ['403', status(403), 'ImageCopyFailure'],
    ['404', status(404), 'ImageNotFound'],
    ['410', status(410), 'ImageNotFound'],
    ['a redirect to another host', answer(302, { location: 'http://127.0.0.2:1/' }), 'ImageServiceUnavailable'],
    ['less than was announced', (_q, r) => r.writeHead(200).end('short'), 'ImageServiceUnavailable'],
    ['a death before the first byte', dieAfter(0), 'ImageServiceUnavailable'],
  ];
  for (const [what, behaviour, name] of refused)
    test(`${what} is ${name}`, async (t) => {
      const { server, images, image, path, call } = await world(t);
      for (let n = 0; n < 12; n += 1) server.next.push(behaviour);
      await assert.rejects(images.fetch(image, path, call), { name });
    });

  test('another part than was asked for is refused', async (t) => {
    const { server, images, image, path, call } = await world(t);
    const range = { 'content-range': `bytes 0-299999/300000` };
    server.next.push(dieAfter(100_000), answer(206, range, server.data));
    await assert.rejects(images.fetch(image, path, call), { name: 'ImageCopyFailure' });
  });

  test('a service that falls silent is asked for the rest', async (t) => {
    const { server, images, image, path, call } = await world(t, { timeoutMs: 100 });
    server.next.push(fallSilentAfter(100_000));
    await images.fetch(image, path, call);
    assert.deepEqual(await readFile(path), server.data);
  });

  test('ends with the reason when it is aborted, and can be taken up', async (t) => {
    const { server, images, image, path, call } = await world(t);
    const stop = new AbortController();
    server.next.push(fallSilentAfter(100_000));
    const stopped = { signal: stop.signal, progress: () => stop.abort(new Error('enough')) };
    await assert.rejects(images.fetch(image, path, stopped), /enough/);
    await images.fetch(image, path, call);
    assert.deepEqual(await readFile(path), server.data);
  });

  test('an image larger than what is left of the disk is too big, before anything is asked', async (t) => {
    const { images, image, path, ranges, call } = await world(t);
    const huge = { ...image, sizeBytes: Number.MAX_SAFE_INTEGER };
    await assert.rejects(images.fetch(huge, path, call), { name: 'ImageTooBig' });
    assert.deepEqual(ranges(), []);
  });

  test('an image without a size is not fetched', async (t) => {
    const { images, image, path, call } = await world(t);
    await assert.rejects(images.fetch({ ...image, sizeBytes: null }, path, call), { name: 'ImageCopyFailure' });
  });

  test('does not write through a link', async (t) => {
    const { images, image, path, call } = await world(t);
    await images.fetch(image, path, call);
    const target = `${path}.other`;
    await writeFile(target, 'mine');
    await rm(path);
    await symlink(target, path);
    await assert.rejects(images.fetch(image, path, call), { code: 'ELOOP' });
    assert.equal(await readFile(target, 'utf8'), 'mine');
  });

  test('is made with the service’s credentials', async (t) => {
    const { server, images, image, path, call } = await world(t, { credentials: byTokens(SESAME) });
    await images.fetch(image, path, call);
    assert.equal(server.requests.at(-1)?.headers['x-auth-token'], 'sesame');
  });

  test('is made with a new token of the service when the old one is refused, and goes on', async (t) => {
    const tokens = ['first', 'second'];
    const own: OwnToken = {
      own: () => tokens[0] ?? '',
      forget: (text) => void (text === tokens[0] && tokens.shift()),
    };
    const { server, images, image, path, call } = await world(t, { credentials: byTokens(own) });
    server.next.push(dieAfter(100_000), status(401));
    await images.fetch(image, path, call);
    assert.deepEqual(
      server.requests.map(({ headers }) => headers['x-auth-token']),
      ['first', 'first', 'second'],
    );
    assert.deepEqual(await readFile(path), server.data);
  });

  test('waits for a token while there is none to be had', async (t) => {
    let away = 0;
    const own: OwnToken = {
      own: async () => {
        away -= 1;
        if (away >= 0) throw new IdentityUnavailable('Away.');
        return 'sesame';
      },
      forget() {},
    };
    const { server, images, image, path, call } = await world(t, { credentials: byTokens(own) });
    away = 2;
    await images.fetch(image, path, call);
    assert.deepEqual(await readFile(path), server.data);
  });

  test('asks for nothing but the image’s own data, wherever its bytes are said to lie', async (t) => {
    const { server, images, image, path, call } = await world(t);
    Object.assign(server.metadata, {
      direct_url: `${server.url}/elsewhere`,
      locations: [{ url: `${server.url}/there` }],
    });
    await images.fetch(await images.show(server.id, 'service', signal), path, call);
    assert.deepEqual(
      server.requests.map((request) => request.path),
      [`/v2/images/${image.id}`, `/v2/images/${image.id}/file`],
    );
  });
});
