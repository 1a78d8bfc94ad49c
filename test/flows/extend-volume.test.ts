import assert from 'node:assert/strict';
import { extendVolume as command } from '../../src/commands/extend-volume.ts';
import { getVolume } from '../../src/db/volumes.ts';
import { extendVolume } from '../../src/flows/extend-volume.ts';
import { proveFlow } from '../prove-flow.ts';
import { contentOf, givenVolume } from './given.ts';
import { caller } from './site.ts';
import { onSite, provesEveryTask } from './site-proof.ts';

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
