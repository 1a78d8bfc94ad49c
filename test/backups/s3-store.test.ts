/** What S3 servers answer, and what becomes of it; `test/compat/s3-store.test.ts` has a real one. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { S3Store } from '../../src/backups/stores/s3-store.ts';
import type { BackupStore } from '../../src/backups/stores/store.ts';
import { httpServer } from '../clients/http-server.ts';
import { inTime } from '../in-time.ts';
import { falseS3 } from './false-s3.ts';

const NEVER = new AbortController().signal;
const PACK = 'scopes/s/packs/b/1-0';

const calls = (store: BackupStore) => [
  () => store.get(PACK, NEVER),
  () => store.get(PACK, NEVER, { at: 1, bytes: 1 }),
  () => store.head(PACK, NEVER),
  () => store.put(PACK, Buffer.from('body'), NEVER),
  () => store.putNew(PACK, Buffer.from('body'), NEVER),
  () => store.delete(PACK, NEVER),
];

const code = (text: string): string => `<?xml version="1.0"?><Error><Code>${text}</Code></Error>`;

describe('a store on S3', { concurrency: true }, () => {
  const meanings: readonly (readonly [status: number, body: string, error: string, said: RegExp])[] = [
    [503, code('SlowDown'), 'BackupStoreUnavailable', /is busy \(SlowDown\)/],
    [503, '<html>', 'BackupStoreUnavailable', /is busy \(503\)/],
    [429, '', 'BackupStoreUnavailable', /is busy \(429\)/],
    [500, code('InternalError'), 'BackupStoreUnavailable', /is busy \(InternalError\)/],
    [400, code('RequestTimeout'), 'BackupStoreUnavailable', /is busy \(RequestTimeout\)/],
    [507, code('XMinioStorageFull'), 'BackupStoreFull', /is full \(XMinioStorageFull\)/],
    [403, code('QuotaExceeded'), 'BackupStoreFull', /is full \(QuotaExceeded\)/],
    [403, code('SignatureDoesNotMatch'), 'BackupStoreRefused', /Check backup_s3_store_secret_key/],
    [403, code('RequestTimeTooSkewed'), 'BackupStoreRefused', /its clock and the one of this host differ/],
    [403, code('AccessDenied'), 'BackupStoreRefused', /our key may not do this there/],
    [
      301,
      code('PermanentRedirect'),
      'BackupStoreRefused',
      /is elsewhere \(PermanentRedirect\)\. Check backup_s3_endpoint_url/,
    ],
    [404, code('NoSuchBucket'), 'BackupStoreRefused', /the bucket is not there, and was not deleted by us/],
    // Some other server answers there: nothing that it says is believed.
    [404, '<html>Not Found</html>', 'BackupStoreRefused', /answers 404\. Check backup_s3_endpoint_url/],
    [405, '', 'BackupStoreRefused', /answers 405/],
    [400, code('EntityTooLarge'), 'BackupFailed', /answers EntityTooLarge/],
  ];
  test('knows what waiting can put right, what an operator, and what nobody', async (t) => {
    const { address, dictate } = await falseS3(t);
    const store = new S3Store(address);
    for (const [status, body, name, said] of meanings) {
      dictate({ status, body });
      for (const [index, call] of calls(store).entries())
        await assert.rejects(call(), (error: Error) => {
          assert.equal(error.name, name, `${status} ${body}, call ${index}: ${inspect(error)}`);
          assert.match(error.message, said);
          assert.match(error.message, /^The backup store \(bucket bucket at http:\S+\) could not \S/);
          return true;
        });
    }
  });

  test('finds what comes while it is looked for', async (t) => {
    let heads = 0;
    const endpoint = await httpServer(t, (request, response) => {
      if (request.method !== 'HEAD') return response.writeHead(206, { 'content-length': 1 }).end('x');
      heads += 1;
      return response.writeHead(heads === 1 ? 404 : 200, { 'content-length': heads === 1 ? 0 : 1 }).end();
    });
    const { address } = await falseS3(t);
    const store = new S3Store({ ...address, endpoint });
    assert.equal(await store.head(PACK, NEVER), 1);
    heads = 0;
    assert.equal(await store.putNew(PACK, Buffer.from('body'), NEVER), false);
  });

  test('is away when nobody listens', async (t) => {
    const { address } = await falseS3(t);
    const nobody = new S3Store({ ...address, endpoint: 'http://127.0.0.1:1' });
    for (const call of calls(nobody))
      await assert.rejects(call(), {
        name: 'BackupStoreUnavailable',
        message: /could not be reached .*\(ECONNREFUSED\)/,
      });
  });

  test('finds the bucket in the path, or before the name of the host', async (t) => {
    const { address, asked } = await falseS3(t);
    await new S3Store(address).put(PACK, Buffer.from('x'), NEVER);
    assert.deepEqual(asked, [`PUT /bucket/pumice/${PACK}`]);
    // A name that never is one.
    const virtual = new S3Store({ ...address, endpoint: 'http://s3.invalid:81', addressing: 'virtual' });
    await assert.rejects(virtual.put(PACK, Buffer.from('x'), NEVER), {
      message: new RegExp(`\\(http://bucket\\.s3\\.invalid:81\\) could not be reached for PUT /pumice/${PACK} `),
    });
  });

  for (const conditions of ['ignored', 'unknown'] as const) {
    test(`of several that put something new lets one, where conditions are ${conditions}`, async (t) => {
      const { address } = await falseS3(t, conditions);
      const [store, other] = [new S3Store(address), new S3Store(address)];
      const puts = await inTime(
        'the puts',
        Promise.all(
          Array.from({ length: 8 }, (_, i) => (i % 2 ? store : other).putNew(PACK, Buffer.from(`put ${i}`), NEVER)),
        ),
      );
      assert.equal(puts.filter(Boolean).length, 1);
      assert.equal((await other.get(PACK, NEVER)).toString(), `put ${puts.indexOf(true)}`);
      assert.equal(await other.putNew(PACK, Buffer.from('later'), NEVER), false);
      assert.equal((await other.get(PACK, NEVER)).toString(), `put ${puts.indexOf(true)}`);
    });
  }
});
