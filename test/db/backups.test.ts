import assert from 'node:assert/strict';
import { countBackups, dependentsOf, findBackup, getBackup, listBackups, updateBackup } from '../../src/db/backups.ts';
import { countUsage } from '../../src/db/quota-recount.ts';
import { now, uuid } from '../../src/lib/clock.ts';
import { BackupNotFound } from '../../src/model/errors.ts';
import { proveStore } from '../prove-store.ts';
import { makeBackup } from './rows.ts';

proveStore('backups', (test) => {
  test('a backup is read as it was made', async ({ database }) => {
    const made = await makeBackup(database, {
      snapshotId: uuid(),
      parentId: uuid(),
      name: 'nightly',
      description: 'all',
      failReason: 'none',
      container: 'box',
      availabilityZone: 'nova',
      host: 'node',
      service: 'files',
      serviceMetadata: 'prefix',
      objectCount: 7,
      dataTimestamp: now(),
      restoreVolumeId: uuid(),
      encryptionKeyId: uuid(),
      metadata: { key: 'value' },
    });
    assert.deepEqual(await findBackup(database.read, made.id), made);
    assert.equal(await findBackup(database.read, 'nothing'), undefined);
    await assert.rejects(getBackup(database.read, 'nothing'), BackupNotFound);
  });

  test('each change raises the revision and stamps the row', async ({ database }) => {
    const { id, revision } = await makeBackup(database);
    const change = () => database.write((tx) => updateBackup(tx, id, { name: 'new', objectCount: 3 }, revision));
    assert.deepEqual([await change(), await change()], [true, false]);
    const changed = await getBackup(database.read, id);
    assert.partialDeepStrictEqual(changed, { name: 'new', objectCount: 3, revision: revision + 1 });
    assert.notEqual(changed.updatedAt, null);
  });

  test('pages are of one volume, the newest first, and count what they leave out', async ({ database }) => {
    const volumeId = uuid();
    const [a, b] = [await makeBackup(database, { volumeId }), await makeBackup(database, { volumeId })];
    await makeBackup(database);
    const filters = [{ is: 'equal', field: 'volumeId', value: volumeId }] as const;
    assert.deepEqual(await listBackups(database, { filters }), [b, a]);
    assert.deepEqual(await listBackups(database, { filters, limit: 1, marker: b.id }), [a]);
    assert.equal(await countBackups(database, filters), 2);
    await assert.rejects(listBackups(database, { marker: 'nothing' }), BackupNotFound);
  });

  test('dependents are counted by parent', async ({ database }) => {
    const [full, lonely] = [await makeBackup(database), await makeBackup(database)];
    const child = await makeBackup(database, { parentId: full.id });
    await makeBackup(database, { parentId: full.id });
    await makeBackup(database, { parentId: child.id });
    assert.deepEqual(
      await dependentsOf(database.read, [full.id, child.id, lonely.id]),
      new Map([
        [full.id, 2],
        [child.id, 1],
      ]),
    );
    assert.deepEqual(await dependentsOf(database.read, []), new Map());
  });

  test('each counts as one, with the size of its volume, in whatever status', async ({ database }) => {
    await makeBackup(database, { sizeGiB: 3 });
    await makeBackup(database, { sizeGiB: 4, status: 'error' });
    await makeBackup(database, { projectId: 'q' });
    assert.deepEqual(await countUsage(database.read, 'p', { snapshotGigabytes: true }), {
      backups: { inUse: 2, reserved: 0 },
      backup_gigabytes: { inUse: 7, reserved: 0 },
    });
  });
});
