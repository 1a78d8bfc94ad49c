import assert from 'node:assert/strict';
import { manageSnapshot } from '../../../src/commands/snapshots/manage-snapshot.ts';
import { getSnapshot } from '../../../src/db/snapshots.ts';
import { manageExistingSnapshot } from '../../../src/flows/snapshots/manage-snapshot.ts';
import { proveFlow } from '../../prove-flow.ts';
import { givenVolume } from '../given.ts';
import { manageSnapshotRequest } from '../requests.ts';
import { caller } from '../site.ts';
import { onSite, provesEveryTask, proveVariant } from '../site-proof.ts';

const THEIRS = Buffer.from('theirs');
const VOLUME_GIB = 2;

const managed = (sizeGiB: number) =>
  onSite(async (site) => {
    const imageMetadata = { image_id: 'i' };
    const volume = await givenVolume(site, { sizeGiB: VOLUME_GIB, bootable: true, imageMetadata });
    site.foreignFile('alpha', 'their-shot', sizeGiB);
    let id = '';
    const snapshot = () => getSnapshot(site.database.read, id);
    return {
      foreign: ['alpha/their-shot'],
      begin: async (desk) => {
        ({ id } = await manageSnapshot(desk, caller, manageSnapshotRequest(volume.id, 'their-shot')));
      },
      done: async () => {
        const managedRef = { 'source-name': 'their-shot' };
        const ready = {
          status: 'available',
          progress: '100%',
          volumeSizeGiB: sizeGiB,
          managedRef,
          imageMetadata,
        } as const;
        assert.partialDeepStrictEqual(await snapshot(), ready);
        assert.deepEqual(site.objects(), [`alpha/snapshot-${id}`, `alpha/volume-${volume.id}`]);
        assert.deepEqual(site.content(`alpha/snapshot-${id}`, THEIRS.length), THEIRS);
        const told = ['snapshot.manage_existing_snapshot.start', 'snapshot.manage_existing_snapshot.end'];
        assert.deepEqual(await site.events(), told);
        assert.deepEqual(await site.messages(), []);
      },
      undone: async () => {
        assert.partialDeepStrictEqual(await snapshot(), { status: 'error', volumeSizeGiB: VOLUME_GIB });
        assert.deepEqual(site.objects(), ['alpha/their-shot', `alpha/volume-${volume.id}`]);
        assert.deepEqual(site.content('alpha/their-shot', THEIRS.length), THEIRS);
        assert.equal(site.sizeGiB('alpha/their-shot'), sizeGiB);
        assert.ok(!(await site.events()).includes('snapshot.manage_existing_snapshot.end'));
        assert.equal((await site.messages()).length, 1);
      },
    };
  });

proveFlow('manage_existing_snapshot of one larger than its volume', manageExistingSnapshot, managed(VOLUME_GIB + 1));
proveVariant(
  'manage_existing_snapshot of one smaller than its volume',
  manageExistingSnapshot,
  managed(VOLUME_GIB - 1),
);
provesEveryTask(manageExistingSnapshot);
