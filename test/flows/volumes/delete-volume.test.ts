import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deleteVolume as command } from '../../../src/commands/volumes/delete-volume.ts';
import { findSnapshots } from '../../../src/db/snapshots.ts';
import { findVolume, getVolume } from '../../../src/db/volumes.ts';
import { deleteVolume } from '../../../src/flows/volumes/delete-volume.ts';
import { SnapshotIsBusy, VolumeIsBusy } from '../../../src/model/errors.ts';
import type { Snapshot } from '../../../src/model/snapshot.ts';
import type { VolumeStatus } from '../../../src/model/status.ts';
import { proveFlow } from '../../prove-flow.ts';
import { givenSnapshot, givenVolume } from '../given.ts';
import { refuses } from '../interposed.ts';
import { liveSite } from '../live-site.ts';
import { caller, type Site } from '../site.ts';
import { onSite, provesEveryTask, proveVariant } from '../site-proof.ts';

/** Two volumes, one of which is deleted: the other stays as it is, whatever happens. */
const deleted = ({ status, snapshots: count }: { readonly status: VolumeStatus; readonly snapshots: number }) =>
  onSite(async (site: Site) => {
    const volume = await givenVolume(site, { status });
    const other = await givenVolume(site);
    const snapshots: Snapshot[] = [];
    for (let made = 0; made < count; made += 1) snapshots.push(await givenSnapshot(site, volume));
    const { read } = site.database;
    const left = () =>
      findSnapshots(
        read,
        snapshots.map(({ id }) => id),
      );
    const starts = ['volume.delete.start', ...snapshots.map(() => 'snapshot.delete.start')];
    return {
      begin: (desk) => command(desk, caller, volume.id, { cascade: count > 0, force: false }),
      done: async () => {
        assert.equal(await findVolume(read, volume.id), undefined);
        assert.deepEqual(await left(), []);
        assert.deepEqual(site.objects(), [`alpha/volume-${other.id}`]);
        assert.deepEqual(await site.events(), [
          ...starts,
          ...snapshots.map(() => 'snapshot.delete.end'),
          'volume.delete.end',
        ]);
        assert.deepEqual(await site.messages(), []);
      },
      undone: async ([failure]) => {
        const destroyed =
          /delete_.*on_backend|forget_snapshots|on_finish/.test(failure?.task ?? '') && !failure?.before;
        const now = await findVolume(read, volume.id);
        assert.equal(now?.status, destroyed ? 'error_deleting' : status);
        assert.equal(now?.terminatedAt, null);
        const remaining = await left();
        for (const snapshot of remaining) assert.equal(snapshot.status, destroyed ? 'error_deleting' : 'available');
        if (!destroyed) assert.equal(site.objects().length, 2 + remaining.length);
        assert.ok(!(await site.events()).includes('volume.delete.end'));
        assert.equal((await site.messages()).length, 1);
      },
    };
  });

proveFlow('delete_volume', deleteVolume, deleted({ status: 'available', snapshots: 0 }));
proveVariant('delete_volume with its snapshots', deleteVolume, deleted({ status: 'error', snapshots: 2 }));
provesEveryTask(deleteVolume);

const both = { cascade: true, force: false };

describe('delete_volume', () => {
  it('of a volume that the backend says is busy leaves it what it was, and says so', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site, { status: 'error_extending' });
    live.site.interpose('alpha', 'deleteVolume', refuses(new VolumeIsBusy('It is mapped.')));
    await command(live.desk, caller, volume.id, both);
    assert.partialDeepStrictEqual(await live.settledVolume(volume), { status: 'error_extending', terminatedAt: null });
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_101_105']);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('forgets the snapshots that were destroyed before one that is busy, and no other', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    for (let made = 0; made < 3; made += 1) await givenSnapshot(live.site, volume);
    let asked = 0;
    live.site.interpose('alpha', 'deleteSnapshot', async (proceed) => {
      asked += 1;
      if (asked === 2) throw new SnapshotIsBusy('It is mapped.');
      return proceed();
    });
    await command(live.desk, caller, volume.id, both);
    assert.equal((await live.settledVolume(volume)).status, 'available');
    assert.deepEqual(
      (await live.snapshots()).map(({ status }) => status),
      ['available', 'available'],
    );
    const told = (await live.site.events()).filter((event) => event.endsWith('.end'));
    assert.deepEqual(told, ['snapshot.delete.end']);
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_101_015']);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('forgets the snapshots that went before a volume that is busy', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    await givenSnapshot(live.site, volume);
    live.site.interpose('alpha', 'deleteVolume', refuses(new VolumeIsBusy('It is mapped.')));
    await command(live.desk, caller, volume.id, both);
    assert.equal((await live.settledVolume(volume)).status, 'available');
    assert.deepEqual(await live.snapshots(), []);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('waits for a backend that is down, however long it takes', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    live.site.down.add('node@alpha');
    await command(live.desk, caller, volume.id, both);
    await live.heard((event) => event.is === 'task-retried' && event.tries === 2);
    assert.equal((await getVolume(live.database.read, volume.id)).status, 'deleting');
    live.site.down.clear();
    assert.equal((await live.settled(`volume:${volume.id}`)).state, 'success');
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('that waits is not ended by a user, but by an operator, and says error_deleting', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    live.site.down.add('node@alpha');
    await command(live.desk, caller, volume.id, both);
    const { id } = await live.flowOf(`volume:${volume.id}`);
    await live.heard((event) => event.is === 'task-retried' && event.tries === 1);
    await live.engine.wish(id, 'cancel', 'I want it back.');
    await live.heard((event) => event.is === 'task-retried' && event.tries === 2);
    assert.equal((await live.flowOf(`volume:${volume.id}`)).state, 'running');
    await live.engine.wish(id, 'revert', 'The disks are scrap.');
    assert.partialDeepStrictEqual(await live.settledVolume(volume), { status: 'error_deleting', terminatedAt: null });
    assert.deepEqual(await live.site.leftovers(), []);
  });
});
