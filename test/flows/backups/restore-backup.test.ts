import assert from 'node:assert/strict';
import { truncate } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import type { RestoreOrder, RestoreWatch } from '../../../src/backups/backups.ts';
import { beginRestore, restoreBackup as command } from '../../../src/commands/backups/restore-backup.ts';
import { beginAttempt } from '../../../src/db/backup-work.ts';
import { getBackup } from '../../../src/db/backups.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { restoreBackup } from '../../../src/flows/backups/restore-backup.ts';
import { BackendFull, BackupDamaged, BackupProcessDied } from '../../../src/model/errors.ts';
import { proveFlow } from '../../prove-flow.ts';
import { contentOf, givenBackup, givenCachedImage, givenVolume } from '../given.ts';
import { liveSite } from '../live-site.ts';
import { caller } from '../site.ts';
import { diskImages } from '../site-images.ts';
import { onSite, provesEveryTask, proveVariant } from '../site-proof.ts';

const IMAGE = { image_name: 'cirros' };

proveFlow(
  'restore_backup',
  restoreBackup,
  onSite(async (site) => {
    const source = await givenVolume(site);
    const backup = await givenBackup(site, source, { imageMetadata: IMAGE });
    const target = await givenVolume(site, { sizeGiB: 2 });
    const { read } = site.database;
    const holds = (of: typeof source): boolean => {
      const wanted = contentOf(of);
      return site.content(`alpha/volume-${target.id}`, wanted.length).equals(wanted);
    };
    const isFree = async (): Promise<void> => {
      const { status, restoreVolumeId } = await getBackup(read, backup.id);
      assert.deepEqual([status, restoreVolumeId], ['available', target.id]);
    };
    return {
      begin: (desk) => command(desk, caller, backup.id, target.id),
      done: async () => {
        await isFree();
        const volume = await getVolume(read, target.id);
        assert.partialDeepStrictEqual(volume, { status: 'available', bootable: true, imageMetadata: IMAGE });
        assert.ok(holds(source));
        assert.deepEqual(await site.events(), ['backup.restore.start', 'backup.restore.end']);
      },
      undone: async () => {
        await isFree();
        const { status, bootable } = await getVolume(read, target.id);
        assert.ok(status === 'available' || status === 'error_restoring', status);
        if (status === 'available') assert.ok(holds(target), 'nothing was written');
        assert.equal(bootable, false);
        assert.deepEqual((await site.messages()).length, 1);
      },
    };
  }),
);
proveVariant(
  'restore_backup of what can be read',
  restoreBackup,
  onSite(async (site) => {
    const backup = await givenBackup(site, await givenVolume(site));
    const target = await givenVolume(site);
    site.backups.rotten.add(`${backup.id}/1-0`);
    return {
      begin: (desk) => beginRestore(desk, caller, backup.id, { volumeId: target.id, skipsDamaged: true }),
      done: async () => {
        assert.equal((await getVolume(site.database.read, target.id)).status, 'available');
        assert.deepEqual(await site.messages(), ['VOLUME_VOLUME_BACKUP_015_158']);
        assert.deepEqual(await site.events(), ['backup.restore.start', 'backup.restore.end']);
      },
      undone: async () => {
        assert.equal((await getBackup(site.database.read, backup.id)).status, 'available');
        assert.equal((await site.messages()).length, 1);
        assert.notDeepEqual(await site.messages(), ['VOLUME_VOLUME_BACKUP_015_158']);
      },
    };
  }),
);
provesEveryTask(restoreBackup);

async function start(context: TestContext) {
  const live = await liveSite(context);
  const source = await givenVolume(live.site);
  const backup = await givenBackup(live.site, source);
  const target = await givenVolume(live.site);
  const restore = async () => {
    await command(live.desk, caller, backup.id, target.id);
    await live.settled(`backup:${backup.id}`);
    return getVolume(live.database.read, target.id);
  };
  const content = () => live.site.content(`alpha/volume-${target.id}`, contentOf(source).length);
  return { live, source, backup, target, restore, content };
}

describe('restore_backup', () => {
  it('of one that is damaged leaves the volume in error, the backup as it is, and says so', async (context) => {
    const { live, backup, restore } = await start(context);
    live.site.interposeBackups('restore', async () => {
      throw new BackupDamaged('Pack 1-0 is not what was put there.');
    });
    assert.equal((await restore()).status, 'error_restoring');
    assert.equal((await getBackup(live.database.read, backup.id)).status, 'available');
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_BACKUP_015_154']);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('of what can be read begins anew when it is taken over, and a message says what is missing', async (context) => {
    const { live, backup, target } = await start(context);
    live.site.backups.rotten.add(`${backup.id}/1-0`);
    const begun: number[] = [];
    live.site.interposeBackups('restore', async (proceed, [order, watch]) => {
      begun.push((order as RestoreOrder).doneBytes);
      if (begun.length > 1) return proceed();
      (watch as RestoreWatch).done(512 * 1024 ** 2);
      throw new BackupProcessDied('The process was ended.');
    });
    await beginRestore(live.desk, caller, backup.id, { volumeId: target.id, skipsDamaged: true });
    await live.settled(`backup:${backup.id}`);
    assert.deepEqual(begun, [0, 0]);
    assert.equal((await getVolume(live.database.read, target.id)).status, 'available');
    const { user_message } = await live.database.read.selectFrom('message').selectAll().executeTakeFirstOrThrow();
    assert.equal(
      user_message,
      'restore the backup: Parts of the backup could not be read, and are zeroes in the volume. Missing are 1 MiB at 1 MiB.',
    );
  });

  it('whose backend is down leaves the volume available with what it held', async (context) => {
    const { live, restore, content, target } = await start(context);
    live.site.down.add('node@alpha');
    assert.equal((await restore()).status, 'available');
    live.site.down.clear();
    const wanted = contentOf(target);
    assert.ok(content().subarray(0, wanted.length).equals(wanted));
  });

  it('takes the room of cached images where the backend is full', async (context) => {
    const { live, restore } = await start(context);
    const image = await live.site.images.add({ diskFormat: 'qcow2' }, (await diskImages()).qcow2);
    await givenCachedImage(live.site, 'alpha', image);
    live.site.interposeBackups('restore', async (proceed) => {
      if (live.site.objects().some((name) => name.includes('cached-image')))
        throw new BackendFull('No space is left where the volume is restored to.');
      return proceed();
    });
    assert.equal((await restore()).status, 'available');
  });

  it('goes on where it stood', async (context) => {
    const { live, restore } = await start(context);
    const seen: unknown[] = [];
    live.site.interposeBackups('restore', async (proceed, [order]) => {
      const { doneBytes } = order as { readonly doneBytes: number };
      seen.push(doneBytes);
      if (seen.length > 1) return proceed();
      await proceed();
      throw Object.assign(new Error('The child was killed.'), { transient: true });
    });
    assert.equal((await restore()).status, 'available');
    assert.deepEqual(seen, [0, 1024 ** 3]);
  });

  it('writes nothing down for an attempt that has been taken over', async (context) => {
    const { live, backup, restore } = await start(context);
    live.site.interposeBackups('restore', async (proceed) => {
      await live.database.write((tx) => beginAttempt(tx, backup.id));
      return proceed();
    });
    assert.equal((await restore()).status, 'error_restoring');
  });

  it('makes a volume whole that was taken over with less than whole GiB', async (context) => {
    const { live, target, restore, source, content } = await start(context);
    await truncate(live.site.path('alpha', `volume-${target.id}`), 512 * 1024 ** 2 + 512);
    assert.equal((await restore()).status, 'available');
    assert.equal(live.site.sizeGiB(`alpha/volume-${target.id}`), 1);
    assert.ok(content().equals(contentOf(source)));
  });
});
