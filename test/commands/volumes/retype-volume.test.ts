import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type RetypeVolumeRequest, retypeVolume } from '../../../src/commands/volumes/retype-volume.ts';
import { insertQosSpecs } from '../../../src/db/qos-specs.ts';
import { setProjectLimits } from '../../../src/db/quota-limits.ts';
import { quotaUsage } from '../../../src/db/quotas.ts';
import { insertTypeEncryption } from '../../../src/db/type-encryption.ts';
import { insertVolumeType } from '../../../src/db/volume-types.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { Forbidden } from '../../../src/model/errors.ts';
import type { QosConsumer } from '../../../src/model/qos-specs.ts';
import { VOLUME_STATUSES } from '../../../src/model/status.ts';
import type { VolumeType } from '../../../src/model/volume-type.ts';
import { givenSnapshot, givenVolume } from '../../flows/given.ts';
import { type LiveSite, type LiveSiteOptions, liveSite } from '../../flows/live-site.ts';
import { caller, PROJECT } from '../../flows/site.ts';
import { refused } from '../refused.ts';

const resting: LiveSiteOptions = { running: false };
const retype = ({ desk }: LiveSite, id: string, newType = 'fast', request: Partial<RetypeVolumeRequest> = {}) =>
  retypeVolume(desk, caller, id, { newType, mayMove: false, demand: () => undefined, ...request });
const givenType = ({ database }: LiveSite, given: Partial<VolumeType> = {}) =>
  database.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'fast', ...given }));
const givenQos = ({ database }: LiveSite, consumer: QosConsumer) =>
  database.write((tx) => insertQosSpecs(tx, { id: uuid(), name: consumer, consumer, specs: {} }));
const invalid = (name: string, message: RegExp) => ({ name, status: 400, message });

describe('retyping a volume', () => {
  it('moves it to retyping, remembers what it was, and promises the quota of the new type to the flow', async (context) => {
    const live = await liveSite(context, resting);
    const volume = await givenVolume(live.site, { status: 'in-use', sizeGiB: 2 });
    await givenSnapshot(live.site, volume);
    const { id: newTypeId } = await givenType(live);
    await retype(live, volume.id, newTypeId);
    const { volumeTypeId } = volume;
    const retyping = { status: 'retyping', previousStatus: 'in-use', volumeTypeId };
    assert.partialDeepStrictEqual(await getVolume(live.database.read, volume.id), retyping);
    assert.deepEqual(await quotaUsage(live.database.read, PROJECT), {
      volumes: { inUse: 1, reserved: 0 },
      volumes___DEFAULT__: { inUse: 1, reserved: 0 },
      volumes_fast: { inUse: 0, reserved: 1 },
      gigabytes: { inUse: 4, reserved: 0 },
      gigabytes___DEFAULT__: { inUse: 4, reserved: 0 },
      gigabytes_fast: { inUse: 0, reserved: 4 },
      snapshots: { inUse: 1, reserved: 0 },
      snapshots___DEFAULT__: { inUse: 1, reserved: 0 },
      snapshots_fast: { inUse: 0, reserved: 1 },
    });
  });

  it('asks nothing of the totals of the project', async (context) => {
    const live = await liveSite(context, resting);
    const { id } = await givenVolume(live.site);
    await givenType(live);
    await live.database.write((tx) => setProjectLimits(tx, PROJECT, { volumes: 0, gigabytes: 0, snapshots: 0 }));
    await retype(live, id);
  });

  it('of one in use may change the QoS specs of the back end', async (context) => {
    const live = await liveSite(context, resting);
    const { id } = await givenVolume(live.site, { status: 'in-use' });
    await givenType(live, { qosSpecsId: (await givenQos(live, 'back-end')).id });
    await retype(live, id);
  });

  describe('is refused, and leaves nothing,', () => {
    it('in each status that is not one to retype from, without a backend, in a group or while it is migrated', async (context) => {
      const live = await liveSite(context, resting);
      await givenType(live);
      for (const status of VOLUME_STATUSES) {
        if (status === 'available' || status === 'in-use') continue;
        const { id } = await givenVolume(live.site, { status });
        await refused(live, () => retype(live, id), invalid('InvalidVolume', new RegExp(`in-use .*; it is ${status}`)));
      }
      for (const given of [{ host: null }, { groupId: uuid() }, { migrationStatus: 'migrating' }]) {
        const { id } = await givenVolume(live.site, given);
        await refused(live, () => retype(live, id), invalid('InvalidVolume', /retyped/));
      }
    });

    it('to the type it has, by id or name', async (context) => {
      const live = await liveSite(context, resting);
      const { id, volumeTypeId } = await givenVolume(live.site);
      for (const newType of [volumeTypeId, '__DEFAULT__'])
        await refused(live, () => retype(live, id, newType), invalid('InvalidInput', /type __DEFAULT__ already/));
    });

    it('to a type that is not there, or that the project has no access to', async (context) => {
      const live = await liveSite(context, resting);
      const { id } = await givenVolume(live.site);
      await givenType(live, { name: 'secret', isPublic: false });
      const member = { ...caller, roles: ['member'], isAdmin: false };
      for (const newType of ['', 'nothing', uuid(), 'secret']) {
        const asked = () => retypeVolume(live.desk, member, id, { newType, mayMove: true, demand: () => undefined });
        await refused(live, asked, { name: 'VolumeTypeNotFound', status: 404 });
      }
    });

    it('to a type that is encrypted, or has no volumes of its size', async (context) => {
      const live = await liveSite(context, resting);
      const { id } = await givenVolume(live.site, { sizeGiB: 4 });
      await givenType(live, { extraSpecs: { 'provisioning:max_vol_size': '3' } });
      await refused(live, () => retype(live, id), invalid('InvalidInput', /0 to 3 GiB, not 4/));
      const { id: volumeTypeId } = await givenType(live, { name: 'luks' });
      const encryption = { encryptionId: uuid(), volumeTypeId, provider: 'luks', cipher: null, keySize: null };
      await live.database.write((tx) => insertTypeEncryption(tx, { ...encryption, controlLocation: 'front-end' }));
      await refused(live, () => retype(live, id, 'luks'), invalid('InvalidVolumeType', /luks is encrypted/));
    });

    it('when the quota of the new type is full', async (context) => {
      const live = await liveSite(context, resting);
      const volume = await givenVolume(live.site);
      await givenSnapshot(live.site, volume);
      await givenType(live);
      for (const [kind, name] of [
        ['volumes', 'VolumeLimitExceeded'],
        ['gigabytes', 'VolumeSizeExceedsAvailableQuota'],
        ['snapshots', 'SnapshotLimitExceeded'],
      ] as const) {
        await live.database.write((tx) => setProjectLimits(tx, PROJECT, { [`${kind}_fast`]: 0 }));
        const message = new RegExp(`^${name}: .*exceeded`);
        await refused(live, () => retype(live, volume.id), { name, status: 413, message });
        await live.database.write((tx) => setProjectLimits(tx, PROJECT, { [`${kind}_fast`]: -1 }));
      }
      await retype(live, volume.id);
    });

    it('of one in use when multiattach or the QoS specs of the front end would change', async (context) => {
      const live = await liveSite(context, resting);
      const { id } = await givenVolume(live.site, { status: 'in-use' });
      await givenType(live, { extraSpecs: { multiattach: '<is> True' } });
      await refused(live, () => retype(live, id), invalid('InvalidInput', /available for multiattach/));
      for (const consumer of ['front-end', 'both'] as const) {
        const { id: volumeTypeId } = await givenType(live, {
          name: consumer,
          qosSpecsId: (await givenQos(live, consumer)).id,
        });
        await refused(live, () => retype(live, id, consumer), invalid('InvalidInput', /QoS specs of its front end/));
        const other = await givenVolume(live.site, { status: 'in-use', volumeTypeId });
        const back = () => retype(live, other.id, '__DEFAULT__');
        await refused(live, back, invalid('InvalidInput', /QoS specs of its front end/));
      }
    });

    it('to a multiattach type when the caller has no right to it', async (context) => {
      const live = await liveSite(context, resting);
      const { id } = await givenVolume(live.site);
      await givenType(live, { extraSpecs: { multiattach: '<is> True' } });
      const demand = (): never => {
        throw new Forbidden('No.');
      };
      await refused(live, () => retype(live, id, 'fast', { demand }), { name: 'Forbidden', status: 403 });
    });
  });
});
