/** Backups of a real Cinder: imported by their records, restored from where they lie, and never touched there. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { deleteBackup } from '../../../src/commands/backups/delete-backup.ts';
import { exportRecord } from '../../../src/commands/backups/export-record.ts';
import { importRecord } from '../../../src/commands/backups/import-record.ts';
import { resetBackupStatus } from '../../../src/commands/backups/reset-backup-status.ts';
import { beginRestore, restoreToNewVolume } from '../../../src/commands/backups/restore-backup.ts';
import { verifyBackup } from '../../../src/commands/backups/verify-backup.ts';
import { findBackup, getBackup, insertBackup } from '../../../src/db/backups.ts';
import { countQuota } from '../../../src/db/quotas.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { importCinderBackup } from '../../../src/flows/backups/import-cinder-backup.ts';
import { restoreBackup } from '../../../src/flows/backups/restore-backup.ts';
import { BackupStoreUnavailable } from '../../../src/model/errors.ts';
import { backupQuota } from '../../../src/model/quota.ts';
import { proveFlow } from '../../prove-flow.ts';
import { givenVolume } from '../given.ts';
import { liveSite } from '../live-site.ts';
import { caller, PROJECT, type Site } from '../site.ts';
import { onSite, provesEveryTask, proveVariant } from '../site-proof.ts';

const ID = '00000010-aaaa-4bbb-8ccc-dddddddddddd';
const VOLUME = '11111111-2222-4333-8444-555555555555';
const PREFIX = `volume_${VOLUME}_20261130124155_backup_${ID}`;
const CONTAINER = `00/00/${ID}`;
const HEAD = Buffer.from('what Cinder has kept');
const SERVICE = 'cinder.backup.drivers.posix.PosixBackupDriver';
const GIB = 1024 ** 3;

const recordOf = (given: object = {}) => ({
  service: SERVICE,
  url: Buffer.from(
    JSON.stringify({
      id: ID,
      user_id: 'somebody',
      size: 1,
      display_name: 'nightly',
      display_description: null,
      container: CONTAINER,
      service_metadata: PREFIX,
      object_count: 7,
      parent_id: null,
      ...given,
    }),
  ).toString('base64'),
});

function hold(site: Site): void {
  const says = { backupId: ID, name: 'b', volumeId: VOLUME, parentId: null, bytes: GIB, objects: 8 };
  site.backups.cinder.set(`${CONTAINER}/${PREFIX}_metadata`, {
    ...says,
    createdAt: '2026-11-30T00:00:00.000000',
    head: HEAD,
  });
}

/** One that was imported. */
async function given(site: Site): Promise<void> {
  hold(site);
  const where = { service: SERVICE, container: CONTAINER, serviceMetadata: PREFIX };
  await site.database.write(async (tx) => {
    const { projectId, userId } = caller;
    await insertBackup(tx, { id: ID, projectId, userId, volumeId: VOLUME, sizeGiB: 1, status: 'available', ...where });
    await countQuota(tx, projectId, backupQuota(1));
  });
}

proveFlow(
  'import_cinder_backup',
  importCinderBackup,
  onSite(async (site) => {
    hold(site);
    return {
      begin: (desk) => importRecord(desk, caller, recordOf()),
      done: async () => {
        assert.partialDeepStrictEqual(await getBackup(site.database.read, ID), {
          status: 'available',
          name: 'nightly',
          volumeId: VOLUME,
          service: SERVICE,
          container: CONTAINER,
          serviceMetadata: PREFIX,
          dataTimestamp: '2026-11-30T00:00:00.000000',
          objectCount: 8,
          scopeId: null,
        });
      },
      undone: async () => {
        const { status, failReason } = await getBackup(site.database.read, ID);
        assert.equal(status, 'error');
        assert.match(failReason ?? '', /^import the backup: /);
        assert.equal((await site.messages()).length, 1);
      },
    };
  }),
);
provesEveryTask(importCinderBackup);

const restored = onSite(async (site) => {
  await given(site);
  const target = await givenVolume(site, { sizeGiB: 2 });
  return {
    begin: (desk) => beginRestore(desk, caller, ID, { volumeId: target.id }),
    done: async () => {
      assert.equal((await getVolume(site.database.read, target.id)).status, 'available');
      assert.ok(site.content(`alpha/volume-${target.id}`, HEAD.length).equals(HEAD));
    },
    undone: async () => {
      assert.equal((await getBackup(site.database.read, ID)).status, 'available');
    },
  };
});
proveVariant('restore_backup of what a Cinder has made', restoreBackup, restored);

async function start(context: TestContext) {
  const live = await liveSite(context);
  const imports = async (record = recordOf()) => {
    await importRecord(live.desk, caller, record);
    await live.settled(`backup:${ID}`);
    return getBackup(live.database.read, ID);
  };
  return { live, imports };
}

describe('a backup that a Cinder has made', () => {
  it('becomes a new volume, and goes without anything being deleted where it lies', async (context) => {
    const { live, imports } = await start(context);
    hold(live.site);
    assert.equal((await imports()).status, 'available');
    const volume = await restoreToNewVolume(live.desk, caller, ID, { name: null, demand: () => {} });
    await live.settled(`volume:${volume.id}`);
    const { status, host } = await getVolume(live.database.read, volume.id);
    assert.equal(status, 'available');
    const backend = host?.split('#')[1] ?? '';
    assert.ok(live.site.content(`${backend}/volume-${volume.id}`, HEAD.length).equals(HEAD));
    await deleteBackup(live.desk, caller, ID, { force: false });
    await live.settled(`backup:${ID}`);
    assert.equal(await findBackup(live.database.read, ID), undefined);
    assert.equal(live.site.backups.cinder.size, 1);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('is an error that says why where it is not, or not as its record says, and cannot be made available then', async (context) => {
    const { live, imports } = await start(context);
    const { status, failReason } = await imports();
    assert.deepEqual(
      [status, failReason],
      ['error', 'import the backup: The backup is not in its store; an operator has to look there.'],
    );
    await assert.rejects(resetBackupStatus(live.desk, caller, ID, 'available'), /was never whole/);
    await deleteBackup(live.desk, caller, ID, { force: false });
    await live.settled(`backup:${ID}`);
    hold(live.site);
    assert.match((await imports(recordOf({ size: 2 }))).failReason ?? '', /damaged in its store/);
    await deleteBackup(live.desk, caller, ID, { force: false });
    await live.settled(`backup:${ID}`);
    live.site.interposeBackups('describeCinder', async () => {
      throw new BackupStoreUnavailable('/srv/c: EIO.');
    });
    assert.match((await imports()).failReason ?? '', /did not answer/);
  });

  it('is refused by a record that leads elsewhere, is of what cannot be read, or is known', async (context) => {
    const { live, imports } = await start(context);
    hold(live.site);
    for (const wrong of [{ container: '../elsewhere' }, { container: '/etc' }, { service_metadata: 'a/../../b' }])
      await assert.rejects(imports(recordOf(wrong)), { name: 'InvalidInput', message: /no place below a store/ });
    await assert.rejects(imports(recordOf({ service_metadata: null })), /no usable service_metadata/);
    const ceph = { ...recordOf(), service: 'cinder.backup.drivers.ceph.CephBackupDriver' };
    await assert.rejects(imports(ceph), /^InvalidBackup: .*Records of cinder\.backup\.drivers\.ceph/);
    await imports();
    await assert.rejects(imports(), { message: 'Backup already exists in database.' });
  });

  it('is not verified, exported or restored in part', async (context) => {
    const { live, imports } = await start(context);
    hold(live.site);
    await imports();
    const volume = await givenVolume(live.site, { projectId: PROJECT });
    const how = { depth: 'packs', percent: 100, budgetBytes: null } as const;
    await assert.rejects(verifyBackup(live.desk, caller, ID, how), /was made by a Cinder, and cannot be verified/);
    await assert.rejects(exportRecord(live.desk, caller, ID), /was made by a Cinder, and cannot be exported/);
    const part = { volumeId: volume.id, skipsDamaged: true };
    await assert.rejects(
      beginRestore(live.desk, caller, ID, part),
      /was made by a Cinder, and cannot be restored in part/,
    );
    assert.equal((await getVolume(live.database.read, volume.id)).status, 'available');
    assert.equal((await getBackup(live.database.read, ID)).status, 'available');
  });
});
