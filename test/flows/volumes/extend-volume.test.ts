import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { extendVolume as command } from '../../../src/commands/volumes/extend-volume.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { extendVolume } from '../../../src/flows/volumes/extend-volume.ts';
import { DriverFailed } from '../../../src/model/errors.ts';
import { proveFlow } from '../../prove-flow.ts';
import { contentOf, givenVolume } from '../given.ts';
import { refuses } from '../interposed.ts';
import { liveSite } from '../live-site.ts';
import { caller } from '../site.ts';
import { onSite, provesEveryTask } from '../site-proof.ts';

proveFlow(
  'extend_volume of a volume in use',
  extendVolume,
  onSite(async (site) => {
    const volume = await givenVolume(site, { status: 'in-use', attachStatus: 'attached' });
    const object = `alpha/volume-${volume.id}`;
    const now = () => getVolume(site.database.read, volume.id);
    return {
      begin: (desk) => command(desk, caller, volume.id, 3, { inUseAllowed: true }),
      done: async () => {
        assert.partialDeepStrictEqual(await now(), { status: 'in-use', previousStatus: null, sizeGiB: 3 });
        assert.equal(site.sizeGiB(object), 3);
        assert.deepEqual(site.content(object, contentOf(volume).length), contentOf(volume));
        assert.deepEqual(await site.events(), ['volume.resize.start', 'volume.resize.end']);
        assert.deepEqual(await site.messages(), []);
      },
      undone: async ([failure]) => {
        const grown = failure?.task === 'extend_volume_on_finish;resize.end';
        const touched = grown || (failure?.task === 'extend_on_backend' && !failure.before);
        const status = touched ? 'error_extending' : 'in-use';
        assert.partialDeepStrictEqual(await now(), { status, previousStatus: null, sizeGiB: 1 });
        if (!touched) assert.equal(site.sizeGiB(object), 1);
        assert.deepEqual(site.content(object, contentOf(volume).length), contentOf(volume));
        assert.ok(!(await site.events()).includes('volume.resize.end'));
        assert.equal((await site.messages()).length, 1);
      },
    };
  }),
);
provesEveryTask(extendVolume);

describe('extend_volume', () => {
  it('that no pool has room for leaves the volume what it was, gives the promise back and says so', async (context) => {
    const live = await liveSite(context, { set: ['quota.quota_gigabytes=-1'] });
    const volume = await givenVolume(live.site, { status: 'in-use' });
    await command(live.desk, caller, volume.id, 1_000_000, { inUseAllowed: true });
    const after = { status: 'in-use', sizeGiB: 1, previousStatus: null } as const;
    assert.partialDeepStrictEqual(await live.settledVolume(volume), after);
    assert.deepEqual(await live.site.events(), ['scheduler.extend_volume']);
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_007_003']);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('that the backend refuses leaves a volume of a size that nobody knows', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    live.site.interpose('alpha', 'extendVolume', refuses(new DriverFailed('No.')));
    await command(live.desk, caller, volume.id, 2, { inUseAllowed: false });
    const after = { status: 'error_extending', sizeGiB: 1, previousStatus: null } as const;
    assert.partialDeepStrictEqual(await live.settledVolume(volume), after);
    assert.deepEqual(await live.site.events(), ['volume.resize.start']);
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_007_010']);
    assert.deepEqual(await live.site.leftovers(), []);
  });
});
