/** A row is shown at each microversion as if the row cache had never seen it at another. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { NEWEST } from '../../src/api/microversion.ts';
import { ALL_ATTRIBUTES } from '../../src/api/policy/attributes.ts';
import { Rendered, type View } from '../../src/api/rendered.ts';
import { snapshotDetail, snapshotSummary } from '../../src/api/v3/snapshot-view.ts';
import { volumeDetail, volumeSummary } from '../../src/api/v3/volume-view.ts';
import { makeSnapshot } from '../db/rows.ts';
import { freshWorld } from './world.ts';

const links = { base: 'http://x', prefix: 'http://x/v3/p', bookmark: 'http://x/p' };

it('a view shows each microversion its own fields, whatever was shown before', async (context) => {
  const { service, volume } = await freshWorld(context);
  const row = await volume({ host: 'node@file#file' });
  const snapshot = await makeSnapshot(service.db, row);
  const views: [View<{ id: string; revision: number }>, { id: string; revision: number }][] = [
    [volumeDetail as never, row],
    [volumeSummary as never, row],
    [snapshotDetail as never, snapshot],
    [snapshotSummary as never, snapshot],
  ];
  const cache = new Rendered(service.db);
  const text = async (rendered: Rendered, [view, key]: (typeof views)[number], version: number, isAdmin: boolean) =>
    String(await rendered.texts(view, { version, isAdmin, attributes: ALL_ATTRIBUTES, links }, [key]));
  const versions = Array.from({ length: NEWEST + 1 }, (_, version) => version);
  for (const each of views) {
    for (const isAdmin of [true, false]) {
      for (const version of [...versions, ...versions.toReversed()]) {
        const fresh = await text(new Rendered(service.db), each, version, isAdmin);
        assert.notEqual(fresh, '');
        assert.equal(await text(cache, each, version, isAdmin), fresh, `${each[0].name} at 3.${version}`);
      }
    }
  }
});
