/** How a store on Swift signs in, and what becomes of what Swift answers; `test/compat/swift-store.test.ts` has a real one. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { describe, type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { makeBackups } from '../../src/backups/make-backups.ts';
import type { BackupStore } from '../../src/backups/stores/store.ts';
import type { SwiftAddress } from '../../src/backups/stores/store-address.ts';
import { SwiftStore } from '../../src/backups/stores/swift-store.ts';
import { exec } from '../../src/lib/exec.ts';
import { httpServer } from '../clients/http-server.ts';

const NEVER = new AbortController().signal;
const PACK = 'scopes/s/packs/b/1-0';

interface FalseSwift {
  readonly address: SwiftAddress;
  /** Method, path and token of each request to the object store. */
  readonly asked: string[];
  /** Bodies of those who signed in. */
  readonly signedIn: unknown[];
  /** What the door answers. */
  door: { status: number; catalogue?: unknown };
  /** What the object store answers, to one request after the other; the last for ever. */
  answers: readonly number[];
}

/** A Keystone and an object store in one. */
async function falseSwift(t: TestContext): Promise<FalseSwift> {
  const url = await httpServer(t, async (request, response) => {
    if (request.url === '/identity/v3/auth/tokens') {
      swift.signedIn.push(await json(request));
      const { status, catalogue = [{ type: 'object-store', endpoints: endpointsAt(url) }] } = swift.door;
      response.writeHead(status, { 'x-subject-token': `token-${swift.signedIn.length}` });
      return response.end(JSON.stringify({ token: { catalog: catalogue } }));
    }
    request.resume();
    swift.asked.push(`${request.method} ${request.url} ${request.headers['x-auth-token']}`);
    const [status = 200, ...later] = swift.answers;
    if (later.length > 0) swift.answers = later;
    return response.writeHead(status, { 'content-length': 0 }).end();
  });
  const swift: FalseSwift = {
    asked: [],
    signedIn: [],
    door: { status: 201 },
    answers: [200],
    address: {
      kind: 'swift',
      authUrl: `${url}/identity`,
      authVersion: '3',
      user: 'pumice',
      key: 'the key',
      userDomain: 'Default',
      project: 'service',
      projectDomain: 'Sites',
      region: null,
      storageUrl: null,
      container: 'backups',
      caFile: null,
      silenceMs: 20_000,
    },
  };
  return swift;
}

const endpointsAt = (url: string): object[] => [
  { interface: 'internal', region: 'one', url: `${url}/internal` },
  { interface: 'public', region: 'one', url: `${url}/v1/AUTH_one` },
  { interface: 'public', region: 'two', url: `${url}/v1/AUTH_two` },
];

const calls = (store: BackupStore) => [
  () => store.get(PACK, NEVER),
  () => store.get(PACK, NEVER, { at: 1, bytes: 1 }),
  () => store.head(PACK, NEVER),
  () => store.put(PACK, Buffer.from('body'), NEVER),
  () => store.putNew(PACK, Buffer.from('body'), NEVER),
  () => store.delete(PACK, NEVER),
];

describe('a store on Swift', () => {
  test('signs in by Keystone once, and finds the account in its catalogue or where it is told', async (t) => {
    const swift = await falseSwift(t);
    const { address } = swift;
    const store = new SwiftStore(address);
    await Promise.all([store.head(PACK, NEVER), store.head(PACK, NEVER)]);
    assert.deepEqual(swift.signedIn, [
      {
        auth: {
          identity: {
            methods: ['password'],
            password: { user: { name: 'pumice', password: 'the key', domain: { name: 'Default' } } },
          },
          scope: { project: { name: 'service', domain: { name: 'Sites' } } },
        },
      },
    ]);
    for (const more of [
      { region: 'two' },
      { storageUrl: `${new URL(address.authUrl).origin}/swift/v1/` },
      { authUrl: `${address.authUrl}/v3/` },
    ])
      await new SwiftStore({ ...address, ...more }).head(PACK, NEVER);
    assert.deepEqual(swift.asked, [
      `HEAD /v1/AUTH_one/backups/${PACK} token-1`,
      `HEAD /v1/AUTH_one/backups/${PACK} token-1`,
      `HEAD /v1/AUTH_two/backups/${PACK} token-2`,
      `HEAD /swift/v1/backups/${PACK} token-3`,
      `HEAD /v1/AUTH_one/backups/${PACK} token-4`,
    ]);
  });

  test('signs in again when its token is not taken, and is refused when the next is not taken either', async (t) => {
    const swift = await falseSwift(t);
    const store = new SwiftStore(swift.address);
    swift.answers = [401, 201];
    await store.put(PACK, Buffer.from('x'), NEVER);
    assert.deepEqual(
      swift.asked,
      ['token-1', 'token-2'].map((token) => `PUT /v1/AUTH_one/backups/${PACK} ${token}`),
    );
    swift.answers = [401];
    await assert.rejects(store.put(PACK, Buffer.from('x'), NEVER), { name: 'BackupStoreRefused', message: /\(401\)/ });
  });

  test('is signed into once by a service, however often it is used, and again where it could not be opened', async (t) => {
    const swift = await falseSwift(t);
    const backups = makeBackups({ exec });
    const scope = { store: swift.address, scope: 's', keys: [] };
    swift.answers = [204];
    for (const packs of [['b/1-0', 'b/1-1'], ['b/1-2']]) await backups.deletePacks(scope, packs, NEVER);
    assert.equal(swift.asked.length, 3);
    assert.equal(swift.signedIn.length, 1);
    const caFile = join(tmpdir(), `pumice-${process.pid}-certificates.pem`);
    const far = { ...scope, store: { ...swift.address, caFile } };
    await assert.rejects(backups.deletePacks(far, ['b/1-0'], NEVER), {
      name: 'BackupStoreRefused',
      message: /cannot be read/,
    });
    await writeFile(caFile, '-----BEGIN CERTIFICATE-----');
    try {
      await backups.deletePacks(far, ['b/1-0'], NEVER);
    } finally {
      await rm(caFile);
    }
  });

  test('knows at the door what waiting can put right, and what an operator', async (t) => {
    const swift = await falseSwift(t);
    const nothing = { status: 201, catalogue: [] };
    for (const [door, name, said] of [
      [
        { status: 401 },
        'BackupStoreRefused',
        /refused our credentials \(401\)\. Check backup_swift_user, backup_swift_key/,
      ],
      [{ status: 404 }, 'BackupStoreRefused', /answers 404\. Check backup_swift_auth_url/],
      [{ status: 300 }, 'BackupStoreRefused', /answers 300\. Check backup_swift_auth_url/],
      [nothing, 'BackupStoreRefused', /no object store there\. Check backup_swift_region/],
      [{ status: 429 }, 'BackupStoreUnavailable', /is busy \(429\)/],
      [{ status: 503 }, 'BackupStoreUnavailable', /is busy \(503\)/],
    ] as const) {
      swift.door = door;
      for (const call of calls(new SwiftStore(swift.address)))
        await assert.rejects(call(), (error: Error) => {
          assert.equal(error.name, name, inspect(error));
          assert.match(error.message, said);
          assert.ok(!inspect(error, { depth: null }).includes('the key'));
          return true;
        });
    }
  });

  test('knows what waiting can put right, what an operator, and what nobody', async (t) => {
    const swift = await falseSwift(t);
    const store = new SwiftStore(swift.address);
    for (const [status, name, said] of [
      [403, 'BackupStoreRefused', /our user may not do this there \(403\)/],
      [404, 'BackupStoreRefused', /the container is not there, and was not deleted by us/],
      [413, 'BackupStoreFull', /is full \(413\)/],
      [422, 'BackupStoreUnavailable', /is busy \(422\)/],
      [498, 'BackupStoreUnavailable', /is busy \(498\)/],
      [503, 'BackupStoreUnavailable', /is busy \(503\)/],
      [507, 'BackupStoreFull', /is full \(507\)/],
      [400, 'BackupFailed', /answers 400/],
    ] as const) {
      swift.answers = [status];
      for (const [index, call] of calls(store).entries())
        await assert.rejects(call(), (error: Error) => {
          assert.equal(error.name, name, `${status}, call ${index}: ${inspect(error)}`);
          assert.match(error.message, said);
          return true;
        });
    }
  });
});
