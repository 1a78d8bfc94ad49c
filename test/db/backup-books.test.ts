import assert from 'node:assert/strict';
import {
  allBases,
  findBase,
  forgetBase,
  giveUpBase,
  giveUpOldestBase,
  type KeptBase,
  keepBase,
  poolsWithBases,
  uselessBases,
} from '../../src/db/backup-bases.ts';
import { keepDamage } from '../../src/db/backup-checks.ts';
import {
  findContent,
  forgetRemains,
  giveUpContent,
  keepContent,
  neededPacks,
  removableRemains,
} from '../../src/db/backup-contents.ts';
import { adoptScope, findScope, knowStore, nextEpoch, scopeOfVolume } from '../../src/db/backup-scopes.ts';
import { beginAttempt, bitesOf, endWork, recordBites, recordRestored } from '../../src/db/backup-work.ts';
import { deleteBackupRow, newestAvailable } from '../../src/db/backups.ts';
import type { Database } from '../../src/db/database.ts';
import { deleteVolumeRow, updateVolume } from '../../src/db/volumes.ts';
import { uuid } from '../../src/lib/clock.ts';
import { proveStore } from '../prove-store.ts';
import { makeBackup, makeVolume } from './rows.ts';

const bite = (number: number) => ({ pack: `b/1-${number}`, first: number * 10, chunks: 10, bytes: 5, sha256: 'ab' });
const scoped = (database: Database, volumeId = uuid()) =>
  database.write((tx) => scopeOfVolume(tx, 'main', 'p', volumeId));

/** A backup of the scope that is made of these packs. */
async function made(database: Database, scopeId: string, packs: readonly string[]): Promise<string> {
  const { id } = await makeBackup(database, { scopeId });
  await database.write((tx) => keepContent(tx, { backupId: id, scopeId, root: 'r', packs }));
  return id;
}

const removable = async (database: Database) =>
  (await removableRemains(database.read, 9)).map(({ backupId, packs, attempts }) => [backupId, packs, attempts]);

proveStore('the scopes of backups', (test) => {
  test('there is one for each volume of each project on each store', async ({ database }) => {
    const volumeId = uuid();
    const [one, again] = [await scoped(database, volumeId), await scoped(database, volumeId)];
    assert.deepEqual(one, again);
    const others = await database.write(async (tx) => [
      await scopeOfVolume(tx, 'other', 'p', volumeId),
      await scopeOfVolume(tx, 'main', 'q', volumeId),
      await scopeOfVolume(tx, 'main', 'p', uuid()),
    ]);
    assert.equal(new Set([one, ...others].map(({ id }) => id)).size, 4);
    assert.deepEqual(await findScope(database.read, one.id), one);
    assert.equal(await findScope(database.read, 'nothing'), undefined);
  });

  test('epochs follow each other, and a store that is another is noticed', async ({ database }) => {
    const { id } = await scoped(database);
    assert.equal(await database.write((tx) => nextEpoch(tx, id)), 1);
    assert.equal(await database.write((tx) => nextEpoch(tx, id)), 2);
    const know = (store: string) => database.write((tx) => knowStore(tx, id, store));
    assert.deepEqual([await know('a'), await know('a'), await know('b'), await know('a')], [true, true, false, true]);
  });

  test('the parent of an increment is the newest that is available, and older than a snapshot', async ({
    database,
  }) => {
    const scope = await scoped(database);
    const { id: scopeId } = scope;
    const at = (hour: number): string => `2026-01-01T0${hour}:00:00.000000`;
    const first = await makeBackup(database, { scopeId, dataTimestamp: at(1) });
    const second = await makeBackup(database, { scopeId, dataTimestamp: at(3) });
    await makeBackup(database, { scopeId, dataTimestamp: at(5), status: 'error' });
    await makeBackup(database, { dataTimestamp: at(6) });
    await makeBackup(database, { scopeId, dataTimestamp: at(7), projectId: 'q' });
    const newest = async (before: string | null) => (await newestAvailable(database.read, scope, before))?.id;
    assert.equal(await newest(null), second.id);
    assert.equal(await newest(at(2)), first.id);
    assert.equal(await newest(at(1)), undefined);
    const damage = { what: 'It is not there.', depth: 'packs', ranges: [], foundAt: at(8) } as const;
    await database.write((tx) => keepDamage(tx, { ...damage, backupId: first.id, pack: 'x/1-0' }));
    await database.write((tx) => keepDamage(tx, { ...damage, backupId: second.id, pack: null }));
    assert.equal(await newest(null), first.id, 'of a damaged pack not all is lost, of a damaged manifest it is');
  });
});

proveStore('the work on a backup', (test) => {
  test('each take-over is another attempt, and finds what was recorded, in its order', async ({ database }) => {
    const begin = () => database.write((tx) => beginAttempt(tx, 'b'));
    assert.deepEqual(await begin(), { attempt: 1, bites: [], restoredBytes: 0 });
    const record = (attempt: number, from: number, ...numbers: number[]) =>
      database.write((tx) => recordBites(tx, 'b', attempt, from, numbers.map(bite)));
    assert.equal(await record(1, 0, 0, 1), true);
    assert.equal(await record(1, 2, 2), true);
    assert.deepEqual(await begin(), { attempt: 2, bites: [bite(0), bite(1), bite(2)], restoredBytes: 0 });
    assert.equal(await record(1, 3, 3), false, 'of an attempt that was taken over');
    assert.deepEqual(await bitesOf(database.read, 'b'), [bite(0), bite(1), bite(2)]);
    assert.equal(await database.write((tx) => endWork(tx, 'b')), 2);
    assert.deepEqual([await bitesOf(database.read, 'b'), await database.write((tx) => endWork(tx, 'b'))], [[], 0]);
    assert.equal(await record(1, 0, 0), false, 'of work that has ended');
  });

  test('bytes that are restored are found by the next attempt, and by no earlier one told', async ({ database }) => {
    const begin = () => database.write((tx) => beginAttempt(tx, 'b'));
    const record = (attempt: number, bytes: number) => database.write((tx) => recordRestored(tx, 'b', attempt, bytes));
    await begin();
    assert.equal(await record(1, 5_000_000_000), true);
    assert.equal((await begin()).restoredBytes, 5_000_000_000);
    assert.deepEqual([await record(1, 6_000_000_000), await record(2, 7)], [false, true]);
  });
});

proveStore('what backups are made of', (test) => {
  test('is kept by backup, and what only one needs goes with that', async ({ database }) => {
    const { id: scopeId } = await scoped(database);
    const one = await made(database, scopeId, ['a', 'b']);
    const two = await made(database, scopeId, ['b', 'c']);
    const content = { backupId: one, scopeId, root: 'r', packs: ['a', 'b'] };
    assert.deepEqual(await findContent(database.read, one), { ...content, way: null, why: null });
    assert.deepEqual(await neededPacks(database.read, scopeId), new Set(['a', 'b', 'c']));
    await database.write((tx) => giveUpContent(tx, one, scopeId));
    assert.deepEqual(await removable(database), [[one, ['a'], 0]]);
    await database.write((tx) => giveUpContent(tx, two, scopeId));
    assert.deepEqual(await removable(database), [
      [one, ['a'], 0],
      [two, ['b', 'c'], 0],
    ]);
    assert.equal(await findContent(database.read, one), undefined);
    const [first] = await removableRemains(database.read, 1);
    await database.write((tx) => forgetRemains(tx, first as NonNullable<typeof first>));
    assert.deepEqual(await removable(database), [[two, ['b', 'c'], 0]]);
  });

  test('of a scope that another database made no pack is given up', async ({ database }) => {
    const [scope, again] = await database.write(async (tx) => [
      await adoptScope(tx, { id: 's', store: 'main', projectId: 'p' }),
      await adoptScope(tx, { id: 's', store: 'other', projectId: 'q' }),
    ]);
    assert.deepEqual([scope.imported, again], [true, scope]);
    const one = await made(database, scope.id, ['a']);
    await database.write((tx) => giveUpContent(tx, one, scope.id));
    assert.equal(await findContent(database.read, one), undefined);
    assert.deepEqual(await removable(database), []);
    const own = await scoped(database);
    const known = await database.write((tx) => adoptScope(tx, { id: own.id, store: 'main', projectId: 'p' }));
    assert.deepEqual(known, own, 'one of ours stays ours');
  });

  test('waits for whoever began in an earlier epoch of the scope, and for nobody else', async ({ database }) => {
    const { id: scopeId } = await scoped(database);
    const one = await made(database, scopeId, ['a']);
    const before = await makeBackup(database, { scopeId, status: 'creating', epoch: 0 });
    await makeBackup(database, { scopeId: (await scoped(database)).id, status: 'creating', epoch: 0 });
    await database.write((tx) => giveUpContent(tx, one, scopeId));
    await makeBackup(database, { scopeId, status: 'creating', epoch: 1 });
    assert.deepEqual(await removable(database), []);
    await database.write(({ db }) =>
      db.updateTable('backup').set({ status: 'error' }).where('id', '=', before.id).execute(),
    );
    assert.deepEqual(await removable(database), [[one, ['a'], 0]]);
  });

  test('of one that was never whole is what its attempts may have left, once and for all', async ({ database }) => {
    const { id: scopeId } = await scoped(database);
    const { id } = await makeBackup(database, { scopeId, status: 'error' });
    const giveUp = () => database.write((tx) => giveUpContent(tx, id, scopeId));
    await giveUp();
    assert.deepEqual(await removable(database), [], 'nothing of it came to the store');
    for (let attempt = 0; attempt < 3; attempt += 1) await database.write((tx) => beginAttempt(tx, id));
    await giveUp();
    assert.deepEqual(await removable(database), [[id, [], 3]]);
    await giveUp();
    assert.deepEqual(await removable(database), [[id, [], 3]]);
    await database.write(async (tx) => {
      await beginAttempt(tx, id);
      await keepContent(tx, { backupId: id, scopeId, root: 'r', packs: ['a'] });
      await giveUpContent(tx, id, scopeId);
    });
    assert.deepEqual(await removable(database), [[id, ['a'], 3]]);
  });
});

proveStore('the bases of backups', (test) => {
  const pool = 'node@a#p';
  const keep = async (database: Database, given: Partial<KeptBase> = {}, isNewest = true): Promise<KeptBase> => {
    const base = { backupId: uuid(), volume: { id: uuid(), nameId: null }, pool, root: 'r', ...given };
    await database.write((tx) => keepBase(tx, base, isNewest));
    return base;
  };

  test('are one a volume, the last that was kept as the newest', async ({ database }) => {
    const one = await keep(database);
    const two = await keep(database, { volume: { ...one.volume, nameId: uuid() } });
    await keep(database, { volume: one.volume }, false);
    assert.deepEqual(await findBase(database.read, one.volume.id), two);
    assert.equal((await allBases(database.read)).filter(({ givenUp }) => givenUp).length, 2);
    await database.write((tx) => giveUpBase(tx, two.backupId));
    assert.equal(await findBase(database.read, one.volume.id), undefined);
    for (const { backupId } of await allBases(database.read)) await database.write((tx) => forgetBase(tx, backupId));
    assert.deepEqual(await allBases(database.read), []);
  });

  test('are given up on a pool from the oldest on', async ({ database }) => {
    const one = await keep(database);
    await keep(database, { pool: 'node@a#other' });
    await keep(database, { pool: 'node@ab#p' });
    const two = await keep(database);
    assert.deepEqual([...(await poolsWithBases(database.read, 'node@a'))].sort(), ['node@a#other', pool]);
    const oldest = () => database.write((tx) => giveUpOldestBase(tx, pool));
    assert.deepEqual([await oldest(), await oldest(), await oldest()], [one, two, undefined]);
    assert.deepEqual(await poolsWithBases(database.read, 'node@a'), ['node@a#other']);
  });

  test('are of no use when they are given up, and without their backup, or their volume where they are', async ({
    database,
  }) => {
    const useless = async () => (await uselessBases(database.read)).map(({ backupId }) => backupId);
    const { id } = await makeVolume(database, { host: pool });
    const { id: backupId } = await makeBackup(database, { volumeId: id });
    const base = await keep(database, { backupId, volume: { id, nameId: null } });
    assert.deepEqual(await useless(), []);
    await database.write((tx) => updateVolume(tx, id, { host: 'node@b#p' }));
    assert.deepEqual(await useless(), [backupId]);
    await database.write((tx) => updateVolume(tx, id, { host: pool }));
    assert.deepEqual(await useless(), []);
    await database.write((tx) => deleteBackupRow(tx, backupId));
    assert.deepEqual(await useless(), [backupId]);
    await database.write((tx) => forgetBase(tx, backupId));
    const again = await makeBackup(database, { volumeId: id });
    await keep(database, { ...base, backupId: again.id });
    await database.write((tx) => deleteVolumeRow(tx, id));
    assert.deepEqual(await useless(), [again.id]);
    const given = await keep(database, {}, false);
    assert.deepEqual((await useless()).sort(), [again.id, given.backupId].sort());
  });
});
