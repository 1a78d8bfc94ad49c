import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSnapshot } from '../../../src/commands/snapshots/create-snapshot.ts';
import { deleteSnapshot } from '../../../src/commands/snapshots/delete-snapshot.ts';
import { manageSnapshot } from '../../../src/commands/snapshots/manage-snapshot.ts';
import { resetSnapshotStatus } from '../../../src/commands/snapshots/reset-snapshot-status.ts';
import { unmanageSnapshot } from '../../../src/commands/snapshots/unmanage-snapshot.ts';
import { updateSnapshotStatus } from '../../../src/commands/snapshots/update-snapshot-status.ts';
import { deleteVolume } from '../../../src/commands/volumes/delete-volume.ts';
import { setProjectLimits } from '../../../src/db/quota-limits.ts';
import { quotaUsage } from '../../../src/db/quotas.ts';
import { uuid } from '../../../src/lib/clock.ts';
import type { Caller } from '../../../src/model/caller.ts';
import { SnapshotIsBusy } from '../../../src/model/errors.ts';
import { beginFlow } from '../../cli/begin-flow.ts';
import { Gate } from '../../engine/gate.ts';
import { givenSnapshot, givenVolume } from '../../flows/given.ts';
import { refuses } from '../../flows/interposed.ts';
import { type LiveSite, type LiveSiteOptions, liveSite } from '../../flows/live-site.ts';
import { manageSnapshotRequest, snapshotRequest } from '../../flows/requests.ts';
import { caller, PROJECT } from '../../flows/site.ts';
import { refused } from '../refused.ts';

const resting: LiveSiteOptions = { running: false };
const stranger: Caller = { ...caller, isAdmin: false, projectId: 'f'.repeat(32) };
const invalid = (name: string, message: RegExp) => ({ name, status: 400, message });
const plainly = { force: false };

describe('taking a snapshot', () => {
  it('leaves a row, its quota, its holds and a flow', async (context) => {
    const live = await liveSite(context, resting);
    const volume = await givenVolume(live.site, { sizeGiB: 2 });
    const snapshot = await createSnapshot(live.desk, caller, snapshotRequest(volume.id, { metadata: { a: 'b' } }));
    assert.partialDeepStrictEqual(snapshot, {
      status: 'creating',
      progress: '0%',
      volumeSizeGiB: 2,
      metadata: { a: 'b' },
    });
    const usage = await quotaUsage(live.database.read, PROJECT);
    assert.deepEqual([usage.snapshots?.inUse, usage.gigabytes?.inUse], [1, 4]);
    const holds = await live.database.read.selectFrom('hold').select(['resource', 'mode']).orderBy('mode').execute();
    assert.deepEqual(
      holds.map(({ resource, mode }) => [resource, mode]),
      [
        [`snapshot:${snapshot.id}`, 'exclusive'],
        [`volume:${volume.id}`, 'shared'],
      ],
    );
  });

  it('may be done more than once at a time, but the volume is not deleted with them meanwhile', async (context) => {
    const live = await liveSite(context, resting);
    const volume = await givenVolume(live.site);
    await createSnapshot(live.desk, caller, snapshotRequest(volume.id));
    await createSnapshot(live.desk, caller, snapshotRequest(volume.id));
    assert.equal((await live.snapshots()).length, 2);
    const cascade = () => deleteVolume(live.desk, caller, volume.id, { cascade: true, force: false });
    await refused(live, cascade, invalid('InvalidVolume', /is creating and cannot be deleted with it/));
  });

  it('counts no gigabytes where snapshots are exempt', async (context) => {
    const live = await liveSite(context, { ...resting, set: ['quota.no_snapshot_gb_quota=true'] });
    const volume = await givenVolume(live.site);
    await createSnapshot(live.desk, caller, snapshotRequest(volume.id));
    assert.equal((await quotaUsage(live.database.read, PROJECT)).gigabytes?.inUse, 1);
  });

  describe('is refused, and leaves nothing,', () => {
    const refusedOf = (live: LiveSite, volumeId: string, force = false) =>
      refused(
        live,
        () => createSnapshot(live.desk, caller, snapshotRequest(volumeId, { force })),
        invalid('InvalidVolume', /./),
      );

    it('when its volume is not there for the caller', async (context) => {
      const live = await liveSite(context, resting);
      const { id } = await givenVolume(live.site);
      const gone = { name: 'VolumeNotFound', status: 404 };
      await refused(live, () => createSnapshot(live.desk, stranger, snapshotRequest(id)), gone);
    });

    it('of a volume in use, unless by force, and of one in any other status', async (context) => {
      const live = await liveSite(context, resting);
      const used = await givenVolume(live.site, { status: 'in-use' });
      await refusedOf(live, used.id);
      await createSnapshot(live.desk, caller, snapshotRequest(used.id, { force: true }));
      for (const status of ['error', 'maintenance', 'creating', 'extending'] as const)
        await refusedOf(live, (await givenVolume(live.site, { status })).id, true);
    });

    it('of a volume that is migrated, but not when that has ended', async (context) => {
      const live = await liveSite(context, resting);
      await refusedOf(live, (await givenVolume(live.site, { migrationStatus: 'starting' })).id);
      const { id } = await givenVolume(live.site, { migrationStatus: 'error' });
      await createSnapshot(live.desk, caller, snapshotRequest(id));
    });

    it('when the project has no quota left, and says so with "exceeded"', async (context) => {
      const live = await liveSite(context, resting);
      const { id } = await givenVolume(live.site, { sizeGiB: 2 });
      for (const [resource, name] of [
        ['snapshots', 'SnapshotLimitExceeded'],
        ['snapshots___DEFAULT__', 'SnapshotLimitExceeded'],
        ['gigabytes', 'VolumeSizeExceedsAvailableQuota'],
      ] as const) {
        const limit = resource === 'gigabytes' ? 3 : 0;
        await live.database.write((tx) => setProjectLimits(tx, PROJECT, { [resource]: limit }));
        const over = { name, status: 413, message: new RegExp(`^${name}: .*exceeded`) };
        await refused(live, () => createSnapshot(live.desk, caller, snapshotRequest(id)), over);
        await live.database.write((tx) => setProjectLimits(tx, PROJECT, { [resource]: -1 }));
      }
    });
  });
});

describe('deleting a snapshot', () => {
  describe('is refused, and leaves nothing,', () => {
    it('when it is not there for the caller, by force too', async (context) => {
      const live = await liveSite(context, resting);
      const { id } = await givenSnapshot(live.site, await givenVolume(live.site));
      const gone = { name: 'SnapshotNotFound', status: 404 };
      for (const force of [false, true])
        await refused(live, () => deleteSnapshot(live.desk, stranger, id, { force }), gone);
    });

    it('in each status that is not one to delete from, and in a group snapshot', async (context) => {
      const live = await liveSite(context, resting);
      const volume = await givenVolume(live.site);
      for (const status of ['creating', 'deleting', 'error_deleting', 'restoring', 'unmanaging'] as const) {
        const { id } = await givenSnapshot(live.site, volume, { status });
        const wrong = invalid('InvalidSnapshot', new RegExp(`it is ${status}`));
        await refused(live, () => deleteSnapshot(live.desk, caller, id, plainly), wrong);
      }
      const { id } = await givenSnapshot(live.site, volume, { groupSnapshotId: uuid() });
      await refused(
        live,
        () => deleteSnapshot(live.desk, caller, id, { force: true }),
        invalid('InvalidSnapshot', /group/),
      );
    });
  });

  it('by force stops nothing when it is refused whatever becomes of what is at work', async (context) => {
    const live = await liveSite(context, resting);
    const { id } = await givenSnapshot(live.site, await givenVolume(live.site), { groupSnapshotId: uuid() });
    const flow = await beginFlow(live.database, `snapshot:${id}`);
    await assert.rejects(deleteSnapshot(live.desk, caller, id, { force: true }));
    assert.equal((await live.journal.find(flow))?.wish, null);
  });

  it('by force takes back the flow that takes it, then deletes it', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    const gate = new Gate();
    live.site.interpose('alpha', 'createSnapshot', async (proceed, args) => {
      await gate.pass({ context: args[1] as { readonly signal: AbortSignal } });
      return proceed();
    });
    const { id } = await createSnapshot(live.desk, caller, snapshotRequest(volume.id));
    await gate.arrived;
    await deleteSnapshot(live.desk, caller, id, { force: true });
    assert.equal(await live.settledSnapshot({ id }), undefined);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('that the backend says is busy leaves it what it was, and says so', async (context) => {
    const live = await liveSite(context);
    const snapshot = await givenSnapshot(live.site, await givenVolume(live.site), { status: 'error' });
    live.site.interpose('alpha', 'deleteSnapshot', refuses(new SnapshotIsBusy('It is mapped.')));
    await deleteSnapshot(live.desk, caller, snapshot.id, plainly);
    assert.equal((await live.settledSnapshot(snapshot))?.status, 'error');
    assert.equal((await live.site.messages()).length, 1);
    assert.deepEqual(await live.site.leftovers(), []);
  });
});

describe('managing a snapshot', () => {
  it('counts it as one of its volume’s size until its own is known', async (context) => {
    const live = await liveSite(context, resting);
    const volume = await givenVolume(live.site, { sizeGiB: 2 });
    const snapshot = await manageSnapshot(live.desk, caller, manageSnapshotRequest(volume.id, 'theirs'));
    assert.partialDeepStrictEqual(snapshot, { status: 'creating', volumeSizeGiB: 2 });
    assert.equal((await quotaUsage(live.database.read, PROJECT)).gigabytes?.inUse, 4);
  });

  it('of a volume that is not at rest is refused, and leaves nothing', async (context) => {
    const live = await liveSite(context, resting);
    for (const status of ['error', 'maintenance', 'deleting'] as const) {
      const { id } = await givenVolume(live.site, { status });
      const wrong = invalid('InvalidVolume', new RegExp(`it is ${status}`));
      await refused(live, () => manageSnapshot(live.desk, caller, manageSnapshotRequest(id, 'theirs')), wrong);
    }
  });
});

describe('unmanaging a snapshot', () => {
  it('is refused, and leaves nothing, in a wrong status and in a group snapshot', async (context) => {
    const live = await liveSite(context, resting);
    const volume = await givenVolume(live.site);
    const creating = await givenSnapshot(live.site, volume, { status: 'creating' });
    const grouped = await givenSnapshot(live.site, volume, { groupSnapshotId: uuid() });
    for (const { id } of [creating, grouped])
      await refused(live, () => unmanageSnapshot(live.desk, caller, id), invalid('InvalidSnapshot', /unmanaged/));
  });
});

describe('the status of a snapshot', () => {
  it('may be told by whoever takes or deletes it: from creating and from deleting, and only where those lead', async (context) => {
    const live = await liveSite(context, resting);
    const volume = await givenVolume(live.site);
    const allowed = { creating: ['creating', 'available', 'error'], deleting: ['deleting', 'error_deleting'] } as const;
    for (const from of ['creating', 'deleting', 'available'] as const) {
      for (const to of ['creating', 'available', 'error', 'deleting', 'error_deleting'] as const) {
        const { id } = await givenSnapshot(live.site, volume, { status: from });
        const tell = () => updateSnapshotStatus(live.desk, caller, id, to, '40%');
        if (from !== 'available' && (allowed[from] as readonly string[]).includes(to)) await tell();
        else await refused(live, tell, invalid('InvalidSnapshot', /cannot be told/));
      }
    }
  });

  it('is reset as an administrator says, and told at both ends', async (context) => {
    const live = await liveSite(context, resting);
    const { id } = await givenSnapshot(live.site, await givenVolume(live.site), { status: 'error_deleting' });
    await resetSnapshotStatus(live.desk, caller, id, 'available');
    assert.deepEqual(
      (await live.snapshots()).map(({ status }) => status),
      ['available'],
    );
    assert.deepEqual(await live.site.events(), ['snapshot.reset_status.start', 'snapshot.reset_status.end']);
  });
});
