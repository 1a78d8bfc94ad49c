import assert from 'node:assert/strict';
import { createSnapshot as command } from '../../src/commands/create-snapshot.ts';
import { getSnapshot } from '../../src/db/snapshots.ts';
import { getVolume } from '../../src/db/volumes.ts';
import { createSnapshot } from '../../src/flows/create-snapshot.ts';
import { proveFlow } from '../prove-flow.ts';
import { contentOf, givenVolume } from './given.ts';
import { caller } from './site.ts';
import { onSite, provesEveryTask } from './site-proof.ts';
import { snapshotWish } from './wishes.ts';

proveFlow(
  'create_snapshot of a bootable volume',
  createSnapshot,
  onSite(async (site) => {
    const imageMetadata = { image_id: 'i', min_disk: '0' };
    const volume = await givenVolume(site, { bootable: true, imageMetadata });
    let id = '';
    const snapshot = () => getSnapshot(site.database.read, id);
    return {
      begin: async (desk) => {
        ({ id } = await command(desk, caller, snapshotWish(volume.id)));
      },
      done: async () => {
        assert.partialDeepStrictEqual(await snapshot(), { status: 'available', progress: '100%', imageMetadata });
        assert.deepEqual(site.content(`alpha/snapshot-${id}`, contentOf(volume).length), contentOf(volume));
        assert.deepEqual(await site.events(), ['snapshot.create.start', 'snapshot.create.end']);
        assert.deepEqual(await site.messages(), []);
        assert.deepEqual(await getVolume(site.database.read, volume.id), volume);
      },
      undone: async () => {
        assert.partialDeepStrictEqual(await snapshot(), { status: 'error', imageMetadata: null });
        assert.deepEqual(site.objects(), [`alpha/volume-${volume.id}`]);
        assert.ok(!(await site.events()).includes('snapshot.create.end'));
        assert.equal((await site.messages()).length, 1);
        assert.deepEqual(await getVolume(site.database.read, volume.id), volume);
      },
    };
  }),
);
provesEveryTask(createSnapshot);
