/** Containers of a real Swift as stores of backups: the proof of all stores, what only such a server can do wrong, and whole backups. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { inspect } from 'node:util';
import type { SwiftAddress } from '../../src/backups/stores/store-address.ts';
import { SwiftStore } from '../../src/backups/stores/swift-store.ts';
import * as errors from '../../src/model/errors.ts';
import { backupWorld, MIB, NEVER } from '../backups/backup-world.ts';
import { proveHistories } from '../backups/histories.ts';
import { proveStoreOfBackups } from '../backups/prove-store-of-backups.ts';
import { condition } from '../crash/condition.ts';
import { inTime } from '../in-time.ts';
import { backupOfService, backupWithKills, callsOf, PACK } from './store-on-server.ts';
import { KEY, noSwift, QUOTA_BYTES, Swift } from './swift-process.ts';

describe('a container of Swift', { skip: noSwift }, () => {
  let swift: Swift;
  before(async () => {
    swift = await Swift.start();
  });
  after(() => swift?.remove());

  /** A container of its own. */
  async function inContainer(
    body: (address: (more?: Partial<SwiftAddress>) => SwiftAddress, container: string) => Promise<void>,
  ): Promise<void> {
    const container = await swift.makeContainer();
    await body((more) => swift.address(container, more), container);
    await swift.removeContainer(container);
  }

  proveStoreOfBackups('a container', async () => {
    const container = await swift.makeContainer();
    let isThere = true;
    const remove = async (): Promise<void> => {
      if (isThere) await swift.removeContainer(container);
      isThere = false;
    };
    const address = swift.address(container);
    return { store: new SwiftStore(address), other: new SwiftStore(address), vanish: remove, remove };
  });

  it('refuses at once what no time will put right, and says what to do', () =>
    inContainer(async (address, container) => {
      await new SwiftStore(address()).put(PACK, Buffer.from('there'), NEVER);
      const refusals: readonly (readonly [Partial<SwiftAddress>, RegExp])[] = [
        [{ key: `${KEY}x` }, /refused our credentials \(401\)\. Check backup_swift_user, backup_swift_key/],
        [{ user: 'test:nobody' }, /refused our credentials \(401\)/],
        [{ user: 'test:guest' }, /our user may not do this there \(403\)/],
        [{ container: `${container}-not` }, /the container is not there, and was not deleted by us/],
        [{ authUrl: `${swift.url}/elsewhere` }, /it answers 4\d\d\. Check backup_swift_auth_url/],
      ];
      for (const [wrong, said] of refusals) {
        for (const [index, call] of callsOf(new SwiftStore(address(wrong))).entries()) {
          await assert.rejects(call(), (error: Error) => {
            assert.ok(error instanceof errors.BackupStoreRefused, `${index} ${inspect(error)}`);
            assert.match(error.message, said);
            assert.ok(!inspect(error, { depth: null }).includes(KEY));
            return true;
          });
        }
      }
    }));

  it('is full when its quota is, and takes more when something is deleted', () =>
    inContainer(async (address) => {
      const store = new SwiftStore(address());
      const body = randomBytes(QUOTA_BYTES / 4);
      // The quota is compared with what has been counted, now and then.
      const full: Error[] = [];
      let packs = 0;
      await condition('it is full', 60_000, async () => {
        await store.put(`scopes/s/packs/b/1-${packs}`, body, NEVER).then(
          () => (packs += 1),
          (error: Error) => full.push(error),
        );
        return full.length > 0;
      });
      assert.ok(full[0] instanceof errors.BackupStoreFull, inspect(full[0]));
      assert.ok(packs >= 4);
      assert.equal(await store.head(`scopes/s/packs/b/1-${packs}`, NEVER), null);
      for (let index = 0; index < packs; index += 1) await store.delete(`scopes/s/packs/b/1-${index}`, NEVER);
      await condition('it takes more', 60_000, () =>
        store.put(`scopes/s/packs/b/1-${packs}`, body, NEVER).then(
          () => true,
          (error: unknown) => {
            if (error instanceof errors.BackupStoreFull) return false;
            throw error;
          },
        ),
      );
    }));

  it('signs in again when its token is not taken any more', () =>
    inContainer(async (address) => {
      const store = new SwiftStore(address());
      await store.put(PACK, Buffer.from('there'), NEVER);
      await swift.forgetTokens();
      for (const call of callsOf(store)) await call();
      assert.equal(await store.head(PACK, NEVER), null);
    }));

  it('that freezes or dies in the middle of a put is unavailable, and what was put is whole or not there', () =>
    inContainer(async (address) => {
      const store = new SwiftStore(address({ silenceMs: 1_000 }));
      await store.put(PACK, Buffer.from('signed in'), NEVER);
      const body = randomBytes(16 * MIB);
      const unavailable = { name: 'BackupStoreUnavailable' };
      const interrupted = async (name: string, interrupt: () => unknown): Promise<void> => {
        const putting = assert.rejects(store.put(name, body, NEVER), unavailable);
        await turn();
        await interrupt();
        await inTime('the put', putting);
        await assert.rejects(store.head(name, NEVER), unavailable);
      };
      await interrupted('frozen', () => swift.freeze('proxy'));
      swift.thaw('proxy');
      await interrupted('killed', () => swift.kill('proxy'));
      await swift.begin('proxy');
      await interrupted('without servers of objects', () => swift.kill('object'));
      await swift.begin('object');
      const patient = new SwiftStore(address());
      for (const name of ['frozen', 'killed', 'without servers of objects']) {
        const there = await patient.head(name, NEVER);
        assert.ok(there === null || there === body.length, `${name}: ${there}`);
        await patient.put(name, body, NEVER);
        assert.ok((await patient.get(name, NEVER)).equals(body));
      }
    }));

  it('gives back what was backed up, and keeps packs as long as they are needed', () =>
    proveHistories(async () => {
      const container = await swift.makeContainer();
      const address = swift.address(container);
      const store = new SwiftStore(address, 2 * MIB);
      return backupWorld(0, [], { address, store, remove: () => swift.removeContainer(container) });
    }, 1));

  it('holds a backup that goes on after kills of who copies and of the server, and is restored as it was', () =>
    inContainer((address) =>
      backupWithKills(address({ silenceMs: 5_000 }), {
        kill: () => swift.kill('proxy'),
        begin: () => swift.begin('proxy'),
      }),
    ));

  it('is told of in a section, keeps the backups of a service, and tells nobody its key', () =>
    inContainer((address) => {
      const { authUrl, user, container } = address();
      return backupOfService({
        store: new SwiftStore(address()),
        options: `
          backup_driver = "swift"
          backup_swift_auth_url = "${authUrl}"
          backup_swift_auth_version = "1"
          backup_swift_user = "${user}"
          backup_swift_key_file = "secret"
          backup_swift_container = "${container}"`,
        secret: KEY,
        wrong: 'backup_swift_key=another',
        refusal: /refused our credentials \(401\)\. Check backup_swift_user, backup_swift_key/,
      });
    }));
});
