import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { GlanceImages } from '../../src/clients/glance.ts';
import { uuid } from '../../src/lib/clock.ts';
import type { Content } from '../../src/lib/file-content.ts';
import type { Copied } from '../../src/lib/progress.ts';
import type { ImageRecord } from '../../src/model/image.ts';
import { type Taking, uploadServer } from './upload-server.ts';

const signal = new AbortController().signal;
const PIECE = 65_536;
const BYTES = 20 * PIECE + 17;
const DATA = Buffer.alloc(BYTES, 'what a volume holds, of which no two pieces are alike: 0123456789');

/** `opened` counts how often it was read. */
function content(bytes = BYTES): Content & { opened: number } {
  return {
    bytes,
    opened: 0,
    async *read(signal) {
      this.opened += 1;
      for (let at = 0; at < bytes; at += PIECE) {
        signal.throwIfAborted();
        yield DATA.subarray(at, Math.min(bytes, at + PIECE));
      }
    },
  };
}

async function start(t: TestContext) {
  const server = await uploadServer(t);
  const images = new GlanceImages({ url: server.url, timeoutMs: 5_000, backoffMs: 1 });
  const record: ImageRecord = {
    id: uuid(),
    name: 'mine',
    owner: 'project-1',
    diskFormat: 'raw',
    containerFormat: 'bare',
    visibility: null,
    protected: false,
    properties: { os_distro: 'pumice' },
  };
  const seen: number[] = [];
  const call = {
    signal,
    progress: (fraction: number, copied?: Copied) => {
      assert.equal(copied && copied.bytes / copied.of, fraction);
      seen.push(fraction);
    },
  };
  return { server, images, record, call, seen };
}

const away = { name: 'ImageServiceUnavailable', transient: true };
const TRY = { cut: (after: number): Taking => ({ is: 'cut', after }) };

describe('an image that is sent to the image service', () => {
  it('arrives whole, with what is said of it, and the service is asked in our own name', async (t) => {
    const { server, images, record, call, seen } = await start(t);
    await images.upload(record, content(), call);
    const held = server.images.get(record.id);
    assert.equal(held?.status, 'active');
    assert.ok(held?.data.equals(DATA));
    assert.deepEqual(held?.record, {
      id: record.id,
      name: 'mine',
      owner: 'project-1',
      disk_format: 'raw',
      container_format: 'bare',
      protected: false,
      os_distro: 'pumice',
    });
    assert.equal(seen.at(-1), 1);
    for (const headers of server.headers) assert.equal(headers['x-project-id'], 'service');
    const put = server.headers[server.asked.indexOf(`PUT ${record.id} /file`)];
    assert.equal(put?.['content-length'], String(BYTES));
  });

  it('has no property that passes for a key of the service', async (t) => {
    const { server, images, record } = await start(t);
    const properties = { owner: 'others', visibility: 'public', locations: 'x', id: uuid(), size: '1', fine: 'yes' };
    await images.create({ ...record, visibility: 'private', properties }, signal);
    const held = server.images.get(record.id)?.record;
    assert.partialDeepStrictEqual(held, { id: record.id, owner: 'project-1', visibility: 'private', fine: 'yes' });
    assert.ok(held && !('locations' in held) && !('size' in held));
  });

  it('is whole after a cut at any byte, once it is sent again from the first', async (t) => {
    for (const after of [0, 1, PIECE, 3 * PIECE + 5, BYTES - 1, BYTES]) {
      const { server, images, record, call } = await start(t);
      const source = content();
      server.next.push(TRY.cut(after));
      await assert.rejects(images.upload(record, source, call), away, `cut after ${after}`);
      assert.equal(server.images.get(record.id)?.status, 'queued');
      await images.upload(record, source, call);
      assert.ok(server.images.get(record.id)?.data.equals(DATA), `cut after ${after}`);
      assert.equal(source.opened, 2);
    }
  });

  it('is not sent again when only the answer was lost, and is compared all the same', async (t) => {
    const { server, images, record, call } = await start(t);
    server.next.push({ is: 'unanswered' });
    await assert.rejects(images.upload(record, content(), call), away);
    await images.upload(record, content(), call);
    assert.equal(server.asked.filter((each) => each.startsWith('PUT')).length, 1);
    const other = content(BYTES - 1);
    await assert.rejects(images.upload(record, other, call), { name: 'UploadedImageWrong' });
    assert.deepEqual([...server.images.keys()], []);
  });

  it('is removed when the service has kept less and says that all is well, and may be sent again', async (t) => {
    const { server, images, record, call } = await start(t);
    for (const bytes of [0, 1, BYTES - 1]) {
      server.forgets = true;
      server.next.push({ is: 'kept', bytes });
      const wrong = { name: 'UploadedImageWrong', transient: true, message: /bytes instead of/ };
      await assert.rejects(images.upload(record, content(), call), wrong);
      assert.deepEqual([...server.images.keys()], []);
    }
    await images.upload(record, content(), call);
    assert.ok(server.images.get(record.id)?.data.equals(DATA));
    // Glance gives an id to nobody again.
    server.forgets = false;
    await images.remove(record.id, signal);
    await assert.rejects(images.upload(record, content(), call), { name: 'ImageRefused', message: /409/ });
  });

  it('is compared by whichever hash the service names', async (t) => {
    for (const algorithm of ['sha512', 'sha256']) {
      const { server, images, record, call } = await start(t);
      server.algorithm = algorithm;
      const source = content();
      await images.upload(record, source, call);
      assert.equal(source.opened, algorithm === 'sha512' ? 1 : 2);
      const held = server.images.get(record.id);
      assert.ok(held);
      held.data = Buffer.concat([held.data.subarray(1), Buffer.alloc(1)]);
      await assert.rejects(images.upload(record, source, call), { name: 'UploadedImageWrong', message: /is another/ });
    }
  });

  it('that somebody removes meanwhile is not found', async (t) => {
    const { server, images, record, call } = await start(t);
    server.next.push({ is: 'refused', status: 410 });
    await assert.rejects(images.upload(record, content(), call), { name: 'ImageNotFound' });
  });

  it('waits for the service to be done with the try before', async (t) => {
    const { server, images, record, call } = await start(t);
    await images.create(record, signal);
    const held = server.images.get(record.id);
    assert.ok(held);
    held.status = 'saving';
    await assert.rejects(images.upload(record, content(), call), away);
    held.status = 'queued';
    await images.upload(record, content(), call);
  });

  it('is refused for good, or may be tried later, as the service says', async (t) => {
    for (const status of [400, 403, 413]) {
      const { server, images, record, call } = await start(t);
      server.creating.push(status);
      const refused = { name: 'ImageRefused', status: 400, message: new RegExp(`${status} ${status} no`) };
      await assert.rejects(images.create(record, signal), refused);
      server.next.push({ is: 'refused', status });
      await assert.rejects(images.upload(record, content(), call), { name: 'ImageRefused' });
    }
    for (const status of [401, 429, 500, 503]) {
      const { server, images, record, call } = await start(t);
      server.next.push({ is: 'refused', status });
      await assert.rejects(images.upload(record, content(), call), away);
      server.down = status;
      await assert.rejects(images.create(record, signal), away);
      await assert.rejects(images.remove(record.id, signal), away);
    }
  });

  it('is there although the answer to its making was lost', async (t) => {
    const { server, images, record } = await start(t);
    server.creating.push(0);
    await images.create(record, signal);
    assert.equal(server.images.size, 1);
  });

  it('is removed whatever it is in, protected or not, and it is well when there is none', async (t) => {
    const { server, images, record, call } = await start(t);
    await images.remove(record.id, signal);
    await images.create({ ...record, protected: true }, signal);
    await images.remove(record.id, signal);
    assert.equal(server.images.size, 0);
    server.forgets = true;
    await images.upload({ ...record, protected: true }, content(), call);
    await images.remove(record.id, signal);
    assert.equal(server.images.size, 0);
  });

  it('ends with the failure of its source, or when nobody wants it, and is queued then', async (t) => {
    const { server, images, record, call } = await start(t);
    const broken = new Error('The disk is gone.');
    const failing: Content = {
      bytes: BYTES,
      async *read() {
        yield DATA.subarray(0, PIECE);
        throw broken;
      },
    };
    await assert.rejects(images.upload(record, failing, call), broken);
    const ended = new AbortController();
    const reason = new Error('not wanted');
    const progress = (fraction: number): void => void (fraction > 0.3 && ended.abort(reason));
    await assert.rejects(images.upload(record, content(), { signal: ended.signal, progress }), (error) => {
      // The service may not have heard yet that the first try is over.
      return error === reason || (error as Error).name === 'ImageServiceUnavailable';
    });
    assert.notEqual(server.images.get(record.id)?.status, 'active');
  });
});
