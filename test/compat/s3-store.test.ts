/** Buckets of a real S3 server as stores of backups: the proof of all stores, what only such a server can do wrong, and whole backups. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { inspect } from 'node:util';
import { S3Store } from '../../src/backups/stores/s3-store.ts';
import type { S3Address } from '../../src/backups/stores/store-address.ts';
import * as errors from '../../src/model/errors.ts';
import { backupWorld, MIB, NEVER } from '../backups/backup-world.ts';
import { proveHistories } from '../backups/histories.ts';
import { proveStoreOfBackups } from '../backups/prove-store-of-backups.ts';
import { inTime } from '../in-time.ts';
import { noRadosgw, PAGE, QUOTA_BYTES, Radosgw, SECRET_KEY } from './radosgw-process.ts';
import { backupOfService, backupWithKills, callsOf, PACK } from './store-on-server.ts';

describe('a bucket on radosgw', { skip: noRadosgw }, () => {
  let radosgw: Radosgw;
  before(async () => {
    radosgw = await Radosgw.start();
  });
  after(() => radosgw?.remove());

  /** A bucket of its own. */
  async function inBucket(
    body: (address: (more?: Partial<S3Address>) => S3Address, bucket: string) => Promise<void>,
  ): Promise<void> {
    const bucket = await radosgw.makeBucket();
    await body((more) => radosgw.address(bucket, more), bucket);
    await radosgw.removeBucket(bucket);
  }

  proveStoreOfBackups('a bucket', async () => {
    const bucket = await radosgw.makeBucket();
    let isThere = true;
    const remove = async (): Promise<void> => {
      if (isThere) await radosgw.removeBucket(bucket);
      isThere = false;
    };
    const address = radosgw.address(bucket, { prefix: 'pumice/' });
    return { store: new S3Store(address), other: new S3Store(address), vanish: remove, remove };
  });

  it('refuses at once what no time will put right, and says what to do', () =>
    inBucket(async (address, bucket) => {
      await new S3Store(address()).put(PACK, Buffer.from('there'), NEVER);
      const refusals: readonly (readonly [Partial<S3Address>, RegExp])[] = [
        [
          { secretKey: `${SECRET_KEY}x` },
          /refused our credentials \(SignatureDoesNotMatch\)\. Check backup_s3_store_secret_key\.$/,
        ],
        [{ accessKey: 'NOBODY' }, /does not know our key \(InvalidAccessKeyId\)\. Check backup_s3_store_access_key\.$/],
        [{ bucket: `${bucket}-not` }, /the bucket is not there, and was not deleted by us \(NoSuchBucket\)/],
      ];
      for (const [wrong, said] of refusals) {
        for (const call of callsOf(new S3Store(address(wrong)))) {
          await assert.rejects(call(), (error: Error) => {
            assert.ok(error instanceof errors.BackupStoreRefused, inspect(error));
            assert.match(error.message, said);
            assert.ok(!inspect(error, { depth: null }).includes(SECRET_KEY));
            return true;
          });
        }
      }
    }));

  it('keeps its names below a prefix, and lists more than a page of them', () =>
    inBucket(async (address) => {
      const [below, beside] = ['a/', 'b/'].map((prefix) => new S3Store(address({ prefix })));
      assert.ok(below && beside);
      await beside.put(PACK, Buffer.from('b'), NEVER);
      const names = Array.from({ length: PAGE + 1 }, (_, index) => `scopes/s/packs/b/1-${index}`);
      for (let from = 0; from < names.length; from += 50)
        await Promise.all(names.slice(from, from + 50).map((name) => below.put(name, Buffer.from('a'), NEVER)));
      const seen: string[] = [];
      for await (const { name } of below.list('', NEVER)) seen.push(name);
      assert.deepEqual(seen.sort(), names.sort());
      assert.equal((await beside.get(PACK, NEVER)).toString(), 'b');
    }));

  it('is reached over https by whoever trusts it, and by nobody else', () =>
    inBucket(async (address) => {
      const endpoint = radosgw.tlsEndpoint;
      const store = new S3Store(address({ endpoint, caFile: radosgw.caFile }));
      const body = randomBytes(2 * MIB);
      assert.ok(await store.putNew(PACK, body, NEVER));
      assert.ok((await store.get(PACK, NEVER)).equals(body));
      for (const call of callsOf(new S3Store(address({ endpoint }))))
        await assert.rejects(call(), (error: Error) => {
          assert.ok(error instanceof errors.BackupStoreRefused, inspect(error));
          assert.match(error.message, /CERT/);
          return true;
        });
    }));

  it('is full when its quota is, and takes more when something is deleted', () =>
    inBucket(async (address) => {
      const store = new S3Store(address());
      const body = randomBytes(16 * MIB);
      const packs = Array.from({ length: QUOTA_BYTES / body.length }, (_, index) => `scopes/s/packs/b/1-${index}`);
      for (const pack of packs) await store.put(pack, body, NEVER);
      // The server refuses before it has read all, and closes: what it says may be lost with the connection, and is asked for again.
      const refused = async (): Promise<unknown> =>
        store.put('scopes/s/packs/b/2-0', body, NEVER).then(
          () => assert.fail('It was taken.'),
          (error: unknown) => (error instanceof errors.BackupStoreUnavailable ? refused() : error),
        );
      const error = await inTime('the refusal', refused());
      assert.ok(error instanceof errors.BackupStoreFull, inspect(error));
      assert.equal(await store.head('scopes/s/packs/b/2-0', NEVER), null);
      await store.delete(packs[0] ?? '', NEVER);
      await store.put('scopes/s/packs/b/2-0', body, NEVER);
    }));

  it('that freezes or dies in the middle of a put is unavailable, and what was put is whole or not there', () =>
    inBucket(async (address) => {
      const store = new S3Store(address({ silenceMs: 500 }));
      const body = randomBytes(16 * MIB);
      const unavailable = { name: 'BackupStoreUnavailable' };
      const interrupted = async (name: string, interrupt: () => unknown): Promise<void> => {
        const putting = assert.rejects(store.put(name, body, NEVER), unavailable);
        await turn();
        await interrupt();
        await inTime('the put', putting);
        await assert.rejects(store.head(name, NEVER), unavailable);
      };
      await interrupted('frozen', () => radosgw.freeze());
      radosgw.thaw();
      await interrupted('killed', () => radosgw.kill());
      await radosgw.begin();
      const patient = new S3Store(address());
      for (const name of ['frozen', 'killed']) {
        const there = await patient.head(name, NEVER);
        assert.ok(there === null || there === body.length, `${name}: ${there}`);
        await patient.put(name, body, NEVER);
        assert.ok((await patient.get(name, NEVER)).equals(body));
      }
    }));

  it('gives back what was backed up, and keeps packs as long as they are needed', () =>
    proveHistories(async () => {
      const bucket = await radosgw.makeBucket();
      const address = radosgw.address(bucket);
      const store = new S3Store(address, 2 * MIB);
      return backupWorld(0, [], { address, store, remove: () => radosgw.removeBucket(bucket) });
    }, 1));

  it('holds a backup that goes on after kills of who copies and of the server, and is restored as it was', () =>
    inBucket((address) => backupWithKills(address({ silenceMs: 5_000 }), radosgw)));

  it('is told of in a section, keeps the backups of a service, and tells nobody its key', () =>
    inBucket((address) => {
      const { endpoint, bucket, accessKey } = address();
      return backupOfService({
        store: new S3Store(address({ prefix: 'pumice/' })),
        options: `
          backup_driver = "s3"
          backup_s3_endpoint_url = "${endpoint}"
          backup_s3_store_bucket = "${bucket}"
          backup_s3_prefix = "pumice/"
          backup_s3_store_access_key = "${accessKey}"
          backup_s3_store_secret_key_file = "secret"`,
        secret: SECRET_KEY,
        wrong: 'backup_s3_store_secret_key=another',
        refusal: /refused our credentials \(SignatureDoesNotMatch\)\. Check backup_s3_store_secret_key\./,
      });
    }));
});
