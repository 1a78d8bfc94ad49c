/** A backup that failed for its store's sake and is begun again: what it had stored counts, and what comes to nothing leaves nothing. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { CopyOrder, CopyWatch } from '../../../src/backups/backups.ts';
import { createBackup as command } from '../../../src/commands/backups/create-backup.ts';
import { deleteBackup } from '../../../src/commands/backups/delete-backup.ts';
import { retryBackup } from '../../../src/commands/backups/retry-backup.ts';
import { findContent } from '../../../src/db/backup-contents.ts';
import { attemptsOf, beginAttempt, recordBites } from '../../../src/db/backup-work.ts';
import { getBackup, updateBackup } from '../../../src/db/backups.ts';
import { getVolume, updateVolume } from '../../../src/db/volumes.ts';
import { createBackup } from '../../../src/flows/backups/create-backup.ts';
import { removeRemains } from '../../../src/flows/backups/remove-remains.ts';
import { fromNow } from '../../../src/lib/clock.ts';
import { BackupStoreFull, BackupStoreRefused } from '../../../src/model/errors.ts';
import type { NewVolume } from '../../../src/model/volume.ts';
import { contentOf, givenBackup, givenSnapshot, givenVolume } from '../given.ts';
import { liveSite } from '../live-site.ts';
import { backupRequest } from '../requests.ts';
import { caller, type Site } from '../site.ts';
import { onSite, proveVariant } from '../site-proof.ts';

const { signal } = new AbortController();
const plainly = { force: false };

/** One whose store was full when it had come to a third, of a volume or of a snapshot of it. */
async function givenFailed(site: Site, of: 'volume' | 'snapshot' = 'volume') {
  const volume = await givenVolume(site);
  const snapshot = of === 'snapshot' ? await givenSnapshot(site, volume) : null;
  const backup = await givenBackup(site, volume, {
    status: 'error',
    snapshotId: snapshot?.id ?? null,
    failReason: 'full',
  });
  const { id } = backup;
  const bite = { pack: `${id}/1-0`, first: 0, chunks: 342, bytes: 64, sha256: '' };
  await site.database.write(async (tx) => {
    await tx.db.deleteFrom('backup_content').where('backup_id', '=', id).execute();
    await beginAttempt(tx, id);
    await recordBites(tx, id, 1, 0, [bite]);
  });
  site.backups.manifests.delete(id);
  return { volume, snapshot, id };
}

const retried = (of: 'volume' | 'snapshot') =>
  onSite(async (site) => {
    const { volume, snapshot, id } = await givenFailed(site, of);
    const { read } = site.database;
    return {
      begin: (desk) => retryBackup(desk, caller, id, plainly),
      done: async () => {
        const backup = await getBackup(read, id);
        assert.partialDeepStrictEqual(backup, { status: 'available', failReason: null, objectCount: 3 });
        const { head, packs } = site.backups.manifests.get(id) ?? assert.fail('It is in the store.');
        const wanted = contentOf(snapshot ?? volume);
        assert.deepEqual(head.subarray(0, wanted.length), wanted);
        assert.deepEqual(new Set((await findContent(read, id))?.packs), new Set(packs.map(({ name }) => name)));
        assert.deepEqual(site.backups.packs, new Set(packs.map(({ name }) => name)), 'what is of no use is gone');
        assert.ok(
          packs.every(({ name }) => !name.startsWith(`${id}/1-`)),
          'no name is given twice',
        );
        assert.equal((await getVolume(read, volume.id)).status, 'available');
        assert.deepEqual(await site.events(), ['backup.create.start', 'backup.create.end']);
      },
      undone: async () => {
        assert.equal((await getBackup(read, id)).status, 'error');
        assert.equal((await getVolume(read, volume.id)).status, 'available');
        assert.equal((await site.messages()).length, 1);
        await removeRemains(site.tools.backups, signal);
        assert.deepEqual(site.backups.packs, new Set());
      },
    };
  });

proveVariant('create_backup of a volume, begun again after its store had failed it', createBackup, retried('volume'));
proveVariant(
  'create_backup of a snapshot, begun again after its store had failed it',
  createBackup,
  retried('snapshot'),
);

async function start(context: TestContext, given: Partial<NewVolume> = {}) {
  const live = await liveSite(context);
  const volume = await givenVolume(live.site, given);
  const orders: CopyOrder[] = [];
  live.site.interposeBackups('copy', async (_proceed, [order, watch]) => {
    const { place, attempt } = order as CopyOrder;
    const pack = `${place.backupId}/${attempt}-0`;
    orders.push(order as CopyOrder);
    live.site.backups.packs.add(pack);
    (watch as CopyWatch).bite({ pack, first: 0, chunks: 650, bytes: 64, sha256: '' });
    throw new BackupStoreFull('/srv/b is full.');
  });
  const { id } = await command(live.desk, caller, backupRequest(volume.id, { force: true }));
  await live.settled(`backup:${id}`);
  const hasRoom = (): void =>
    live.site.interposeBackups('copy', async (proceed, [order]) => {
      orders.push(order as CopyOrder);
      return proceed();
    });
  const retry = async (how = plainly) => {
    await retryBackup(live.desk, caller, id, how);
    await live.settled(`backup:${id}`);
    return getBackup(live.database.read, id);
  };
  return { live, volume, id, orders, hasRoom, retry };
}

describe('retry', () => {
  it('hands the copy what was stored before, as often as it fails, and goes on behind what this try has stored', async (context) => {
    const { live, id, orders, hasRoom, retry } = await start(context);
    assert.equal((await retry()).status, 'error');
    hasRoom();
    let deaths = 1;
    live.site.interposeBackups('writeManifest', async (proceed) => {
      if (deaths-- > 0) throw new BackupStoreRefused('It is another store.');
      return proceed();
    });
    assert.equal((await retry()).status, 'error');
    const { dataTimestamp, createdAt } = await retry();
    assert.ok((dataTimestamp ?? '') > createdAt, 'it is of another moment');
    const told = orders.map(({ attempt, bites, earlier }) => [attempt, bites.length, earlier?.length]);
    assert.deepEqual(told, [
      [1, 0, 0],
      [2, 0, 1],
      [3, 0, 2],
      [4, 0, 5],
    ]);
    assert.deepEqual([...live.site.backups.packs].sort(), [`${id}/4-0`, `${id}/4-1`, `${id}/4-2`]);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('is refused where the volume is another by now, or in use, and leaves all as it is', async (context) => {
    const { live, volume, id, hasRoom, retry } = await start(context);
    hasRoom();
    const refuses = async (given: Parameters<typeof updateVolume>[2], message: RegExp): Promise<void> => {
      await live.database.write((tx) => updateVolume(tx, volume.id, given));
      await assert.rejects(retry(), { message });
      assert.equal((await getBackup(live.database.read, id)).status, 'error');
      assert.equal((await getVolume(live.database.read, volume.id)).status, given.status ?? 'available');
    };
    await refuses({ sizeGiB: 2 }, /is of 1 GiB, and volume \S+ has 2\./);
    await refuses({ sizeGiB: 1, projectId: 'f0b1c2d3e4f5a0b1c2d3e4f5a0b1c2d3' }, /is of another project than backup/);
    await refuses({ projectId: caller.projectId, status: 'in-use', attachStatus: 'attached' }, /it is in-use/);
    assert.equal((await retry({ force: true })).status, 'available');
    assert.equal((await getVolume(live.database.read, volume.id)).status, 'in-use');
    await assert.rejects(retry(), { message: /must be error to be begun again; it is available/ });
  });

  it('of an increment needs what it is an increment to', async (context) => {
    const { live, volume, id, hasRoom, retry } = await start(context);
    hasRoom();
    const parent = await givenBackup(live.site, volume);
    await live.database.write(async (tx) => {
      await updateBackup(tx, id, { parentId: parent.id });
      await updateBackup(tx, parent.id, { status: 'error' });
    });
    await assert.rejects(retry(), {
      message: new RegExp(`^Backup ${parent.id}, to which ${id} is an increment, is not`),
    });
    await live.database.write((tx) => updateBackup(tx, parent.id, { status: 'available' }));
    assert.equal((await retry()).status, 'available');
  });

  it('is possible for seven days, unless the backup is deleted before', async (context) => {
    const { live, id, retry } = await start(context);
    const touched = (days: number) =>
      live.database.write((tx) =>
        tx.db
          .updateTable('backup')
          .set({ updated_at: fromNow(-days * 24 * 3600 * 1000) })
          .where('id', '=', id)
          .execute(),
      );
    await touched(6.9);
    await removeRemains(live.site.tools.backups, signal);
    assert.equal(await attemptsOf(live.database.read, id), 1);
    assert.equal(live.site.backups.packs.size, 1);
    await touched(7.1);
    await removeRemains(live.site.tools.backups, signal);
    assert.equal(live.site.backups.packs.size, 0);
    await assert.rejects(retry(), { message: `Nothing is kept of backup ${id} to begin it again: make a new one.` });
    await deleteBackup(live.desk, caller, id, plainly);
    await live.settled(`backup:${id}`);
    assert.deepEqual(await live.site.leftovers(), []);
  });
});
