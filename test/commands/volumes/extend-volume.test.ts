import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { extendVolume } from '../../../src/commands/volumes/extend-volume.ts';
import { setProjectLimits } from '../../../src/db/quota-limits.ts';
import { quotaUsage } from '../../../src/db/quotas.ts';
import { insertVolumeType } from '../../../src/db/volume-types.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { givenVolume } from '../../flows/given.ts';
import { type LiveSite, type LiveSiteOptions, liveSite } from '../../flows/live-site.ts';
import { caller, PROJECT } from '../../flows/site.ts';
import { refused } from '../refused.ts';

const resting: LiveSiteOptions = { running: false };
const extend = ({ desk }: LiveSite, id: string, sizeGiB: number, inUseAllowed = false): Promise<void> =>
  extendVolume(desk, caller, id, sizeGiB, { inUseAllowed });
const invalid = (name: string, message: RegExp) => ({ name, status: 400, message });

describe('extending a volume', () => {
  it('moves it to extending, remembers what it was, and promises the difference to the flow', async (context) => {
    const live = await liveSite(context, resting);
    const { id } = await givenVolume(live.site, { status: 'in-use' });
    await extend(live, id, 4, true);
    const extending = { status: 'extending', previousStatus: 'in-use', sizeGiB: 1 } as const;
    assert.partialDeepStrictEqual(await getVolume(live.database.read, id), extending);
    assert.deepEqual((await quotaUsage(live.database.read, PROJECT)).gigabytes, { inUse: 1, reserved: 3 });
  });

  describe('is refused, and leaves nothing,', () => {
    it('in each status that is not one to extend from', async (context) => {
      const live = await liveSite(context, resting);
      for (const status of ['in-use', 'creating', 'error', 'error_extending', 'deleting'] as const) {
        const { id } = await givenVolume(live.site, { status });
        await refused(live, () => extend(live, id, 2), invalid('InvalidVolume', new RegExp(`it is ${status}`)));
      }
      const { id } = await givenVolume(live.site, { host: null });
      await refused(live, () => extend(live, id, 2), invalid('InvalidVolume', /available/));
    });

    it('when it is not to be larger than it is', async (context) => {
      const live = await liveSite(context, resting);
      const { id } = await givenVolume(live.site, { sizeGiB: 2 });
      for (const sizeGiB of [2, 1])
        await refused(live, () => extend(live, id, sizeGiB), invalid('InvalidInput', /greater than 2GiB/));
    });

    it('when its type has no volumes of the new size', async (context) => {
      const live = await liveSite(context, resting);
      const extraSpecs = { 'provisioning:max_vol_size': '3' };
      const type = await live.database.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'small', extraSpecs }));
      const { id } = await givenVolume(live.site, { volumeTypeId: type.id });
      await refused(live, () => extend(live, id, 4), invalid('InvalidInput', /0 to 3 GiB, not 4/));
    });

    it('when the project has no quota left for the difference, and says so with "exceeded"', async (context) => {
      const live = await liveSite(context, resting);
      const { id } = await givenVolume(live.site);
      for (const [resource, name] of [
        ['gigabytes', 'VolumeSizeExceedsAvailableQuota'],
        ['gigabytes___DEFAULT__', 'VolumeSizeExceedsAvailableQuota'],
        ['per_volume_gigabytes', 'VolumeSizeExceedsLimit'],
      ] as const) {
        await live.database.write((tx) => setProjectLimits(tx, PROJECT, { [resource]: 3 }));
        await refused(live, () => extend(live, id, 4), {
          name,
          status: 413,
          message: new RegExp(`^${name}: .*exceeded`),
        });
        await live.database.write((tx) => setProjectLimits(tx, PROJECT, { [resource]: -1 }));
      }
      await extend(live, id, 4);
    });
  });
});
