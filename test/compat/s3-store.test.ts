/** Buckets of a real S3 server as stores of backups: the proof of all stores, what only such a server can do wrong, and whole backups. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { inspect } from 'node:util';
import type { Bite, CopyOrder } from '../../src/backups/backups.ts';
import { makeBackups } from '../../src/backups/make-backups.ts';
import { S3Store } from '../../src/backups/stores/s3-store.ts';
import type { BackupStore } from '../../src/backups/stores/store.ts';
import type { S3Address } from '../../src/backups/stores/store-address.ts';
import { exec } from '../../src/lib/exec.ts';
import * as errors from '../../src/model/errors.ts';
import { backupWorld, MIB, NEVER } from '../backups/backup-world.ts';
import { proveStoreOfBackups } from '../backups/prove-store-of-backups.ts';
import { MAIN, withPumice } from '../cli/pumice-process.ts';
import { condition } from '../crash/condition.ts';
import { inTime } from '../in-time.ts';
import { noRadosgw, PAGE, QUOTA_BYTES, Radosgw, SECRET_KEY } from './radosgw-process.ts';

const PACK = 'scopes/s/packs/b/1-0';
const CREATED_AT = '2026-01-31T12:00:00.000000';

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

  const calls = (store: BackupStore) => [
    () => store.get(PACK, NEVER),
    () => store.get(PACK, NEVER, { at: 0, bytes: 1 }),
    () => store.head(PACK, NEVER),
    () => store.put(PACK, Buffer.from('x'), NEVER),
    () => store.putNew(PACK, Buffer.from('x'), NEVER),
    () => store.delete(PACK, NEVER),
    () => store.list('', NEVER)[Symbol.asyncIterator]().next(),
  ];

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
        for (const call of calls(new S3Store(address(wrong)))) {
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
      for (const call of calls(new S3Store(address({ endpoint }))))
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
      await assert.rejects(store.put('scopes/s/packs/b/2-0', body, NEVER), (error: Error) => {
        assert.ok(error instanceof errors.BackupStoreFull, inspect(error));
        return true;
      });
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

  it('holds a backup that goes on after kills of who copies and of the server, and is restored as it was', () =>
    inBucket(async (address) => {
      const world = await backupWorld();
      try {
        const backups = makeBackups({ exec });
        const bytes = 72 * MIB;
        const file = await world.file('v', bytes, [[0, randomBytes(bytes)]]);
        const place = { store: address({ silenceMs: 5_000 }), scope: 'scope', keys: [], backupId: 'a' };
        await backups.openScope(place, null, NEVER);
        const order: Omit<CopyOrder, 'attempt'> = {
          place,
          source: { uri: `file:${file}`, bytes },
          parentId: null,
          changed: null,
          base: null,
          bites: [],
          patienceMs: 120_000,
        };
        const watch = { progress: () => {}, waiting: (_why: string | null): void => {}, signal: NEVER };

        // Each is killed with its pack on the way when the one before has been told.
        const bites: Bite[] = [];
        for (let attempt = 1; attempt <= 2; attempt += 1) {
          const cancel = new AbortController();
          const bite = (each: Bite): void => {
            if (cancel.signal.aborted) return;
            bites.push(each);
            cancel.abort(new Error('killed'));
          };
          const killed = backups.copy(
            { ...order, attempt, bites: [...bites] },
            { ...watch, signal: cancel.signal, bite },
          );
          await assert.rejects(inTime('the kill', killed), { message: 'killed' });
        }

        const waits: (string | null)[] = [];
        const waited = Promise.withResolvers<void>();
        const waiting = (why: string | null): void => {
          waits.push(why);
          waited.resolve();
        };
        let killing: Promise<void> | undefined;
        const bite = (each: Bite): void => {
          bites.push(each);
          killing ??= radosgw.kill();
        };
        const copying = backups.copy({ ...order, attempt: 3, bites: [...bites] }, { ...watch, waiting, bite });
        await inTime('waiting', Promise.race([waited.promise, copying]));
        await killing;
        await radosgw.begin();
        const { readBytes } = await inTime('the copy', copying);
        assert.ok(readBytes < bytes, 'it went on');
        assert.match(waits[0] ?? '', /^The backup store \(http:\S+\) (could not be reached|ended the connection)/);
        assert.equal(waits.at(-1), null);

        const manifest = { place, parentId: null, bytes, bites, createdAt: CREATED_AT, metadata: null };
        const { packs } = await backups.writeManifest(manifest, NEVER);
        await backups.deleteUnrecorded(place, 3, bites, NEVER);
        const stored: string[] = [];
        for await (const { name } of new S3Store(place.store).list('scopes/scope/packs/', NEVER)) stored.push(name);
        assert.deepEqual(stored.sort(), packs.map(({ name }) => `scopes/scope/packs/${name}`).sort());
        assert.deepEqual(await backups.verify({ place, depth: 'chunks', patienceMs: 0 }, watch), []);
        const target = await world.file('target', bytes, []);
        await backups.restore(
          { place, target: { uri: `file:${target}`, bytes, isEmpty: true }, doneBytes: 0, patienceMs: 0 },
          { ...watch, done: () => {} },
        );
        assert.ok((await readFile(target)).equals(await readFile(join(world.path, 'v'))));
      } finally {
        await world.remove();
      }
    }));

  it('is told of in a section, keeps the backups of a service, and tells nobody its key', () =>
    inBucket((address) =>
      withPumice(async ({ directory, run }) => {
        const at = (name: string): string => join(directory, name);
        const { endpoint, bucket, accessKey } = address();
        const section = `[backup_stores.main]
          backup_driver = "s3"
          backup_s3_endpoint_url = "${endpoint}"
          backup_s3_store_bucket = "${bucket}"
          backup_s3_prefix = "pumice/"
          backup_s3_store_access_key = "${accessKey}"
          backup_s3_store_secret_key_file = "secret"`;
        await writeFile(at('store.toml'), section);
        await writeFile(at('secret'), `${SECRET_KEY}\n`);
        await writeFile(at('pumice.toml'), `data_directory = "."\n[api]\nport = 0\n[log]\nlevel = "debug"\n${section}`);

        const pumice = run('serve', '--config', at('pumice.toml'));
        const ask = asking(`${await pumice.address()}/v3/cafe`);
        const { volume } = await ask('POST', '/volumes', { volume: { size: 1 } });
        await ask.until(`/volumes/${volume.id}`, 'volume', 'available');
        const file = await open(at(`volumes/volume-${volume.id}`), 'r+');
        const data = randomBytes(3 * MIB);
        await file.write(data, 0, data.length, 5 * MIB);
        const { backup } = await ask('POST', '/backups', { backup: { volume_id: volume.id } });
        await ask.until(`/backups/${backup.id}`, 'backup', 'available');
        await file.write(Buffer.alloc(data.length), 0, data.length, 5 * MIB);
        await ask('POST', `/backups/${backup.id}/restore`, { restore: { volume_id: volume.id } });
        await ask.until(`/backups/${backup.id}`, 'backup', 'available');
        await ask.until(`/volumes/${volume.id}`, 'volume', 'available');
        const { buffer } = await file.read(Buffer.alloc(data.length), 0, data.length, 5 * MIB);
        await file.close();
        assert.ok(buffer.equals(data));
        pumice.signal('SIGTERM');
        const { code, out, err } = await pumice.ended();
        assert.equal(code, 0, err);

        const names: string[] = [];
        for await (const { name } of new S3Store(address({ prefix: 'pumice/' })).list('scopes/', NEVER))
          names.push(name);
        const manifest = names.find((name) => name.endsWith(`/manifests/${backup.id}`)) ?? '';
        const argv = ['backup-store', 'cat', '--config', at('store.toml'), '--store', 'main', manifest];
        const cat = spawn(process.execPath, [MAIN, ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
        let catAt = 0;
        for await (const piece of cat.stdout as AsyncIterable<Buffer>) {
          const from = catAt - 5 * MIB;
          const [start, end] = [Math.max(0, from), Math.min(data.length, from + piece.length)];
          if (start < end) assert.ok(piece.subarray(start - from, end - from).equals(data.subarray(start, end)));
          catAt += piece.length;
        }
        assert.equal(catAt, 1024 * MIB);

        const wrong = run(
          ...['serve', '--config', at('pumice.toml')],
          ...['--set', 'backup_stores.main.backup_s3_store_secret_key=another'],
        );
        const askWrong = asking(`${await wrong.address()}/v3/cafe`);
        const { backup: refused } = await askWrong('POST', '/backups', { backup: { volume_id: volume.id } });
        await askWrong.until(`/backups/${refused.id}`, 'backup', 'error');
        await askWrong.until(`/volumes/${volume.id}`, 'volume', 'available');
        wrong.signal('SIGTERM');
        const ended = await wrong.ended();
        assert.match(
          ended.err,
          /refused our credentials \(SignatureDoesNotMatch\)\. Check backup_s3_store_secret_key\./,
        );

        const told = [out, err, ended.out, ended.err];
        for (const name of await readdir(directory))
          if (name.startsWith('pumice.sqlite')) told.push((await readFile(at(name))).toString('latin1'));
        assert.ok(told.length > 4);
        assert.ok(!told.some((text) => text.includes(SECRET_KEY)));
      }),
    ));
});

/** A client of a project's, and what waits for a status. */
function asking(url: string) {
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  const ask = async (method: string, path: string, body?: object): Promise<any> => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: {
        'x-auth-token': 'me:cafe',
        'openstack-api-version': 'volume 3.60',
        'content-type': 'application/json',
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
    return answer.json();
  };
  const until = (path: string, kind: string, status: string): Promise<void> =>
    condition(`${path} is ${status}`, 60_000, async () => (await ask('GET', path))[kind].status === status);
  return Object.assign(ask, { until });
}
