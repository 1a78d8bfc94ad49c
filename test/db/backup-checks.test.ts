import assert from 'node:assert/strict';
import {
  checksOf,
  closeRound,
  damagedPacks,
  damageOf,
  forgetDamage,
  type KnownDamage,
  keepCheck,
  keepDamage,
  moveRound,
  noteDamage,
  openRound,
} from '../../src/db/backup-checks.ts';
import { forgetContent, keepContent, wholeBackups } from '../../src/db/backup-contents.ts';
import { scopeOfVolume } from '../../src/db/backup-scopes.ts';
import type { Database } from '../../src/db/database.ts';
import { uuid } from '../../src/lib/clock.ts';
import type { NewBackup } from '../../src/model/backup.ts';
import { proveStore } from '../prove-store.ts';
import { makeBackup } from './rows.ts';

const AT = '2026-01-31T12:00:00.000000';
const LATER = '2026-02-01T12:00:00.000000';

const damage = (backupId: string, pack: string | null, given: Partial<KnownDamage> = {}): KnownDamage => {
  return { backupId, pack, what: 'w', depth: 'packs', ranges: [], foundAt: AT, ...given };
};

async function made(database: Database, scopeId: string, packs: string[], given: Partial<NewBackup> = {}) {
  const { id } = await makeBackup(database, { scopeId, ...given });
  await database.write((tx) => keepContent(tx, { backupId: id, scopeId, root: 'r', packs }));
  return id;
}

const scopeOf = async (database: Database) => (await database.write((tx) => scopeOfVolume(tx, 'main', 'p', uuid()))).id;

proveStore('what was found of backups', (test) => {
  test('is when each was last looked at, and how deep', async ({ database }) => {
    const check = { backupId: 'b', checkedAt: AT, depth: 'packs', percent: 5 } as const;
    const again = { ...check, checkedAt: LATER, depth: 'chunks', percent: 100 } as const;
    assert.equal((await checksOf(database.read, ['b'])).size, 0);
    await database.write((tx) => keepCheck(tx, check));
    assert.deepEqual(await checksOf(database.read, ['a', 'b']), new Map([['b', check]]));
    await database.write((tx) => keepCheck(tx, again));
    assert.deepEqual((await checksOf(database.read, ['b'])).get('b'), again);
  });

  test('is what is damaged, of a pack or of the manifest, since it was found first', async ({ database }) => {
    const ranges = [{ at: 0, bytes: 5_000_000_000 }];
    await database.write(async (tx) => {
      await keepDamage(tx, damage('b', 'x'));
      await keepDamage(tx, damage('b', null));
      await keepDamage(tx, damage('c', 'x'));
      await keepDamage(tx, damage('b', 'x', { ranges, what: 'v', depth: 'chunks', foundAt: LATER }));
      await noteDamage(tx, damage('b', 'x', { what: 'noted' }));
      await noteDamage(tx, damage('b', 'y'));
    });
    const known = damage('b', 'x', { ranges, what: 'v', depth: 'chunks' });
    assert.deepEqual(await damageOf(database.read, ['b']), [damage('b', null), known, damage('b', 'y')]);
    assert.equal((await damageOf(database.read)).length, 4);
    await database.write((tx) => forgetDamage(tx, damage('b', null)));
    assert.deepEqual(await damageOf(database.read, ['b']), [known, damage('b', 'y')]);
  });

  test('is asked by scope for the packs that nobody can rely on', async ({ database }) => {
    const [scopeId, other] = [await scopeOf(database), await scopeOf(database)];
    const [one, two, three] = [
      await made(database, scopeId, ['x', 'y']),
      await made(database, scopeId, ['y']),
      await made(database, other, ['z']),
    ];
    await database.write(async (tx) => {
      for (const each of [damage(one, 'x'), damage(one, 'y'), damage(two, 'y'), damage(two, null), damage(three, 'z')])
        await keepDamage(tx, each);
    });
    assert.deepEqual(await damagedPacks(database.read, scopeId), ['x', 'y']);
    await database.write((tx) => forgetContent(tx, one));
    assert.deepEqual(await damagedPacks(database.read, scopeId), ['y'], 'of one that is gone nothing is kept');
    assert.deepEqual(await damageOf(database.read, [one]), []);
  });

  test('is looked for in backups that can be restored', async ({ database }) => {
    const scopeId = await scopeOf(database);
    const one = await made(database, scopeId, ['x'], { status: 'available' });
    const two = await made(database, scopeId, ['x', 'y'], { status: 'restoring' });
    await made(database, scopeId, ['y'], { status: 'deleting' });
    assert.deepEqual(await wholeBackups(database.read, scopeId), new Set([one, two].sort()));
    assert.deepEqual(await wholeBackups(database.read, scopeId, 'y'), new Set([two]));
  });

  test('may be half of it, and goes on from there until it has come to its end', async ({ database }) => {
    const begin = (begunAt: string, ...backupIds: string[]) =>
      database.write((tx) => openRound(tx, 'r', { begunAt, backupIds }));
    assert.deepEqual(await begin(AT, 'a', 'b'), { begunAt: AT, backupIds: ['a', 'b'], after: null });
    await database.write((tx) => moveRound(tx, 'r', 'a/1-3'));
    assert.deepEqual(await begin(LATER, 'c'), { begunAt: AT, backupIds: ['a', 'b'], after: 'a/1-3' });
    await database.write((tx) => closeRound(tx, 'r'));
    assert.deepEqual(await begin(LATER, 'c'), { begunAt: LATER, backupIds: ['c'], after: null });
  });
});
