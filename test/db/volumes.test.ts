import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Database } from '../../src/db/database.ts';
import type { ListFilter, ListQuery } from '../../src/db/sql/list-query.ts';
import {
  countVolumes,
  deleteVolumeRow,
  findVolume,
  listVolumeKeys,
  listVolumes,
  moveVolumeStatus,
  summarizeVolumes,
  updateVolume,
  type VolumeField,
} from '../../src/db/volumes.ts';
import { VolumeNotFound } from '../../src/model/errors.ts';
import type { Volume } from '../../src/model/volume.ts';
import { proveStore } from '../prove-store.ts';
import { makeSnapshot, makeVolume } from './rows.ts';

const named = (volumes: readonly Volume[]): (string | null)[] => volumes.map((volume) => volume.name);

const names = async (database: Database, query: ListQuery<VolumeField>): Promise<(string | null)[]> =>
  named(await listVolumes(database, { sort: [{ field: 'name', direction: 'asc' }], ...query }));

proveStore('volumes', (test) => {
  test('a volume is read as it was made', async ({ database }) => {
    const made = await makeVolume(database, {
      name: 'disk',
      metadata: { 'a "b"': "c'd", é: '☃' },
      imageMetadata: { min_disk: '1' },
      managedRef: { 'source-name': 'x' },
      bootable: true,
    });
    assert.deepEqual(await findVolume(database.read, made.id), made);
    assert.equal(await findVolume(database.read, 'nothing'), undefined);
  });

  test('each change raises the revision and stamps the row', async ({ database }) => {
    const made = await makeVolume(database);
    assert.equal(await database.write((tx) => updateVolume(tx, made.id, { name: 'new', host: 'n@b#p' })), true);
    await database.write((tx) => moveVolumeStatus(tx, made.id, 'extend'));
    const now = await findVolume(database.read, made.id);
    assert.equal(now?.revision, made.revision + 2);
    assert.equal(now.name, 'new');
    assert.notEqual(now.updatedAt, null);
    assert.equal(await database.write((tx) => updateVolume(tx, 'nothing', { name: 'x' })), false);
  });

  test('a move happens only from where it may begin, and remembers the way back', async ({ database }) => {
    const { id } = await makeVolume(database, { status: 'in-use' });
    const move = (also: boolean) => database.write((tx) => moveVolumeStatus(tx, id, 'extend', { also }));
    assert.equal(await move(false), false);
    assert.equal(await move(true), true);
    assert.partialDeepStrictEqual(await findVolume(database.read, id), {
      status: 'extending',
      previousStatus: 'in-use',
    });
  });

  test('a change may ask that nobody has changed the row since', async ({ database }) => {
    const { id, revision } = await makeVolume(database);
    const change = () => database.write((tx) => updateVolume(tx, id, { status: 'error' }, revision));
    assert.deepEqual([await change(), await change()], [true, false]);
    assert.partialDeepStrictEqual(await findVolume(database.read, id), { status: 'error', revision: revision + 1 });
  });

  test('a move of two at once is made by one', async ({ database }) => {
    const { id } = await makeVolume(database);
    const moves = Array.from({ length: 5 }, () => database.write((tx) => moveVolumeStatus(tx, id, 'delete')));
    assert.deepEqual((await Promise.all(moves)).filter(Boolean), [true]);
  });

  test('a move may ask for no snapshots, no attachment, and more', async ({ database }) => {
    const volume = await makeVolume(database, { attachStatus: 'attached' });
    const snapshot = await makeSnapshot(database, volume);
    const move = (ask: object) =>
      database.write((tx) => moveVolumeStatus(tx, volume.id, 'delete', { force: true, ...ask }));
    assert.equal(await move({ withoutSnapshots: true }), false);
    assert.equal(await move({ attachStatusNot: 'attached' }), false);
    assert.equal(await move({ if: [{ is: 'equal', field: 'groupId', value: 'g' }] }), false);
    await database.write(({ db }) => db.deleteFrom('snapshot').where('id', '=', snapshot.id).execute());
    assert.equal(await move({ withoutSnapshots: true, if: [{ is: 'equal', field: 'groupId', value: null }] }), true);
  });

  test('a row that a snapshot stands on cannot go', async ({ database }) => {
    const volume = await makeVolume(database);
    await makeSnapshot(database, volume);
    await assert.rejects(database.write((tx) => deleteVolumeRow(tx, volume.id)));
    assert.notEqual(await findVolume(database.read, volume.id), undefined);
  });

  test('filters choose', async ({ database }) => {
    await makeVolume(database, { name: 'a', bootable: true, metadata: { "it's": '1', k: 'v' }, host: 'n@b#p1' });
    await makeVolume(database, { name: 'ab%', sizeGiB: 5, status: 'error', metadata: { k: 'w' }, host: 'n@b#p2' });
    await makeVolume(database, { name: 'B', projectId: 'q', host: 'n@bb#p1' });
    assert.deepEqual(await names(database, {}), ['B', 'a', 'ab%']);
    assert.deepEqual(await names(database, { filters: [{ is: 'equal', field: 'projectId', value: 'p' }] }), [
      'a',
      'ab%',
    ]);
    assert.deepEqual(await names(database, { filters: [{ is: 'equal', field: 'bootable', value: true }] }), ['a']);
    assert.deepEqual(await names(database, { filters: [{ is: 'contains', field: 'name', text: '%' }] }), ['ab%']);
    assert.deepEqual(await names(database, { filters: [{ is: 'starts-with', field: 'host', text: 'n@b#' }] }), [
      'a',
      'ab%',
    ]);
    assert.deepEqual(await names(database, { filters: [{ is: 'in', field: 'status', values: ['error', 'x'] }] }), [
      'ab%',
    ]);
    assert.deepEqual(await names(database, { filters: [{ is: 'not-in', field: 'status', values: ['error'] }] }), [
      'B',
      'a',
    ]);
    assert.deepEqual(await names(database, { filters: [{ is: 'in', field: 'status', values: [] }] }), []);
    assert.deepEqual(
      await names(database, { filters: [{ is: 'entry', field: 'metadata', key: "it's", value: '1' }] }),
      ['a'],
    );
    assert.deepEqual(
      await names(database, { filters: [{ is: 'entry', field: 'metadata', key: 'k', value: 'x' }] }),
      [],
    );
    assert.deepEqual(await names(database, { filters: [{ is: 'compare', field: 'sizeGiB', op: 'gt', value: 1 }] }), [
      'ab%',
    ]);
    assert.equal(await countVolumes(database, [{ is: 'equal', field: 'projectId', value: 'p' }]), 2);
  });

  test('times compare as text', async ({ database }) => {
    for (const day of ['01', '02', '03'])
      await makeVolume(database, { name: day, createdAt: `2026-01-${day}T00:00:00.000000` });
    const from = (op: 'gt' | 'gte' | 'lt' | 'neq') =>
      names(database, { filters: [{ is: 'compare', field: 'createdAt', op, value: '2026-01-02T00:00:00.000000' }] });
    assert.deepEqual(await from('gt'), ['03']);
    assert.deepEqual(await from('gte'), ['02', '03']);
    assert.deepEqual(await from('lt'), ['01']);
    assert.deepEqual(await from('neq'), ['01', '03']);
  });

  test('a marker of another project, or of none, is not found', async ({ database }) => {
    const { id } = await makeVolume(database, { projectId: 'q' });
    const list = (marker: string) =>
      listVolumes(database, { marker, filters: [{ is: 'equal', field: 'projectId', value: 'p' }] });
    await assert.rejects(list(id), VolumeNotFound);
    await assert.rejects(list('nothing'), VolumeNotFound);
  });

  test('the summary adds up sizes and gathers metadata', async ({ database }) => {
    assert.deepEqual(await summarizeVolumes(database, []), { count: 0, sizeGiB: 0, metadata: {} });
    await makeVolume(database, { sizeGiB: 2, metadata: { k: 'b', l: '1' } });
    await makeVolume(database, { sizeGiB: 3, metadata: { k: 'a' } });
    await makeVolume(database, { sizeGiB: 4, projectId: 'q', metadata: { k: 'c' } });
    const summary = await summarizeVolumes(database, [{ is: 'equal', field: 'projectId', value: 'p' }]);
    assert.deepEqual(summary, { count: 2, sizeGiB: 5, metadata: { k: ['a', 'b'], l: ['1'] } });
  });

  test('pages visit every row exactly once, whatever the filter, the order and the size of a page', async ({
    database,
  }) => {
    const rows = fc.sample(
      fc.record({
        name: fc.constantFrom(null, 'a', 'b', 'ä', 'B'),
        sizeGiB: fc.integer({ min: 1, max: 3 }),
        bootable: fc.boolean(),
        host: fc.constantFrom(null, 'h1', 'h2'),
        status: fc.constantFrom('available', 'in-use', 'error'),
        projectId: fc.constantFrom('p', 'p', 'q'),
        createdAt: fc.constantFrom('2026-01-01T00:00:00.000001', '2026-01-01T00:00:00.000002'),
      }),
      { numRuns: 40, seed: 7 },
    );
    const made: Volume[] = [];
    for (const row of rows) made.push(await makeVolume(database, row));
    const mine = (volume: Volume) => volume.projectId === 'p';
    const ofMine = { is: 'equal', field: 'projectId', value: 'p' } as const;
    const found = fc.constantFrom<readonly [readonly ListFilter<VolumeField>[], (volume: Volume) => boolean]>(
      [[], () => true],
      [[ofMine], mine],
      [[ofMine, { is: 'equal', field: 'name', value: 'a' }], (volume) => mine(volume) && volume.name === 'a'],
      [
        [ofMine, { is: 'in', field: 'name', values: ['b', null, 'b', 'nobody'] }],
        (volume) => mine(volume) && ['b', null].includes(volume.name),
      ],
      [
        [ofMine, { is: 'in', field: 'status', values: ['error', 'available'] }],
        (volume) => mine(volume) && volume.status !== 'in-use',
      ],
    );
    const key = fc.record({
      field: fc.constantFrom<VolumeField>(
        'name',
        'status',
        'sizeGiB',
        'bootable',
        'host',
        'createdAt',
        'updatedAt',
        'id',
      ),
      direction: fc.constantFrom('asc' as const, 'desc' as const),
    });
    const order = fc.uniqueArray(key, { maxLength: 3, selector: ({ field }) => field });
    await fc.assert(
      fc.asyncProperty(found, order, fc.integer({ min: 1, max: 15 }), async ([filters, passes], sort, limit) => {
        const whole = (await listVolumes(database, { filters, sort })).map(({ id }) => id);
        const passing = made.filter(passes).map(({ id }) => id);
        assert.deepEqual(whole.toSorted(), passing.toSorted());
        const visited: string[] = [];
        for (;;) {
          const marker = visited.at(-1);
          const query = { filters, sort, limit, ...(marker === undefined ? {} : { marker }) };
          const keys = (await listVolumeKeys(database, query)).map(({ id }) => id);
          if (keys.length === 0) break;
          visited.push(...keys);
        }
        assert.deepEqual(visited, whole);
      }),
      { numRuns: 100 },
    );
  });

  test('the two databases sort alike: bytes, and null before all', async ({ database }) => {
    for (const name of ['b', null, 'B', 'ä', 'a b', 'ab']) await makeVolume(database, { name });
    assert.deepEqual(await names(database, {}), [null, 'B', 'a b', 'ab', 'b', 'ä']);
    assert.deepEqual(await names(database, { sort: [{ field: 'name', direction: 'desc' }], limit: 2 }), ['ä', 'b']);
  });
});
