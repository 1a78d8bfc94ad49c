/**
 * What every store of backups must do, wherever it keeps its objects (`src/backups/stores/store.ts`).
 *
 * A store takes part by making worlds: a fresh, empty store, and another view of the same one, as another process would have.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import type { BackupStore, StoredObject } from '../../src/backups/stores/store.ts';
import * as errors from '../../src/model/errors.ts';
import { inTime } from '../in-time.ts';

export interface StoreOfBackupsWorld {
  readonly store: BackupStore;
  /** As another process sees the same store. */
  readonly other: BackupStore;
  /** Takes the store away, as when it is not mounted or its bucket was removed. */
  vanish(): Promise<void>;
  remove(): Promise<void>;
}

const NEVER = new AbortController().signal;
const PACK = 'scopes/s/packs/b/1-0';
const MIB = 1024 ** 2;

export function proveStoreOfBackups(name: string, make: () => Promise<StoreOfBackupsWorld>): void {
  describe(`${name}, a store of backups`, () => {
    const prove = (sentence: string, body: (world: StoreOfBackupsWorld) => Promise<void>): void => {
      it(sentence, async () => {
        const world = await make();
        try {
          await inTime(sentence, body(world));
        } finally {
          await world.remove();
        }
      });
    };

    prove('gives back what was put, whole and in ranges, to everybody', async ({ store, other }) => {
      const body = randomBytes(3 * MIB + 17);
      await store.put(PACK, body, NEVER);
      for (const view of [store, other]) {
        assert.ok((await view.get(PACK, NEVER)).equals(body));
        assert.equal(await view.head(PACK, NEVER), body.length);
        for (const [at, bytes] of [
          [0, 1],
          [MIB - 1, MIB + 2],
          [body.length - 5, 5],
        ] as const) {
          const part = await view.get(PACK, NEVER, { at, bytes });
          assert.ok(part.equals(body.subarray(at, at + bytes)), `${bytes} from ${at}`);
        }
      }
    });

    prove('never gives less than was asked for', async ({ store }) => {
      await store.put(PACK, Buffer.alloc(100), NEVER);
      for (const range of [
        { at: 90, bytes: 11 },
        { at: 100, bytes: 1 },
        { at: 5000, bytes: 10 },
      ]) {
        await assert.rejects(store.get(PACK, NEVER, range), errors.BackupDamaged, JSON.stringify(range));
      }
    });

    prove('says of what is not there that it is missing, and deletes it all the same', async ({ store }) => {
      await assert.rejects(store.get(PACK, NEVER), errors.BackupMissing);
      await assert.rejects(store.get(PACK, NEVER, { at: 0, bytes: 1 }), errors.BackupMissing);
      assert.equal(await store.head(PACK, NEVER), null);
      await store.delete(PACK, NEVER);
      await store.put(PACK, Buffer.from('there'), NEVER);
      await store.delete(PACK, NEVER);
      await store.delete(PACK, NEVER);
      assert.equal(await store.head(PACK, NEVER), null);
    });

    prove('replaces what is put again, and takes an empty object', async ({ store, other }) => {
      await store.put(PACK, Buffer.from('once'), NEVER);
      await other.put(PACK, Buffer.from('twice'), NEVER);
      assert.equal((await store.get(PACK, NEVER)).toString(), 'twice');
      await store.put(PACK, Buffer.alloc(0), NEVER);
      assert.equal(await store.head(PACK, NEVER), 0);
    });

    prove('of several that put something new lets one', async ({ store, other }) => {
      const puts = await Promise.all(
        Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? store : other).putNew(PACK, Buffer.from(`put ${i}`), NEVER)),
      );
      assert.equal(puts.filter(Boolean).length, 1);
      assert.equal((await other.get(PACK, NEVER)).toString(), `put ${puts.indexOf(true)}`);
      assert.equal(await other.putNew(PACK, Buffer.from('later'), NEVER), false);
    });

    prove('shows an object whole or not at all while it is put', async ({ store, other }) => {
      const bodies = [Buffer.alloc(4 * MIB, 'a'), Buffer.alloc(4 * MIB, 'b')];
      let putting = true;
      const looks = (async () => {
        while (putting) {
          const seen = await other.get(PACK, NEVER).catch((error: unknown) => {
            assert.ok(error instanceof errors.BackupMissing, String(error));
            return null;
          });
          assert.ok(seen === null || bodies.some((body) => body.equals(seen)));
        }
      })();
      for (let i = 0; i < 6; i += 1) await store.put(PACK, bodies[i % 2] as Buffer, NEVER);
      putting = false;
      await looks;
    });

    prove('lists what begins as asked, with its size', async ({ store }) => {
      const put = ['scopes/s/packs/b/1-0', 'scopes/s/packs/b/1-1', 'scopes/s/packs/c/1-0', 'scopes/t/packs/b/1-0'];
      for (const [index, name] of put.entries()) await store.put(name, Buffer.alloc(index), NEVER);
      const seen: StoredObject[] = [];
      for await (const each of store.list('scopes/s/packs/', NEVER)) seen.push(each);
      assert.deepEqual(
        seen.sort((a, b) => (a.name < b.name ? -1 : 1)),
        put.slice(0, 3).map((name, bytes) => ({ name, bytes })),
      );
    });

    prove('ends with the reason of a signal that was aborted', async ({ store }) => {
      const reason = new Error('enough');
      const aborted = AbortSignal.abort(reason);
      const calls = [
        () => store.get(PACK, aborted),
        () => store.put(PACK, Buffer.from('x'), aborted),
        () => store.putNew(PACK, Buffer.from('x'), aborted),
        () => store.head(PACK, aborted),
        () => store.delete(PACK, aborted),
        () => store.freeBytes(aborted),
      ];
      for (const call of calls) await assert.rejects(call(), (error) => error === reason);
      assert.equal(await store.head(PACK, NEVER), null);
    });

    prove('says that it is not there when it is not, and makes none', async ({ store, other, vanish }) => {
      await store.put(PACK, Buffer.from('x'), NEVER);
      await vanish();
      const calls = [
        () => other.get(PACK, NEVER),
        () => other.put(PACK, Buffer.from('x'), NEVER),
        () => other.putNew(PACK, Buffer.from('x'), NEVER),
        () => other.head(PACK, NEVER),
        () => other.delete(PACK, NEVER),
      ];
      for (const call of calls) await assert.rejects(call(), errors.BackupStoreRefused);
    });
  });
}
