import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deleteSnapshot } from '../../../src/commands/snapshots/delete-snapshot.ts';
import { revertToSnapshot } from '../../../src/commands/volumes/revert-to-snapshot.ts';
import { getSnapshot, updateSnapshot } from '../../../src/db/snapshots.ts';
import { getVolume, updateVolume } from '../../../src/db/volumes.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { CONNECTED, givenAttachment, givenSnapshot, givenVolume } from '../../flows/given.ts';
import { type LiveSiteOptions, liveSite } from '../../flows/live-site.ts';
import { caller } from '../../flows/site.ts';
import { refused } from '../refused.ts';

const resting: LiveSiteOptions = { running: false };
const invalid = (message: RegExp) => ({ name: 'InvalidInput', status: 400, message });
const conflict = (message: RegExp) => ({ name: 'Conflict', status: 409, message });

describe('reverting a volume to a snapshot', () => {
  it('says of both that they are at it, and takes both', async (context) => {
    const live = await liveSite(context, resting);
    const volume = await givenVolume(live.site);
    const snapshot = await givenSnapshot(live.site, volume);
    await revertToSnapshot(live.desk, caller, volume.id, snapshot.id.toUpperCase());
    assert.equal((await getVolume(live.database.read, volume.id)).status, 'reverting');
    assert.equal((await getSnapshot(live.database.read, snapshot.id)).status, 'restoring');
    await refused(live, () => deleteSnapshot(live.desk, caller, snapshot.id, { force: false }), {
      name: 'InvalidSnapshot',
      status: 400,
      message: /restoring/,
    });
    await refused(live, () => revertToSnapshot(live.desk, caller, volume.id, snapshot.id), conflict(/reverting/));
  });

  describe('is refused, and leaves nothing,', () => {
    it('where it is not the newest of this volume', async (context) => {
      const live = await liveSite(context, resting);
      const volume = await givenVolume(live.site);
      const none = () => revertToSnapshot(live.desk, caller, volume.id, uuid());
      await refused(live, none, invalid(/has no snapshot/));
      const older = await givenSnapshot(live.site, volume);
      const newest = await givenSnapshot(live.site, volume);
      const others = await givenSnapshot(live.site, await givenVolume(live.site));
      for (const id of [older.id, others.id, uuid()])
        await refused(
          live,
          () => revertToSnapshot(live.desk, caller, volume.id, id),
          invalid(new RegExp(`newest snapshot only, which is ${newest.id}`)),
        );
    });

    it('where the volume has grown since', async (context) => {
      const live = await liveSite(context, resting);
      const volume = await givenVolume(live.site, { sizeGiB: 2 });
      const { id } = await givenSnapshot(live.site, volume);
      await live.database.write((tx) => updateVolume(tx, volume.id, { sizeGiB: 3 }));
      await refused(
        live,
        () => revertToSnapshot(live.desk, caller, volume.id, id),
        invalid(/has 3GiB, and its snapshot .* 2GiB/),
      );
    });

    it('in each status but available, of the one or the other, with 409', async (context) => {
      const live = await liveSite(context, resting);
      for (const status of ['in-use', 'error', 'reserved', 'deleting', 'awaiting-transfer'] as const) {
        const volume = await givenVolume(live.site);
        const { id } = await givenSnapshot(live.site, volume);
        await live.database.write((tx) => updateVolume(tx, volume.id, { status }));
        const revert = () => revertToSnapshot(live.desk, caller, volume.id, id);
        await refused(live, revert, conflict(new RegExp(`it is ${status}`)));
      }
      for (const status of ['error', 'creating', 'deleting'] as const) {
        const volume = await givenVolume(live.site);
        const { id } = await givenSnapshot(live.site, volume);
        await live.database.write((tx) => updateSnapshot(tx, id, { status }));
        const revert = () => revertToSnapshot(live.desk, caller, volume.id, id);
        await refused(live, revert, conflict(new RegExp(`Snapshot ${id} .* it is ${status}`)));
      }
    });

    it('while somebody can reach the volume, or it is on its way to another backend', async (context) => {
      const live = await liveSite(context, resting);
      const connected = await givenVolume(live.site);
      await givenAttachment(live.site, connected, CONNECTED);
      const attached = await givenVolume(live.site, { attachStatus: 'attached' });
      const migrating = await givenVolume(live.site, { migrationStatus: 'migrating' });
      for (const volume of [connected, attached, migrating]) {
        const { id } = await givenSnapshot(live.site, volume);
        await refused(live, () => revertToSnapshot(live.desk, caller, volume.id, id), conflict(/must be available/));
      }
    });
  });
});
