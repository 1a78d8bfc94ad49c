import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSnapshot as command } from '../../../src/commands/snapshots/create-snapshot.ts';
import { getSnapshot } from '../../../src/db/snapshots.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import type { DriverCall } from '../../../src/drivers/driver.ts';
import { createSnapshot } from '../../../src/flows/snapshots/create-snapshot.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { condition } from '../../crash/condition.ts';
import { proveFlow } from '../../prove-flow.ts';
import { contentOf, givenVolume } from '../given.ts';
import { refuses } from '../interposed.ts';
import { liveSite } from '../live-site.ts';
import { quickExec } from '../quick-exec.ts';
import { snapshotRequest } from '../requests.ts';
import { caller } from '../site.ts';
import { onSite, provesEveryTask } from '../site-proof.ts';

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
        ({ id } = await command(desk, caller, snapshotRequest(volume.id)));
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

describe('create_snapshot', () => {
  it('that its pool has no room for ends in error before the backend is asked', async (context) => {
    const live = await liveSite(context, { set: ['quota.quota_gigabytes=-1'] });
    // The pool may promise 20 times what it has: 20,000 GiB.
    const volume = await givenVolume(live.site, { sizeGiB: 11_000 });
    live.site.interpose('alpha', 'createSnapshot', refuses(new Error('Nobody may ask.')));
    const { id } = await command(live.desk, caller, snapshotRequest(volume.id));
    assert.equal((await live.settledSnapshot({ id }))?.status, 'error');
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_SNAPSHOT_009_003']);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('does not count what it asks for as taken already', async (context) => {
    const live = await liveSite(context, { exec: quickExec, set: ['quota.quota_gigabytes=-1'] });
    const volume = await givenVolume(live.site, { sizeGiB: 10_000 });
    const { id } = await command(live.desk, caller, snapshotRequest(volume.id));
    assert.equal((await live.settledSnapshot({ id }))?.status, 'available');
  });

  it('of a volume that has the name of another id on its backend holds what the volume holds', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site, { nameId: uuid() });
    const { id } = await command(live.desk, caller, snapshotRequest(volume.id));
    assert.equal((await live.settledSnapshot({ id }))?.status, 'available');
    const content = contentOf(volume);
    assert.deepEqual(live.site.content(`alpha/snapshot-${id}`, content.length), content);
  });

  it('on a backend that has not come up ends in error, and says why', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    live.site.down.add('node@alpha');
    const { id } = await command(live.desk, caller, snapshotRequest(volume.id));
    assert.equal((await live.settled(`snapshot:${id}`)).state, 'reverted');
    assert.equal((await live.settledSnapshot({ id }))?.status, 'error');
    assert.equal((await live.site.messages()).length, 1);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('says in its row how far a copy is, a tenth at a time, until it is there', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    const asked = Promise.withResolvers<DriverCall>();
    const goes = Promise.withResolvers<void>();
    live.site.interpose('alpha', 'createSnapshot', async (proceed, [, call]) => {
      asked.resolve(call as DriverCall);
      await goes.promise;
      return proceed();
    });
    const snapshot = await command(live.desk, caller, snapshotRequest(volume.id));
    const { progress } = await asked.promise;
    const shows = (text: string) =>
      condition(text, 60_000, async () => (await getSnapshot(live.database.read, snapshot.id)).progress === text);
    progress(0.09);
    progress(0.37);
    await shows('30%');
    progress(0.39);
    progress(1);
    await shows('90%');
    goes.resolve();
    assert.partialDeepStrictEqual(await live.settledSnapshot(snapshot), { status: 'available', progress: '100%' });
    await live.site.tools.snapshotProgress(snapshot.id, 40);
    assert.equal((await getSnapshot(live.database.read, snapshot.id)).progress, '100%');
  });
});
