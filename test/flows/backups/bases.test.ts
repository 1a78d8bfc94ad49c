/** Bases of backups: when one is believed, and for whose need it goes. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createBackup } from '../../../src/commands/backups/create-backup.ts';
import { deleteBackup } from '../../../src/commands/backups/delete-backup.ts';
import { createSnapshot } from '../../../src/commands/snapshots/create-snapshot.ts';
import { deleteVolume } from '../../../src/commands/volumes/delete-volume.ts';
import { migrateVolume } from '../../../src/commands/volumes/migrate-volume.ts';
import { allBases, findBase } from '../../../src/db/backup-bases.ts';
import { findContent, keepContent } from '../../../src/db/backup-contents.ts';
import { getBackup } from '../../../src/db/backups.ts';
import type { BackupBase } from '../../../src/drivers/driver.ts';
import { tidyBases } from '../../../src/flows/backups/bases.ts';
import { BackendFull, DriverFailed } from '../../../src/model/errors.ts';
import type { Volume } from '../../../src/model/volume.ts';
import { calm } from '../../drivers/driver-world.ts';
import { backupsOn, givenBackup, givenBase, givenSnapshot, givenVolume } from '../given.ts';
import { refuses } from '../interposed.ts';
import { type LiveSite, liveSite } from '../live-site.ts';
import { backupRequest, snapshotRequest } from '../requests.ts';
import { caller } from '../site.ts';

const HOST = 'node@alpha';
const MOVE = { host: 'node@beta#beta', forceHostCopy: false, lockVolume: false };
const CHANGED = [{ at: 0, bytes: 1024 ** 2 }];

async function start(context: TestContext) {
  const live = await liveSite(context, { bases: true });
  live.site.interpose('alpha', 'changedSince', async (proceed) => {
    const base = (await proceed()) as BackupBase | null;
    return base && { ...base, changed: CHANGED };
  });
  return { live, tidy: () => tidyBases(live.site.tools, HOST, calm()) };
}

/** Of a new backup: its id, how it was found out what to store, and why. */
async function backUp(live: LiveSite, volume: Volume, incremental = true, snapshotId: string | null = null) {
  const { id } = await createBackup(live.desk, caller, backupRequest(volume.id, { incremental, snapshotId }));
  await live.settled(`backup:${id}`);
  assert.equal((await getBackup(live.database.read, id)).status, 'available');
  const content = await findContent(live.database.read, id);
  return { id, way: [content?.way, content?.why] };
}

describe('the base of a volume', () => {
  it('is what its newest backup was made from, and the next one is told what has changed since', async (context) => {
    const { live, tidy } = await start(context);
    const volume = await givenVolume(live.site);
    const full = await backUp(live, volume, false);
    assert.deepEqual(full.way, ['full', null]);
    const next = await backUp(live, volume);
    assert.deepEqual(next.way, ['map', null]);
    assert.equal((await findBase(live.database.read, volume.id))?.backupId, next.id);
    assert.deepEqual(
      backupsOn(live.site),
      [full.id, next.id].sort().map((id) => `alpha/backup-${id}`),
    );
    await tidy();
    assert.deepEqual(backupsOn(live.site), [`alpha/backup-${next.id}`]);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('is not kept where that would cost more than what the volume changes', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    await backUp(live, volume, false);
    assert.deepEqual((await backUp(live, volume)).way, ['digests', 'no_base']);
    assert.deepEqual(backupsOn(live.site), []);
  });

  it('stays when a backup fails', async (context) => {
    const { live, tidy } = await start(context);
    const { volume, parent } = await givenBase(live.site);
    live.site.interposeBackups('writeManifest', refuses(new DriverFailed('No.')));
    const { id } = await createBackup(live.desk, caller, backupRequest(volume.id, { incremental: true }));
    await live.settled(`backup:${id}`);
    await tidy();
    assert.equal((await findBase(live.database.read, volume.id))?.backupId, parent.id);
    assert.deepEqual(backupsOn(live.site), [`alpha/backup-${parent.id}`]);
  });

  it('is not that of an older snapshot which is backed up later', async (context) => {
    const { live, tidy } = await start(context);
    const volume = await givenVolume(live.site);
    const snapshot = await givenSnapshot(live.site, volume);
    const newer = await backUp(live, volume, false);
    await backUp(live, volume, false, snapshot.id);
    await tidy();
    assert.deepEqual(backupsOn(live.site), [`alpha/backup-${newer.id}`]);
    assert.deepEqual((await backUp(live, volume)).way, ['map', null]);
  });

  it('is believed only when it is of the backup to which the increment points, with its root', async (context) => {
    const { live } = await start(context);
    const { database } = live;
    const one = await givenBase(live.site);
    await givenBackup(live.site, one.volume);
    assert.deepEqual((await backUp(live, one.volume)).way, ['digests', 'other_base']);
    const two = await givenBase(live.site);
    const content = await findContent(database.read, two.parent.id);
    assert.ok(content);
    await database.write((tx) => keepContent(tx, { ...content, root: 'cd' }));
    assert.deepEqual((await backUp(live, two.volume)).way, ['digests', 'other_base']);
  });

  it('is not asked of a backend to which its volume has come since', async (context) => {
    const { live, tidy } = await start(context);
    const { volume } = await givenBase(live.site);
    await migrateVolume(live.desk, caller, volume.id, MOVE);
    assert.equal((await live.settledVolume(volume)).host, 'node@beta#beta');
    assert.deepEqual((await backUp(live, volume)).way, ['digests', 'no_base']);
    await tidy();
    assert.deepEqual(
      backupsOn(live.site).map((name) => name.slice(0, 4)),
      ['beta'],
    );
  });

  it('goes with its volume', async (context) => {
    const { live, tidy } = await start(context);
    const { volume } = await givenBase(live.site);
    await deleteVolume(live.desk, caller, volume.id, { cascade: false, force: false });
    await live.settled(`volume:${volume.id}`);
    assert.deepEqual(await live.site.leftovers(), []);
    await tidy();
    assert.deepEqual([backupsOn(live.site), await allBases(live.database.read)], [[], []]);
  });

  it('goes with its backup', async (context) => {
    const { live, tidy } = await start(context);
    const { parent } = await givenBase(live.site);
    await deleteBackup(live.desk, caller, parent.id, { force: false });
    await live.settled(`backup:${parent.id}`);
    await tidy();
    assert.deepEqual([backupsOn(live.site), await allBases(live.database.read)], [[], []]);
  });

  it('fails nobody who comes to drop it while another process that serves the pool does', async (context) => {
    const { live, tidy } = await start(context);
    const { parent } = await givenBase(live.site);
    await deleteBackup(live.desk, caller, parent.id, { force: false });
    await live.settled(`backup:${parent.id}`);
    live.site.interpose('alpha', 'dropForBackup', async () => {
      live.site.interpose('alpha', 'dropForBackup', null);
      await tidy();
      throw new DriverFailed('It went under my hands.');
    });
    await tidy();
    assert.deepEqual([backupsOn(live.site), await allBases(live.database.read)], [[], []]);
  });

  it('gives its room to whoever has none, the oldest first', async (context) => {
    const { live } = await start(context);
    const [older, newer] = [await givenBase(live.site), await givenBase(live.site)];
    let isFull = true;
    live.site.interpose('alpha', 'createSnapshot', async (proceed) => {
      if (!isFull) return proceed();
      isFull = false;
      throw new BackendFull('No room.');
    });
    const { id } = await createSnapshot(live.desk, caller, snapshotRequest(older.volume.id));
    assert.equal((await live.settledSnapshot({ id }))?.status, 'available');
    assert.deepEqual(backupsOn(live.site), [`alpha/backup-${newer.parent.id}`]);
    assert.deepEqual((await backUp(live, older.volume)).way, ['digests', 'no_base']);
  });

  it('goes when its pool has little room, one at a time, and what the configuration reserves is little', async (context) => {
    const { live, tidy } = await start(context);
    const bases = [await givenBase(live.site), await givenBase(live.site), await givenBase(live.site)];
    const left = () => backupsOn(live.site).length;
    let pool = { pool_name: 'alpha', total_capacity_gb: 100, free_capacity_gb: 6, reserved_percentage: 0 };
    live.site.interpose('alpha', 'stats', async () => [pool]);
    await tidy();
    assert.equal(left(), 3);
    pool = { ...pool, reserved_percentage: 10 };
    await tidy();
    assert.equal(left(), 2);
    pool = { ...pool, reserved_percentage: 0, free_capacity_gb: 4 };
    await tidy();
    assert.deepEqual(backupsOn(live.site), [`alpha/backup-${bases[2]?.parent.id}`]);
  });

  it('is given up when what its backend told was not so, and the operator is told', async (context) => {
    const { live, tidy } = await start(context);
    const { volume, parent } = await givenBase(live.site);
    const warned: unknown[] = [];
    context.mock.method(live.site.tools.backups.log, 'warn', (facts: unknown) => void warned.push(facts));
    live.site.interposeBackups('copy', async (proceed) => ({
      ...((await proceed()) as object),
      way: 'digests',
      distrusted: true,
    }));
    live.site.interposeBackups('writeManifest', refuses(new DriverFailed('No.')));
    const failed = await createBackup(live.desk, caller, backupRequest(volume.id, { incremental: true }));
    await live.settled(`backup:${failed.id}`);
    assert.partialDeepStrictEqual(warned, [{ backup_id: failed.id, volume_id: volume.id, base: parent.id }]);
    await tidy();
    assert.deepEqual(backupsOn(live.site), []);
    live.site.interposeBackups('writeManifest', null);
    live.site.interposeBackups('copy', null);
    assert.deepEqual((await backUp(live, volume)).way, ['digests', 'no_base']);
  });

  it('and what was made all the same is told to have been read as a whole, since it took so long', async (context) => {
    const { live } = await start(context);
    const { volume } = await givenBase(live.site);
    live.site.interposeBackups('copy', async (proceed) => ({
      ...((await proceed()) as object),
      way: 'digests',
      distrusted: true,
    }));
    assert.deepEqual((await backUp(live, volume)).way, ['digests', 'distrusted']);
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_BACKUP_013_157']);
    live.site.interposeBackups('copy', null);
    assert.deepEqual((await backUp(live, volume)).way, ['map', null]);
    assert.equal((await live.site.messages()).length, 1, 'of what is as it should be nothing is told');
  });

  it('is compared page by page where the backend cannot tell what has changed, and the backup says why all was read', async (context) => {
    const { live } = await start(context);
    const { volume } = await givenBase(live.site);
    live.site.interpose('alpha', 'changedSince', async (proceed) => {
      const base = (await proceed()) as BackupBase | null;
      return base && { ...base, changed: null };
    });
    let order: { readonly base: unknown; readonly changed: unknown } | undefined;
    live.site.interposeBackups('copy', async (proceed, [given]) => {
      order = given as typeof order;
      return proceed();
    });
    assert.deepEqual((await backUp(live, volume)).way, ['digests', 'untold']);
    assert.ok(order?.base, 'pages are compared with it');
    assert.equal(order.changed, null);
  });
});
