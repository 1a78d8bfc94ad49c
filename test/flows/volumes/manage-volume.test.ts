import assert from 'node:assert/strict';
import { manageVolume } from '../../../src/commands/volumes/manage-volume.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { manageExisting } from '../../../src/flows/volumes/manage-volume.ts';
import { proveFlow } from '../../prove-flow.ts';
import { manageVolumeRequest } from '../requests.ts';
import { caller } from '../site.ts';
import { onSite, provesEveryTask } from '../site-proof.ts';

const THEIRS = Buffer.from('theirs');

proveFlow(
  'manage_existing',
  manageExisting,
  onSite(async (site) => {
    site.foreignFile('alpha', 'their-disk', 3);
    let id = '';
    const volume = () => getVolume(site.database.read, id);
    return {
      foreign: ['alpha/their-disk'],
      begin: async (desk) => {
        ({ id } = await manageVolume(desk, caller, manageVolumeRequest('their-disk')));
      },
      done: async () => {
        const managed = await volume();
        const managedRef = { 'source-name': 'their-disk' };
        assert.partialDeepStrictEqual(managed, { status: 'available', sizeGiB: 3, managedRef });
        assert.ok(managed.launchedAt);
        assert.deepEqual(site.objects(), [`alpha/volume-${id}`]);
        assert.deepEqual(site.content(`alpha/volume-${id}`, THEIRS.length), THEIRS);
        assert.deepEqual(await site.events(), ['volume.manage_existing.start', 'volume.manage_existing.end']);
        assert.deepEqual(await site.messages(), []);
      },
      undone: async () => {
        assert.partialDeepStrictEqual(await volume(), { status: 'error_managing', sizeGiB: 0, launchedAt: null });
        assert.deepEqual(site.objects(), ['alpha/their-disk']);
        assert.deepEqual(site.content('alpha/their-disk', THEIRS.length), THEIRS);
        assert.equal(site.sizeGiB('alpha/their-disk'), 3);
        assert.ok(!(await site.events()).includes('volume.manage_existing.end'));
        assert.equal((await site.messages()).length, 1);
      },
    };
  }),
);
provesEveryTask(manageExisting);
