/** What others made or wrote never decides whether a flow can begin: a command takes it up to its bounds, or says why not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { initializeConnection } from '../../../src/commands/attachments/initialize-connection.ts';
import { terminateConnection } from '../../../src/commands/attachments/terminate-connection.ts';
import { manageSnapshot } from '../../../src/commands/snapshots/manage-snapshot.ts';
import { createVolume } from '../../../src/commands/volumes/create-volume.ts';
import { deleteVolume } from '../../../src/commands/volumes/delete-volume.ts';
import { manageVolume } from '../../../src/commands/volumes/manage-volume.ts';
import { reimageVolume } from '../../../src/commands/volumes/reimage-volume.ts';
import { unmanageVolume } from '../../../src/commands/volumes/unmanage-volume.ts';
import { insertAttachment } from '../../../src/db/attachments.ts';
import { insertSnapshot } from '../../../src/db/snapshots.ts';
import { getVolume, updateVolume } from '../../../src/db/volumes.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { ResourceHeld } from '../../../src/model/errors.ts';
import { capturedMetadata } from '../../../src/model/image.ts';
import { givenVolume } from '../../flows/given.ts';
import { type LiveSite, type LiveSiteOptions, liveSite } from '../../flows/live-site.ts';
import { manageSnapshotRequest, manageVolumeRequest, volumeRequest } from '../../flows/requests.ts';
import { caller } from '../../flows/site.ts';
import { diskImages } from '../../flows/site-images.ts';
import { refused } from '../refused.ts';

/** Nothing runs here, so nobody waits for it. */
const resting: LiveSiteOptions = { running: false, set: ['api.rpc_response_timeout=0'] };

/** As long as a body may be. */
const BODY = 'é'.repeat(114_688 / 2);
const LONG_255 = 'é'.repeat(255);
const longest = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${index}`.padEnd(255, 'k'), LONG_255]));

/** Whether the flow of a resource began. */
const began = async (live: LiveSite, resource: string): Promise<boolean> => (await live.flowOf(resource)) !== undefined;

describe('a flow begins whatever others have written:', () => {
  it('an image with much metadata', async (context) => {
    const live = await liveSite(context, resting);
    const properties = { p: 'y'.repeat(65_535), q: '"'.repeat(65_535), r: 'é'.repeat(65_535) };
    const image = await live.site.images.add({ diskFormat: 'qcow2', properties }, (await diskImages()).qcow2);
    const { id } = await createVolume(live.desk, caller, volumeRequest({ imageId: image.id }));
    assert.ok(await began(live, `volume:${id}`));
    assert.deepEqual((await getVolume(live.database.read, id)).imageMetadata, capturedMetadata(image));
  });

  it('an image with much metadata, for a volume that is there', async (context) => {
    const live = await liveSite(context, resting);
    const properties = { p: 'y'.repeat(65_535), q: '"'.repeat(65_535), r: 'é'.repeat(65_535) };
    const image = await live.site.images.add({ diskFormat: 'qcow2', properties }, (await diskImages()).qcow2);
    const { id } = await givenVolume(live.site);
    await reimageVolume(live.desk, caller, id, { imageId: image.id, reserved: false });
    assert.ok(await began(live, `volume:${id}`));
    assert.deepEqual((await getVolume(live.database.read, id)).nextImageMetadata, capturedMetadata(image));
  });

  it('a name, a description and metadata as long as they may be', async (context) => {
    const live = await liveSite(context, resting);
    const metadata = longest(100);
    const request = volumeRequest({ name: LONG_255, description: LONG_255, metadata });
    const { id } = await createVolume(live.desk, caller, request);
    assert.ok(await began(live, `volume:${id}`));
  });

  it('hints that name as many volumes as a body holds', async (context) => {
    const live = await liveSite(context, resting);
    const ids = Array.from({ length: 2_800 }, () => uuid());
    const { volumeTypeId } = await givenVolume(live.site);
    await live.database.write(async ({ db }) => {
      const rows = ids.map((id) => ({ ...ROW, id, volume_type_id: volumeTypeId }));
      for (let from = 0; from < rows.length; from += 500)
        await db
          .insertInto('volume')
          .values(rows.slice(from, from + 500))
          .execute();
    });
    const { id } = await createVolume(live.desk, caller, volumeRequest({ hints: { different_host: ids } }));
    assert.deepEqual((await live.flowOf(`volume:${id}`)).input.differentFrom, [ROW.host]);
  });

  it('a reference to what is managed, with all the keys it may have', async (context) => {
    const live = await liveSite(context, resting);
    const ref = longest(8);
    const { id } = await manageVolume(live.desk, caller, manageVolumeRequest('', { ref }));
    assert.ok(await began(live, `volume:${id}`));
    const volume = await givenVolume(live.site, { managedRef: ref });
    const snapshot = await manageSnapshot(live.desk, caller, { ...manageSnapshotRequest(volume.id, ''), ref });
    assert.ok(await began(live, `snapshot:${snapshot.id}`));
    const other = await givenVolume(live.site, { managedRef: ref });
    await unmanageVolume(live.desk, caller, other.id);
    assert.ok(await began(live, `volume:${other.id}`));
  });

  it('a connector as long as a body', async (context) => {
    const live = await liveSite(context, resting);
    const volume = await givenVolume(live.site);
    await initializeConnection(live.desk, caller, volume.id, { host: 'h', initiator: BODY }).catch(() => {});
    assert.ok(await began(live, `volume:${volume.id}`));
  });

  it('as many snapshots as are deleted with their volume, under the longest of statuses', async (context) => {
    const live = await liveSite(context, resting);
    const volume = await givenVolume(live.site);
    await live.database.write(async (tx) => {
      for (let count = 0; count < 350; count += 1) await insertSnapshot(tx, snapshotOf(volume));
    });
    await deleteVolume(live.desk, caller, volume.id, { cascade: true, force: true });
    assert.ok(await began(live, `volume:${volume.id}`));
  });
});

describe('what is more than a flow can carry is refused, and leaves nothing:', () => {
  it('more snapshots than are deleted with their volume', async (context) => {
    const live = await liveSite(context, resting);
    const volume = await givenVolume(live.site);
    await live.database.write(async (tx) => {
      for (let count = 0; count < 351; count += 1) await insertSnapshot(tx, snapshotOf(volume));
    });
    const destroy = () => deleteVolume(live.desk, caller, volume.id, { cascade: true, force: true });
    await refused(live, destroy, { name: 'InvalidVolume', status: 400, message: /at most 350/ });
  });

  it('more connections than are ended at once', async (context) => {
    const live = await liveSite(context, resting);
    const volume = await givenVolume(live.site, { multiattach: true });
    await live.database.write(async (tx) => {
      const base = { projectId: caller.projectId, volumeId: volume.id, attachMode: 'rw' } as const;
      for (let count = 0; count < 1_500; count += 1) {
        const connector = { host: `h${count}`, initiator: `iqn.1993-08.org.debian:01:${count}` };
        await insertAttachment(tx, { ...base, id: uuid(), attachStatus: 'attached', connector });
      }
      await updateVolume(tx, volume.id, { status: 'in-use', attachStatus: 'attached' });
    });
    const terminate = () => terminateConnection(live.desk, caller, volume.id, null);
    await refused(live, terminate, { name: 'InvalidInput', status: 400, message: /more at once/ });
    await terminateConnection(live.desk, caller, volume.id, { host: 'h7', initiator: 'iqn.1993-08.org.debian:01:7' })
      // Its flow does not run here.
      .catch((error: unknown) => assert.ok(!(error instanceof ResourceHeld)));
    assert.ok(await began(live, `volume:${volume.id}`));
  });
});

const snapshotOf = (volume: { readonly id: string; readonly volumeTypeId: string }) => ({
  id: uuid(),
  projectId: caller.projectId,
  userId: caller.userId,
  volumeId: volume.id,
  volumeTypeId: volume.volumeTypeId,
  volumeSizeGiB: 2_147_483_647,
  status: 'error_unmanaging' as const,
});

const ROW = {
  project_id: caller.projectId,
  user_id: caller.userId,
  host: `node@${'b'.repeat(60)}#${'p'.repeat(60)}`,
  size_gib: 1,
  status: 'available',
  attach_status: 'detached',
  bootable: 0,
  multiattach: 0,
  use_quota: 1,
  metadata: '{}',
  admin_metadata: '{}',
  created_at: '2026-01-01T00:00:00.000000',
  revision: 1,
} as const;
