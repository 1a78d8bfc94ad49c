import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BackupManifest } from '../../../src/backups/backups.ts';
import { createBackup } from '../../../src/commands/backups/create-backup.ts';
import { deleteBackup as command } from '../../../src/commands/backups/delete-backup.ts';
import { keepContent, removableRemains } from '../../../src/db/backup-contents.ts';
import { findBackup, getBackup, updateBackup } from '../../../src/db/backups.ts';
import { deleteBackup } from '../../../src/flows/backups/delete-backup.ts';
import { removeRemains } from '../../../src/flows/backups/remove-remains.ts';
import { BackupStoreRefused } from '../../../src/model/errors.ts';
import { proveFlow } from '../../prove-flow.ts';
import { givenBackup, givenVolume } from '../given.ts';
import { refuses } from '../interposed.ts';
import { liveSite } from '../live-site.ts';
import { backupRequest } from '../requests.ts';
import { caller } from '../site.ts';
import { onSite, provesEveryTask } from '../site-proof.ts';

const { signal } = new AbortController();

proveFlow(
  'delete_backup',
  deleteBackup,
  onSite(async (site) => {
    const backup = await givenBackup(site, await givenVolume(site));
    return {
      begin: (desk) => command(desk, caller, backup.id, { force: false }),
      done: async () => {
        assert.equal(await findBackup(site.database.read, backup.id), undefined);
        assert.deepEqual([...site.backups.manifests.keys()], []);
        assert.deepEqual(await site.events(), ['backup.delete.start', 'backup.delete.end']);
        await removeRemains(site.tools.backups, signal);
        assert.deepEqual([...site.backups.packs], []);
        assert.deepEqual(await removableRemains(site.database.read, 9), []);
      },
      undone: async () => {
        const { status, failReason } = await getBackup(site.database.read, backup.id);
        assert.ok(status === 'available' || status === 'error_deleting', status);
        assert.equal(failReason === null, status === 'available');
        assert.equal((await site.messages()).length, 1);
      },
    };
  }),
);
provesEveryTask(deleteBackup);

describe('what a deleted backup was made of', () => {
  it('stays as long as another is made of it, and goes with that', async (context) => {
    const live = await liveSite(context);
    const { site } = live;
    const volume = await givenVolume(site);
    const [one, two] = [await givenBackup(site, volume), await givenBackup(site, volume)];
    const packs = [one, two].map(({ id }) => `${id}/1-0`);
    const content = { backupId: two.id, scopeId: two.scopeId ?? '', root: '', packs };
    await live.database.write((tx) => keepContent(tx, content));
    const remove = async (id: string): Promise<void> => {
      await command(live.desk, caller, id, { force: false });
      await live.settled(`backup:${id}`);
      await removeRemains(site.tools.backups, signal);
    };
    await remove(one.id);
    assert.deepEqual([...site.backups.packs], packs);
    await remove(two.id);
    assert.deepEqual([...site.backups.packs], []);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('waits for whoever began before, and is looked at again then', async (context) => {
    const live = await liveSite(context);
    const { site } = live;
    const volume = await givenVolume(site);
    const old = await givenBackup(site, volume);
    const reached = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    site.interposeBackups('writeManifest', async (proceed) => {
      reached.resolve();
      await goOn.promise;
      return proceed();
    });
    const made = await createBackup(live.desk, caller, backupRequest(volume.id));
    await reached.promise;
    await command(live.desk, caller, old.id, { force: false });
    await live.settled(`backup:${old.id}`);
    assert.deepEqual(await removableRemains(live.database.read, 9), []);
    await removeRemains(site.tools.backups, signal);
    assert.ok(site.backups.packs.has(`${old.id}/1-0`));
    goOn.resolve();
    await live.settled(`backup:${made.id}`);
    await removeRemains(site.tools.backups, signal);
    assert.ok(!site.backups.packs.has(`${old.id}/1-0`));
    assert.equal(site.backups.packs.size, 3);
  });

  it('goes with it also where its manifest names none of it, as of what has become zeroes since the one before', async (context) => {
    const live = await liveSite(context);
    const { site } = live;
    const volume = await givenVolume(site);
    site.interposeBackups('writeManifest', async (proceed) => ({
      ...((await proceed()) as BackupManifest),
      packs: [],
    }));
    const { id } = await createBackup(live.desk, caller, backupRequest(volume.id));
    await live.settled(`backup:${id}`);
    assert.equal((await getBackup(live.database.read, id)).status, 'available');
    assert.notDeepEqual([...site.backups.packs], []);
    await command(live.desk, caller, id, { force: false });
    await live.settled(`backup:${id}`);
    await removeRemains(site.tools.backups, signal);
    assert.deepEqual([...site.backups.packs], []);
  });

  it('is kept in mind while its store cannot be used', async (context) => {
    const live = await liveSite(context);
    const { site } = live;
    const { id } = await givenBackup(site, await givenVolume(site));
    await command(live.desk, caller, id, { force: false });
    await live.settled(`backup:${id}`);
    site.interposeBackups('deletePacks', async () => {
      throw new BackupStoreRefused('It is another store.');
    });
    await assert.rejects(removeRemains(site.tools.backups, signal), BackupStoreRefused);
    assert.equal((await removableRemains(live.database.read, 9)).length, 1);
    site.interposeBackups('deletePacks', null);
    await removeRemains(site.tools.backups, signal);
    assert.deepEqual([...site.backups.packs], []);
  });
});

describe('delete_backup', () => {
  it('by force stops whoever makes the backup, and leaves nothing of it', async (context) => {
    const live = await liveSite(context);
    const { site } = live;
    const volume = await givenVolume(site);
    const reached = Promise.withResolvers<void>();
    site.interposeBackups('copy', async (_proceed, [, watch]) => {
      reached.resolve();
      const { signal } = watch as { readonly signal: AbortSignal };
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    });
    const { id } = await createBackup(live.desk, caller, backupRequest(volume.id));
    await reached.promise;
    await assert.rejects(command(live.desk, caller, id, { force: false }), { name: 'InvalidBackup' });
    await command(live.desk, caller, id, { force: true });
    await live.settled(`backup:${id}`);
    assert.equal(await findBackup(live.database.read, id), undefined);
    await removeRemains(site.tools.backups, signal);
    assert.deepEqual(await site.leftovers(), []);
  });

  it('by force asks no store that a first backup has never come to, and that may not be there', async (context) => {
    const live = await liveSite(context);
    const { site } = live;
    const volume = await givenVolume(site);
    const reached = Promise.withResolvers<void>();
    site.interposeBackups('openScope', async () => {
      reached.resolve();
      throw new BackupStoreRefused('No backup store is there.');
    });
    site.interposeBackups('deleteManifest', refuses(new BackupStoreRefused('No backup store is there.')));
    const { id } = await createBackup(live.desk, caller, backupRequest(volume.id));
    await reached.promise;
    await command(live.desk, caller, id, { force: true });
    assert.equal((await live.settled(`backup:${id}`)).state, 'success');
    assert.equal(await findBackup(live.database.read, id), undefined);
  });

  it('takes one away of which nothing came to a store', async (context) => {
    const live = await liveSite(context);
    const { id } = await givenBackup(live.site, await givenVolume(live.site), { status: 'error' });
    await live.database.write((tx) => updateBackup(tx, id, { scopeId: null }));
    live.site.interposeBackups('deleteManifest', async () => {
      throw new Error('There is nothing to be asked for.');
    });
    await command(live.desk, caller, id, { force: false });
    assert.equal((await live.settled(`backup:${id}`)).state, 'success');
  });
});
