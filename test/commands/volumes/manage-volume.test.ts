import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { listManageable } from '../../../src/commands/list-manageable.ts';
import { type ManageVolumeRequest, manageVolume } from '../../../src/commands/volumes/manage-volume.ts';
import { unmanageVolume } from '../../../src/commands/volumes/unmanage-volume.ts';
import { VOLUME_BINARY } from '../../../src/db/pools.ts';
import { setProjectLimits } from '../../../src/db/quota-limits.ts';
import { quotaUsage } from '../../../src/db/quotas.ts';
import { recordHeartbeat, updateService } from '../../../src/db/services.ts';
import { insertVolumeType } from '../../../src/db/volume-types.ts';
import { uuid } from '../../../src/lib/clock.ts';
import type { PoolStats } from '../../../src/model/backend.ts';
import { givenSnapshot, givenVolume } from '../../flows/given.ts';
import { type LiveSite, type LiveSiteOptions, liveSite } from '../../flows/live-site.ts';
import { manageVolumeRequest } from '../../flows/requests.ts';
import { caller, PROJECT } from '../../flows/site.ts';
import { type Refusal, refused } from '../refused.ts';

const resting: LiveSiteOptions = { running: false };
const refusedManage = (live: LiveSite, request: Partial<ManageVolumeRequest>, refusal: Refusal): Promise<void> =>
  refused(live, () => manageVolume(live.desk, caller, manageVolumeRequest('theirs', request)), refusal);

describe('managing a volume', () => {
  it('counts one volume of no size on the pool that was named, until its size is known', async (context) => {
    const live = await liveSite(context, resting);
    const volume = await manageVolume(
      live.desk,
      caller,
      manageVolumeRequest('theirs', { host: 'node@beta', bootable: true }),
    );
    const expected = {
      status: 'managing',
      sizeGiB: 0,
      host: 'node@beta#beta',
      bootable: true,
      availabilityZone: 'nova',
    } as const;
    assert.partialDeepStrictEqual(volume, expected);
    const usage = await quotaUsage(live.database.read, PROJECT);
    assert.deepEqual([usage.volumes?.inUse, usage.gigabytes?.inUse ?? 0], [1, 0]);
  });

  describe('is refused, and leaves nothing,', () => {
    it('on a backend that is not there, is down, or has several pools of which none is named', async (context) => {
      const live = await liveSite(context, resting);
      await refusedManage(live, { host: 'node@gamma#gamma' }, { name: 'ServiceNotFound', status: 404 });
      await live.database.write((tx) => updateService(tx, 'node@beta', VOLUME_BINARY, { disabled: true }));
      await refusedManage(live, { host: 'node@beta' }, { name: 'ServiceUnavailable', status: 503 });
      const pools = ['one', 'two'].map((pool_name) => ({ pool_name }) as unknown as PoolStats);
      const two = { host: 'node@two', binary: VOLUME_BINARY, availabilityZone: 'nova', pools, failure: null };
      await live.database.write((tx) => recordHeartbeat(tx, two));
      await refusedManage(
        live,
        { host: 'node@two' },
        { name: 'InvalidInput', status: 400, message: /node@two#one, node@two#two/ },
      );
    });

    it('in a zone the backend is not in, and of a type that is not there', async (context) => {
      const live = await liveSite(context, resting);
      await refusedManage(
        live,
        { availabilityZone: 'moon' },
        { name: 'InvalidInput', status: 400, message: /nova, not moon/ },
      );
      await refusedManage(live, { volumeType: 'none' }, { name: 'VolumeTypeNotFound', status: 404 });
    });

    it('when the project may have no more volumes', async (context) => {
      const live = await liveSite(context, resting);
      await live.database.write((tx) => setProjectLimits(tx, PROJECT, { volumes: 0 }));
      await refusedManage(live, {}, { name: 'VolumeLimitExceeded', status: 413, message: /exceeded/ });
    });
  });

  it('whose type may not be there ends in error_managing, and tells those who watch the scheduler', async (context) => {
    const live = await liveSite(context);
    live.site.foreignFile('alpha', 'theirs', 1);
    const extraSpecs = { volume_backend_name: 'beta' };
    await live.database.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'beta', extraSpecs }));
    const made = await manageVolume(live.desk, caller, manageVolumeRequest('theirs', { volumeType: 'beta' }));
    assert.equal((await live.settledVolume(made)).status, 'error_managing');
    assert.deepEqual(await live.site.events(), ['scheduler.manage_existing']);
    assert.deepEqual(await live.site.leftovers(['alpha/theirs']), []);
  });

  it('of a file that is managed already ends in error_managing, and leaves it to whose it is', async (context) => {
    const live = await liveSite(context);
    const volume = await givenVolume(live.site);
    const made = await manageVolume(live.desk, caller, manageVolumeRequest(`volume-${volume.id}`));
    assert.equal((await live.settledVolume(made)).status, 'error_managing');
    assert.deepEqual(await live.site.leftovers(), []);
    assert.deepEqual(live.site.objects(), [`alpha/volume-${volume.id}`]);
  });
});

describe('unmanaging a volume', () => {
  it('is refused, and leaves nothing, with snapshots, a key, an attachment, a migration, or a wrong status', async (context) => {
    const live = await liveSite(context, resting);
    const wrong = { name: 'InvalidVolume', status: 400 };
    const withSnapshot = await givenVolume(live.site);
    await givenSnapshot(live.site, withSnapshot);
    for (const { id } of [
      withSnapshot,
      await givenVolume(live.site, { encryptionKeyId: uuid() }),
      await givenVolume(live.site, { attachStatus: 'attached' }),
      await givenVolume(live.site, { migrationStatus: 'migrating' }),
      await givenVolume(live.site, { groupId: uuid() }),
      await givenVolume(live.site, { status: 'in-use' }),
      await givenVolume(live.site, { host: null }),
    ])
      await refused(live, () => unmanageVolume(live.desk, caller, id), wrong);
  });
});

describe('listing what could be managed', () => {
  it('says what is whose, and why not', async (context) => {
    const live = await liveSite(context, resting);
    const volume = await givenVolume(live.site, { nameId: 'fedcba98-7654-4321-8fed-cba987654321' });
    live.site.foreignFile('alpha', 'theirs', 2);
    const found = await listManageable(live.desk, 'volume', 'node@alpha#alpha');
    assert.deepEqual(
      found.map(({ reference, sizeGiB, safe, cinderId }) => [reference['source-name'], sizeGiB, safe, cinderId]),
      [
        ['theirs', 2, true, null],
        [`volume-${volume.nameId}`, 1, false, volume.id],
      ],
    );
  });

  it('of a backend that is not there is not found; of one that is down it is not possible now', async (context) => {
    const live = await liveSite(context, resting);
    live.site.down.add('node@beta');
    await refused(live, () => listManageable(live.desk, 'volume', 'node@gamma'), {
      name: 'ServiceNotFound',
      status: 404,
    });
    await refused(live, () => listManageable(live.desk, 'volume', 'node@beta'), {
      name: 'ServiceUnavailable',
      status: 503,
    });
  });
});
