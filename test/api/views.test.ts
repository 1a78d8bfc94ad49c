/** A text that is kept of a row is right for whoever gets it: at each version that changes anything, and the one below. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import * as versions from '../../src/api/microversion.ts';
import { ALL_ATTRIBUTES } from '../../src/api/policy/attributes.ts';
import { RowCache, type ViewOptions } from '../../src/api/row-cache.ts';
import { Fields, View } from '../../src/api/view.ts';
import { insertAttachment } from '../../src/db/attachments.ts';
import type { Database } from '../../src/db/database.ts';
import { uuid } from '../../src/lib/clock.ts';
import { freshWorld, PROJECT } from './world.ts';

const folder = new URL('../../src/api/v3/', import.meta.url);
// biome-ignore lint/suspicious/noExplicitAny: views of every kind of row
const views: View<any>[] = [];
for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts')))
  views.push(...Object.values(await import(new URL(file, folder).href)).filter((each) => each instanceof View));

const NAMED = [
  ...new Set(
    Object.values(versions)
      .filter((each): each is number => typeof each === 'number')
      .flatMap((version) => [Math.max(version - 1, 0), version]),
  ),
].sort((a, b) => a - b);

const asking = (version: number, isAdmin: boolean): ViewOptions => ({
  version,
  isAdmin,
  attributes: ALL_ATTRIBUTES,
  links: { base: 'http://x', prefix: 'http://x/v3/p', bookmark: 'http://x/p' },
});

const textOf = async (rowCache: RowCache, view: (typeof views)[number], who: ViewOptions, key: never) =>
  String((await rowCache.texts(view, who, [key]))[0]);

/** A row of each kind, with a value for whatever may be shown. */
async function rows(context: Parameters<typeof freshWorld>[0]): Promise<{
  readonly db: Database;
  readonly keys: readonly { readonly id: string; readonly revision: number }[];
}> {
  const world = await freshWorld(context);
  const { db } = world.service;
  const volume = await world.volume({
    host: 'node@file#file',
    attachStatus: 'attached',
    encryptionKeyId: uuid(),
    groupId: uuid(),
    imageMetadata: { image_name: 'i' },
    providerId: 'p',
  });
  await db.write((tx) =>
    insertAttachment(tx, {
      id: uuid(),
      projectId: PROJECT,
      volumeId: volume.id,
      attachMode: 'rw',
      attachStatus: 'attached',
    }),
  );
  const snapshot = await world.snapshot(volume, { groupSnapshotId: uuid() });
  return { db, keys: [{ id: volume.id, revision: volume.revision + 1 }, snapshot] };
}

describe('a view', () => {
  it('is the same from a cache as without one, whichever version was asked for before', async (context) => {
    assert.ok(views.length >= 4, 'views are found');
    const { db, keys } = await rows(context);
    const orders = [NAMED, NAMED.toReversed()];
    for (const order of orders) {
      const cache = new RowCache(db);
      let texts = 0;
      for (const view of views)
        for (const version of order)
          for (const isAdmin of [true, false])
            for (const key of keys) {
              const who = asking(version, isAdmin);
              const kept = await textOf(cache, view, who, key as never);
              const fresh = await textOf(new RowCache(db), view, who, key as never);
              assert.equal(kept, fresh, `${view.name} at 3.${version}`);
              if (kept !== 'undefined') texts += 1;
            }
      assert.ok(texts >= views.length * order.length * 2, 'each view has shown a row');
    }
  });

  it('keeps one text for all versions between two changes', () => {
    const view = new Fields<{ a: number }, null>([
      [0, 'a', ({ a }) => a],
      [7, 'b', () => 'since 3.7'],
      [9, 'a', ({ a }) => -a],
      [9, 'c', ({ a }) => (a > 1 ? a : undefined)],
    ]);
    assert.deepEqual(
      [0, 6, 7, 8, 9, 71].map((version) => view.band(version)),
      [0, 0, 1, 1, 2, 2],
    );
    const texts = [6, 8, 9].map((version) => view.text({ a: 1 }, null, version));
    assert.deepEqual(texts, ['{"a":1}', '{"a":1,"b":"since 3.7"}', '{"a":-1,"b":"since 3.7"}']);
    assert.equal(view.text({ a: 2 }, null, 9), JSON.stringify(view.show({ a: 2 }, null, 9)));
    assert.deepEqual(view.show({ a: 2 }, null, 9), { a: -2, b: 'since 3.7', c: 2 });
    assert.equal(new Fields([]).text(null, null, 0), '{}');
  });
});
