import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSnapshot } from '../../../src/commands/snapshots/create-snapshot.ts';
import { createVolume } from '../../../src/commands/volumes/create-volume.ts';
import { deleteVolume } from '../../../src/commands/volumes/delete-volume.ts';
import { manageVolume } from '../../../src/commands/volumes/manage-volume.ts';
import { deleteSnapshotRow, getSnapshot, insertSnapshot, updateSnapshot } from '../../../src/db/snapshots.ts';
import type { Tx } from '../../../src/db/sql/tx.ts';
import { findVolume } from '../../../src/db/volumes.ts';
import { uuid } from '../../../src/lib/clock.ts';
import type { Caller } from '../../../src/model/caller.ts';
import { ManageExistingInvalidReference } from '../../../src/model/errors.ts';
import { beginFlow } from '../../cli/begin-flow.ts';
import { Gate } from '../../engine/gate.ts';
import { givenSnapshot, givenVolume } from '../../flows/given.ts';
import { refuses } from '../../flows/interposed.ts';
import { type LiveSite, type LiveSiteOptions, liveSite } from '../../flows/live-site.ts';
import { manageVolumeRequest, snapshotRequest, volumeRequest } from '../../flows/requests.ts';
import { BACKENDS, caller } from '../../flows/site.ts';
import { refused } from '../refused.ts';

const resting: LiveSiteOptions = { running: false };
const plainly = { cascade: false, force: false };
const invalid = (message: RegExp) => ({ name: 'InvalidVolume', status: 400, message });

/** No create ends before the gate opens, but when it is cancelled. */
function creationWaits(live: LiveSite): Gate {
  const gate = new Gate();
  for (const backend of BACKENDS)
    live.site.interpose(backend, 'createVolume', async (proceed, args) => {
      await gate.pass({ context: args[1] as { readonly signal: AbortSignal } });
      return proceed();
    });
  return gate;
}

describe('deleting a volume', () => {
  it('moves it to deleting, with its snapshots when asked, and begins the flow', async (context) => {
    const live = await liveSite(context, resting);
    const volume = await givenVolume(live.site);
    const snapshot = await givenSnapshot(live.site, volume);
    await deleteVolume(live.desk, caller, volume.id, { cascade: true, force: false });
    const [deleting] = await live.volumes();
    assert.equal(deleting?.status, 'deleting');
    assert.ok(deleting.terminatedAt);
    assert.deepEqual(
      (await live.snapshots()).map(({ id, status }) => [id, status]),
      [[snapshot.id, 'deleting']],
    );
    assert.equal((await live.flowOf(`volume:${volume.id}`)).name, 'delete_volume');
  });

  it('takes three hundred and fifty snapshots with it, and is refused with more', async (context) => {
    const live = await liveSite(context, resting);
    const volume = await givenVolume(live.site);
    const { id } = await givenSnapshot(live.site, volume);
    const another = async (tx: Tx): Promise<void> =>
      void (await insertSnapshot(tx, { ...(await getSnapshot(tx.db, id)), id: uuid() }));
    await live.site.database.write(async (tx) => {
      for (let count = 1; count < 351; count += 1) await another(tx);
    });
    const deleted = () => deleteVolume(live.desk, caller, volume.id, { cascade: true, force: false });
    await refused(live, deleted, invalid(/has 351 snapshots; at most 350/));
    await live.site.database.write((tx) => deleteSnapshotRow(tx, id));
    await deleted();
    assert.equal((await live.flowOf(`volume:${volume.id}`)).name, 'delete_volume');
  });

  describe('is refused, and leaves nothing,', () => {
    it('when it is not there for the caller', async (context) => {
      const live = await liveSite(context, resting);
      const volume = await givenVolume(live.site);
      const stranger: Caller = { ...caller, isAdmin: false, projectId: 'f'.repeat(32) };
      const gone = { name: 'VolumeNotFound', status: 404 };
      for (const force of [false, true]) {
        await refused(live, () => deleteVolume(live.desk, stranger, volume.id, { cascade: false, force }), gone);
        await refused(live, () => deleteVolume(live.desk, caller, uuid(), { cascade: false, force }), gone);
      }
    });

    it('in each status that is not one to delete from, and while it is attached', async (context) => {
      const live = await liveSite(context, resting);
      for (const status of [
        'creating',
        'in-use',
        'extending',
        'deleting',
        'error_deleting',
        'managing',
        'awaiting-transfer',
      ] as const) {
        const { id } = await givenVolume(live.site, { status });
        await refused(live, () => deleteVolume(live.desk, caller, id, plainly), invalid(new RegExp(`it is ${status}`)));
      }
      const { id } = await givenVolume(live.site, { attachStatus: 'attached' });
      await refused(live, () => deleteVolume(live.desk, caller, id, plainly), invalid(/attached/));
      await refused(
        live,
        () => deleteVolume(live.desk, caller, id, { cascade: false, force: true }),
        invalid(/attached/),
      );
    });

    it('while it is migrated or in a group, but not when its migration has ended', async (context) => {
      const live = await liveSite(context, resting);
      const moving = await givenVolume(live.site, { migrationStatus: 'migrating' });
      const grouped = await givenVolume(live.site, { groupId: uuid() });
      for (const [{ id }, why] of [
        [moving, /being migrated/],
        [grouped, /is in group [-0-9a-f]+ .*remove it/],
      ] as const)
        await refused(live, () => deleteVolume(live.desk, caller, id, plainly), invalid(why));
      const moved = await givenVolume(live.site, { migrationStatus: 'success' });
      await deleteVolume(live.desk, caller, moved.id, plainly);
    });

    it('when it has snapshots, unless they go with it', async (context) => {
      const live = await liveSite(context, resting);
      const volume = await givenVolume(live.site);
      await givenSnapshot(live.site, volume);
      await refused(live, () => deleteVolume(live.desk, caller, volume.id, plainly), invalid(/1 snapshots/));
    });

    it('with its snapshots, when one of them is at work or in a group', async (context) => {
      const live = await liveSite(context, resting);
      for (const given of [{ status: 'creating' }, { groupSnapshotId: uuid() }] as const) {
        const volume = await givenVolume(live.site);
        await givenSnapshot(live.site, volume, given);
        const cascade = () => deleteVolume(live.desk, caller, volume.id, { cascade: true, force: false });
        await refused(live, cascade, invalid(/cannot be deleted with it/));
      }
    });

    it('with snapshots that stayed in the project that gave it away, but for an administrator', async (context) => {
      const live = await liveSite(context, resting);
      const volume = await givenVolume(live.site);
      const snapshot = await givenSnapshot(live.site, volume);
      await live.database.write((tx) => updateSnapshot(tx, snapshot.id, { projectId: 'f'.repeat(32) }));
      const options = { cascade: true, force: false };
      const member: Caller = { ...caller, isAdmin: false };
      await refused(live, () => deleteVolume(live.desk, member, volume.id, options), invalid(/of another project/));
      await deleteVolume(live.desk, caller, volume.id, options);
    });
  });

  it('that never came to a backend forgets it at once, and tells of both ends', async (context) => {
    const live = await liveSite(context, resting);
    const volume = await givenVolume(live.site, { status: 'error', host: null });
    await deleteVolume(live.desk, caller, volume.id, plainly);
    assert.equal(await findVolume(live.database.read, volume.id), undefined);
    assert.deepEqual(await live.site.events(), ['volume.delete.start', 'volume.delete.end']);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('that could not be taken over leaves what its owner has on the backend', async (context) => {
    const live = await liveSite(context);
    live.site.foreignFile('alpha', 'their-disk', 2);
    live.site.interpose('alpha', 'manageExisting', refuses(new ManageExistingInvalidReference('It is in use.')));
    const made = await manageVolume(live.desk, caller, manageVolumeRequest('their-disk'));
    assert.equal((await live.settledVolume(made)).status, 'error_managing');
    // As when the old name could not be had again.
    live.site.foreignFile('alpha', `volume-${made.id}`, 2);
    await deleteVolume(live.desk, caller, made.id, plainly);
    assert.equal((await live.settled(`volume:${made.id}`)).state, 'success');
    assert.equal(await findVolume(live.database.read, made.id), undefined);
    const theirs = ['alpha/their-disk', `alpha/volume-${made.id}`];
    assert.deepEqual(await live.site.leftovers([...theirs, `alpha/.unmanaged-volume-${made.id}`]), []);
    for (const name of theirs) assert.deepEqual(live.site.content(name, 6), Buffer.from('theirs'));
  });

  it('with its snapshots leaves all of them in error when an operator gives it up', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    const { id } = await givenSnapshot(live.site, volume);
    const asked = new Promise<void>((resolve) => {
      live.site.interpose('alpha', 'deleteSnapshot', async () => {
        resolve();
        throw new Error('The disk is gone.');
      });
    });
    await deleteVolume(live.desk, caller, volume.id, { cascade: true, force: false });
    await asked;
    await live.engine.wish((await live.flowOf(`volume:${volume.id}`)).id, 'revert', 'Given up.');
    assert.equal((await live.settled(`volume:${volume.id}`)).state, 'reverted');
    const [snapshot] = await live.snapshots();
    assert.partialDeepStrictEqual(snapshot, { id, status: 'error_deleting' });
    assert.equal((await findVolume(live.database.read, volume.id))?.status, 'error_deleting');
  });

  describe('by force', () => {
    it('takes back the flow that makes it, then deletes it', async (context) => {
      const live = await liveSite(context);
      const gate = creationWaits(live);
      const { id } = await createVolume(live.desk, caller, volumeRequest());
      const { id: creation } = await live.flowOf(`volume:${id}`);
      await gate.arrived;
      await deleteVolume(live.desk, caller, id, { cascade: false, force: true });
      assert.equal((await live.journal.find(creation))?.state, 'reverted');
      assert.equal(await findVolume(live.database.read, id), undefined);
      assert.deepEqual(live.site.objects(), []);
      assert.deepEqual(await live.site.leftovers(), []);
    });

    it('stops nothing when it is refused whatever becomes of what is at work', async (context) => {
      const live = await liveSite(context, resting);
      const attached = await givenVolume(live.site, { status: 'in-use', attachStatus: 'attached' });
      const parent = await givenVolume(live.site);
      await givenSnapshot(live.site, parent);
      for (const { id } of [attached, parent]) {
        const flow = await beginFlow(live.database, `volume:${id}`);
        await assert.rejects(deleteVolume(live.desk, caller, id, { cascade: false, force: true }));
        assert.equal((await live.journal.find(flow))?.wish, null);
      }
    });

    it('takes it from whatever status it is in', async (context) => {
      const live = await liveSite(context);
      const { id } = await givenVolume(live.site, { status: 'error_deleting' });
      await deleteVolume(live.desk, caller, id, { cascade: false, force: true });
      assert.equal((await live.settled(`volume:${id}`)).state, 'success');
      assert.equal(await findVolume(live.database.read, id), undefined);
    });

    it('stops the flow that takes a snapshot of it, when the snapshots go with it', async (context) => {
      const live = await liveSite(context);
      const volume = await givenVolume(live.site);
      const gate = new Gate();
      live.site.interpose('alpha', 'createSnapshot', async (proceed, args) => {
        await gate.pass({ context: args[1] as { readonly signal: AbortSignal } });
        return proceed();
      });
      await createSnapshot(live.desk, caller, snapshotRequest(volume.id));
      await gate.arrived;
      await deleteVolume(live.desk, caller, volume.id, { cascade: true, force: true });
      assert.equal((await live.settled(`volume:${volume.id}`)).state, 'success');
      assert.deepEqual([await live.volumes(), await live.snapshots()], [[], []]);
      assert.deepEqual(await live.site.leftovers(), []);
    });
  });
});
