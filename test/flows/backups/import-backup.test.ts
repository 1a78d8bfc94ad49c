import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { BackupRecord } from '../../../src/commands/backups/backup-record.ts';
import { deleteBackup } from '../../../src/commands/backups/delete-backup.ts';
import { exportRecord } from '../../../src/commands/backups/export-record.ts';
import { importRecord as command } from '../../../src/commands/backups/import-record.ts';
import { findContent, giveUpContent, removableRemains } from '../../../src/db/backup-contents.ts';
import { findBackup, getBackup, listBackups } from '../../../src/db/backups.ts';
import { importBackup } from '../../../src/flows/backups/import-backup.ts';
import { removeRemains } from '../../../src/flows/backups/remove-remains.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { BACKUP_SERVICE } from '../../../src/model/backup.ts';
import { proveFlow } from '../../prove-flow.ts';
import { contentOf, givenBackup, givenVolume } from '../given.ts';
import { liveSite } from '../live-site.ts';
import { caller, type Site } from '../site.ts';
import { onSite, provesEveryTask } from '../site-proof.ts';

/** The store holds one of which the database does not know; this is its record. */
async function givenRecord(site: Site, given: Partial<BackupRecord> = {}): Promise<{ id: string; url: string }> {
  const volume = await givenVolume(site);
  const { id = uuid(), root = 'ab', sizeGiB = 1 } = given;
  site.backups.foreign.add(id);
  site.backups.hold(id, volume.sizeGiB, contentOf(volume));
  const record = { id, size: sizeGiB, display_name: 'nightly', display_description: null, container: 'box' };
  const driver_info = { store: 'main', scope: `scope-${id}`, root };
  const text = JSON.stringify({ ...record, object_count: 3, driver_info });
  return { id, url: Buffer.from(text).toString('base64') };
}

proveFlow(
  'import_backup',
  importBackup,
  onSite(async (site) => {
    const { id, url } = await givenRecord(site);
    const { read } = site.database;
    const stays = (): void => {
      assert.deepEqual([...site.backups.manifests.keys()], [id]);
      assert.deepEqual([...site.backups.packs], [`${id}/1-0`]);
    };
    return {
      begin: (desk) => command(desk, caller, { service: BACKUP_SERVICE, url }),
      done: async () => {
        assert.partialDeepStrictEqual(await getBackup(read, id), {
          status: 'available',
          name: 'nightly',
          container: 'box',
          objectCount: 3,
          failReason: null,
          dataTimestamp: site.backups.manifests.get(id)?.createdAt,
        });
        assert.deepEqual((await findContent(read, id))?.packs, [`${id}/1-0`]);
        stays();
        assert.deepEqual(await site.messages(), []);
      },
      undone: async () => {
        const { status, failReason } = await getBackup(read, id);
        assert.equal(status, 'error');
        assert.match(failReason ?? '', /^import the backup: /);
        assert.equal(await findContent(read, id), undefined);
        stays();
        assert.equal((await site.messages()).length, 1);
      },
    };
  }),
);
provesEveryTask(importBackup);

async function start(context: TestContext) {
  const live = await liveSite(context);
  const { read } = live.database;
  const settled = async (id: string) => {
    await live.settled(`backup:${id}`);
    return findBackup(read, id);
  };
  const imports = async (url: string) => {
    const { id } = await command(live.desk, caller, { service: BACKUP_SERVICE, url });
    return (await settled(id)) ?? assert.fail('It is known.');
  };
  const deletes = async (id: string) => {
    await deleteBackup(live.desk, caller, id, { force: false });
    assert.equal(await settled(id), undefined);
    await removeRemains(live.site.tools.backups, new AbortController().signal);
    assert.deepEqual(await removableRemains(read, 9), []);
  };
  return { live, read, imports, deletes };
}

describe('import_backup', () => {
  it('of another than the record tells of ends in error, and its delete leaves the store as it is', async (context) => {
    const { live, imports, deletes } = await start(context);
    for (const given of [{ root: 'cd' }, { sizeGiB: 2 }]) {
      const { id, url } = await givenRecord(live.site, given);
      const { status, failReason } = await imports(url);
      assert.deepEqual([status, /damaged/.test(failReason ?? '')], ['error', true], failReason ?? '');
      await deletes(id);
      assert.ok(live.site.backups.manifests.has(id));
      assert.ok(live.site.backups.packs.has(`${id}/1-0`));
    }
  });

  it('of what is in no store ends in error', async (context) => {
    const { live, imports } = await start(context);
    const { id, url } = await givenRecord(live.site);
    live.site.backups.manifests.delete(id);
    assert.equal((await imports(url)).status, 'error');
  });

  it('of another database’s scope gives up no pack when it is deleted', async (context) => {
    const { live, imports, deletes } = await start(context);
    const { id, url } = await givenRecord(live.site);
    assert.equal((await imports(url)).status, 'available');
    await deletes(id);
    assert.deepEqual([...live.site.backups.manifests.keys()], []);
    assert.deepEqual([...live.site.backups.packs], [`${id}/1-0`]);
  });

  it('is refused while something of its scope is still to be removed', async (context) => {
    const { live, read } = await start(context);
    const volume = await givenVolume(live.site);
    const [kept, gone] = [await givenBackup(live.site, volume), await givenBackup(live.site, volume)];
    const { url } = await exportRecord(live.desk, caller, gone.id);
    await live.database.write((tx) => giveUpContent(tx, kept.id, kept.scopeId ?? ''));
    await live.database.write(({ db }) => db.deleteFrom('backup').where('id', '=', gone.id).execute());
    const asked = command(live.desk, caller, { service: BACKUP_SERVICE, url });
    await assert.rejects(asked, { name: 'InvalidBackup', message: /is being removed/ });
    assert.deepEqual(
      (await listBackups(live.database, {})).map(({ id }) => id),
      [kept.id],
    );
    await removeRemains(live.site.tools.backups, new AbortController().signal);
    await command(live.desk, caller, { service: BACKUP_SERVICE, url });
    await live.settled(`backup:${gone.id}`);
    assert.equal((await getBackup(read, gone.id)).status, 'available');
  });
});
