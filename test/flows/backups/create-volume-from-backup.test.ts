import assert from 'node:assert/strict';
import { createVolume } from '../../../src/commands/volumes/create-volume.ts';
import { getBackup } from '../../../src/db/backups.ts';
import { listVolumes } from '../../../src/db/volumes.ts';
import { createVolumeFromBackup } from '../../../src/flows/backups/create-volume-from-backup.ts';
import { proveFlow } from '../../prove-flow.ts';
import { contentOf, givenBackup, givenVolume } from '../given.ts';
import { volumeRequest } from '../requests.ts';
import { caller } from '../site.ts';
import { onSite, provesEveryTask } from '../site-proof.ts';

const IMAGE = { image_name: 'cirros' };

proveFlow(
  'create_volume_from_backup',
  createVolumeFromBackup,
  onSite(async (site) => {
    const source = await givenVolume(site);
    const backup = await givenBackup(site, source, { imageMetadata: IMAGE });
    const made = async () => {
      const [volume, ...others] = (await listVolumes(site.database, {})).filter(({ id }) => id !== source.id);
      assert.ok(volume !== undefined && others.length === 0);
      return volume;
    };
    const isFree = async (): Promise<void> => {
      const { status, restoreVolumeId } = await getBackup(site.database.read, backup.id);
      assert.deepEqual([status, restoreVolumeId], ['available', (await made()).id]);
    };
    return {
      begin: (desk) => createVolume(desk, caller, volumeRequest({ backupId: backup.id, sizeGiB: 2 })),
      done: async () => {
        await isFree();
        const volume = await made();
        assert.partialDeepStrictEqual(volume, {
          status: 'available',
          sizeGiB: 2,
          bootable: true,
          imageMetadata: IMAGE,
        });
        const wanted = contentOf(source);
        const object = `${volume.host?.split('#')[1]}/volume-${volume.id}`;
        assert.ok(site.content(object, wanted.length).equals(wanted));
        // A create that was tried on another backend has begun twice.
        const events = (await site.events()).filter((event, at, all) => event !== all[at - 1]);
        assert.deepEqual(events, [
          'volume.create.start',
          'backup.restore.start',
          'backup.restore.end',
          'volume.create.end',
        ]);
      },
      undone: async () => {
        await isFree();
        assert.partialDeepStrictEqual(await made(), { status: 'error', host: null, bootable: false });
        assert.equal((await site.messages()).length, 1);
      },
    };
  }),
);
provesEveryTask(createVolumeFromBackup);
