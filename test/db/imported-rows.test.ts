import assert from 'node:assert/strict';
import { beginFill, endFill, findImport, keepCursor, markTurned, ownRows } from '../../src/db/import-progress.ts';
import {
  amongIds,
  type FilledRow,
  fillNamed,
  fillRows,
  fillWhole,
  forgetGone,
  noteGone,
  removeGone,
  removeRivals,
} from '../../src/db/imported-rows.ts';
import { uuid } from '../../src/lib/clock.ts';
import { proveStore } from '../prove-store.ts';
import { makeVolume } from './rows.ts';

const at = '2026-01-01T00:00:00.000000';

const typeRow = (id: string, name: string): FilledRow & { id: string; name: string } => ({
  id,
  name,
  description: null,
  is_public: 1,
  extra_specs: '{}',
  qos_specs_id: null,
  created_at: at,
  updated_at: null,
});

const message = (id: string, text = 'why'): FilledRow => ({
  id,
  project_id: 'p',
  request_id: 'r',
  resource_type: 'VOLUME',
  resource_uuid: 'v',
  event_id: 'e',
  message_level: 'ERROR',
  user_message: text,
  created_at: at,
  expires_at: at,
});

proveStore('rows that are brought over', (test) => {
  test('are written where they differ, null or not, and only there', async ({ database }) => {
    const volume = await makeVolume(database, { name: null, sizeGiB: 3 });
    const [read] = await database.read.selectFrom('volume').selectAll().execute();
    const { revision: _, ...row } = read ?? assert.fail();
    const fill = (given: FilledRow) => database.write((tx) => fillRows(tx, 'volume', [given]));
    assert.equal(await fill(row), 0);
    assert.equal(await fill({ ...row, name: 'named' }), 1);
    assert.equal(await fill({ ...row, name: 'named' }), 0);
    assert.equal(await fill({ ...row, name: null, size_gib: 4 }), 1);
    const other = { ...row, id: uuid() };
    assert.equal(await fill(other), 1);
    const rows = await database.read.selectFrom('volume').select(['id', 'name', 'size_gib', 'revision']).execute();
    assert.deepEqual(
      rows.map((each) => ({ ...each })).sort((a, b) => b.revision - a.revision),
      [
        { id: volume.id, name: null, size_gib: 4, revision: 3 },
        { id: other.id, name: null, size_gib: 3, revision: 1 },
      ],
    );
  });

  test('that have gone are noted by the batch they would stand in, and removed at the end', async ({ database }) => {
    const ids = ['a', 'b', 'c', 'd', 'e'];
    await database.write((tx) =>
      fillRows(
        tx,
        'message',
        ids.map((id) => message(id)),
      ),
    );
    await database.write(async (tx) => {
      await noteGone(tx, 'message', { after: null, upTo: 'b' }, ['b']);
      await noteGone(tx, 'message', { after: 'b', upTo: 'd' }, ['c', 'd']);
      await noteGone(tx, 'message', { after: 'd', upTo: null }, []);
    });
    const left = async () =>
      (await database.read.selectFrom('message').select('id').orderBy('id').execute()).map(({ id }) => id);
    assert.deepEqual(await left(), ids);
    assert.equal(await database.write((tx) => removeGone(tx, 'message')), 2);
    assert.deepEqual(await left(), ['b', 'c', 'd']);
    assert.deepEqual(await database.write((tx) => amongIds(tx, 'message', ['a', 'c'])), new Set(['c']));
    await database.write(async (tx) => {
      await noteGone(tx, 'message', { after: null, upTo: null }, []);
      await forgetGone(tx);
      assert.equal(await removeGone(tx, 'message'), 0);
    });
  });

  test('with unique names may change them with each other, and one of ours makes room for theirs', async ({
    database,
  }) => {
    const fill = (...rows: (FilledRow & { id: string; name: string })[]) =>
      database.write((tx) => fillNamed(tx, 'volume_type', rows, ['__DEFAULT__']));
    const types = async () =>
      Object.fromEntries(
        (await database.read.selectFrom('volume_type').selectAll().execute()).map(({ id, name }) => [name, id]),
      );
    const { __DEFAULT__: ours } = await types();
    await fill(typeRow('1', 'gold'), typeRow('2', 'silver'));
    assert.deepEqual(await types(), { __DEFAULT__: ours, gold: '1', silver: '2' });
    await fill(typeRow('1', 'silver'), typeRow('2', 'gold'), typeRow('3', '__DEFAULT__'));
    assert.partialDeepStrictEqual(await types(), { silver: '1', gold: '2', __DEFAULT__: '3' });
    assert.equal(await database.write((tx) => removeGone(tx, 'volume_type')), 1);
    assert.deepEqual(await types(), { silver: '1', gold: '2', __DEFAULT__: '3' });
    assert.equal(await fill(typeRow('1', 'silver'), typeRow('2', 'gold'), typeRow('3', '__DEFAULT__')), 0);
  });

  test('of few become those that are given', async ({ database }) => {
    const limit = (resource: string, hard_limit: number): FilledRow => ({ project_id: 'p', resource, hard_limit });
    const fill = (...rows: FilledRow[]) => database.write((tx) => fillWhole(tx, 'quota_limit', rows));
    assert.deepEqual(await fill(limit('volumes', 1), limit('gigabytes', 2)), { written: 2, removed: 0 });
    assert.deepEqual(await fill(limit('volumes', 1), limit('gigabytes', 3)), { written: 1, removed: 0 });
    assert.deepEqual(await fill(limit('gigabytes', 3)), { written: 0, removed: 1 });
    assert.deepEqual(
      { ...(await database.read.selectFrom('quota_limit').selectAll().executeTakeFirst()) },
      limit('gigabytes', 3),
    );
    await database.write((tx) => fillNamed(tx, 'group_type', [], []));
    const type = (await database.read.selectFrom('group_type').select('id').executeTakeFirstOrThrow()).id;
    const access = { group_type_id: type, project_id: 'p' };
    assert.deepEqual(await database.write((tx) => fillWhole(tx, 'group_type_access', [access])), {
      written: 1,
      removed: 0,
    });
    assert.deepEqual(await database.write((tx) => fillWhole(tx, 'group_type_access', [access])), {
      written: 0,
      removed: 0,
    });
  });

  test('give way to another of what there may be one only', async ({ database }) => {
    const { id: volume_id } = await makeVolume(database);
    const transfer = (id: string): FilledRow => ({
      ...{ id, volume_id, name: null, no_snapshots: 0, source_project_id: 'p', salt: '', key_hash: '' },
      ...{ scheme: 'cinder', created_at: at },
    });
    const fill = (row: FilledRow) =>
      database.write(async (tx) => {
        await removeRivals(tx, 'transfer', 'volume_id', [row]);
        return fillRows(tx, 'transfer', [row]);
      });
    assert.equal(await fill(transfer('a')), 1);
    assert.equal(await fill(transfer('a')), 0);
    assert.equal(await fill(transfer('b')), 1);
    assert.equal((await database.read.selectFrom('transfer').selectAll().execute()).length, 1);
  });

  test('are counted with how far it is, from the first batch to the turn', async ({ database }) => {
    assert.equal(await findImport(database.read), undefined);
    assert.deepEqual(await ownRows(database.read), []);
    await makeVolume(database);
    assert.deepEqual(await ownRows(database.read), ['volume']);
    const [first, second] = ['2026-01-01T00:00:00.000000', '2026-02-01T00:00:00.000000'] as const;
    const of = { source: 'mysql://h:1/c', decisions: '{}' };
    await database.write((tx) => beginFill(tx, { ...of, revision: 'r1', beganAt: first }, 'types'));
    const begun = { ...of, revision: 'r1', beganAt: first, counts: {}, filledAt: null, turnedAt: null };
    assert.deepEqual(await findImport(database.read), { ...begun, cursor: { step: 'types', after: null } });
    await database.write((tx) => keepCursor(tx, { step: 'volumes', after: 'x' }, { volume: 2 }));
    assert.partialDeepStrictEqual(await findImport(database.read), {
      cursor: { step: 'volumes', after: 'x' },
      counts: { volume: 2 },
    });
    await database.write((tx) => endFill(tx, { volume: 3 }));
    assert.partialDeepStrictEqual(await findImport(database.read), {
      cursor: null,
      counts: { volume: 3 },
      turnedAt: null,
    });
    await database.write(markTurned);
    await database.write((tx) => beginFill(tx, { ...of, revision: 'r2', beganAt: second }, 'types'));
    const after = (await findImport(database.read)) ?? assert.fail();
    assert.ok(after.filledAt !== null && after.turnedAt !== null);
    assert.deepEqual([after.revision, after.beganAt], ['r2', first]);
  });
});
