import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CreateVolumeRequest, createVolume } from '../../../src/commands/volumes/create-volume.ts';
import { deleteVolume } from '../../../src/commands/volumes/delete-volume.ts';
import { VOLUME_BINARY } from '../../../src/db/pools.ts';
import { setProjectLimits } from '../../../src/db/quota-limits.ts';
import { quotaUsage } from '../../../src/db/quotas.ts';
import { recordHeartbeat, updateService } from '../../../src/db/services.ts';
import { insertVolumeType } from '../../../src/db/volume-types.ts';
import { uuid } from '../../../src/lib/clock.ts';
import type { Caller } from '../../../src/model/caller.ts';
import type { Image } from '../../../src/model/image.ts';
import type { Volume } from '../../../src/model/volume.ts';
import type { NewVolumeType, VolumeType } from '../../../src/model/volume-type.ts';
import { contentOf, givenSnapshot, givenVolume } from '../../flows/given.ts';
import { type LiveSite, type LiveSiteOptions, liveSite } from '../../flows/live-site.ts';
import { volumeRequest } from '../../flows/requests.ts';
import { caller, PROJECT } from '../../flows/site.ts';
import { diskImages } from '../../flows/site-images.ts';
import { type Refusal, refused } from '../refused.ts';

const resting: LiveSiteOptions = { running: false };
const member: Caller = { ...caller, userId: 'member', roles: ['member'], isAdmin: false };
const stranger: Caller = { ...member, projectId: 'f'.repeat(32) };

const create = (live: LiveSite, request: Partial<CreateVolumeRequest>, by = member): Promise<Volume> =>
  createVolume(live.desk, by, volumeRequest(request));
const refusedCreate = (
  live: LiveSite,
  request: Partial<CreateVolumeRequest>,
  refusal: Refusal,
  by = member,
): Promise<void> => refused(live, () => create(live, request, by), refusal);
const invalid = (message: RegExp): Refusal => ({ name: 'InvalidInput', status: 400, message });

const givenType = (live: LiveSite, given: Partial<NewVolumeType>): Promise<VolumeType> =>
  live.database.write((tx) => insertVolumeType(tx, { id: uuid(), name: 'gold', ...given }));

/** Another zone, with a backend that nobody here serves. */
const givenZone = (live: LiveSite, availabilityZone: string): Promise<void> =>
  live.database.write((tx) =>
    recordHeartbeat(tx, {
      host: `node@${availabilityZone}`,
      binary: VOLUME_BINARY,
      availabilityZone,
      pools: [],
      failure: null,
    }),
  );

async function givenImage(live: LiveSite, wanted: Partial<Parameters<LiveSite['site']['images']['add']>[0]> = {}) {
  return live.site.images.add(
    { diskFormat: 'qcow2', virtualSizeBytes: 1024 ** 3, ...wanted },
    (await diskImages()).qcow2,
  );
}

/** It has no data. */
const SERVER_IMAGE: Image = {
  id: uuid(),
  name: 'server',
  status: 'active',
  visibility: 'private',
  owner: PROJECT,
  diskFormat: null,
  containerFormat: null,
  sizeBytes: 0,
  virtualSizeBytes: null,
  minDiskGiB: 0,
  minRamMiB: 0,
  updatedAt: null,
  checksum: null,
  hash: null,
  properties: {},
};

describe('creating a volume', () => {
  it('leaves a row, its quota, its holds and a flow, and nothing that is done already', async (context) => {
    const live = await liveSite(context, resting);
    const source = await givenVolume(live.site);
    const volume = await create(live, { sizeGiB: 3, sourceVolumeId: source.id, metadata: { a: 'b' } });
    assert.partialDeepStrictEqual(volume, {
      status: 'creating',
      attachStatus: 'detached',
      host: null,
      sizeGiB: 3,
      projectId: PROJECT,
      userId: 'member',
      metadata: { a: 'b' },
    });
    assert.deepEqual((await quotaUsage(live.database.read, PROJECT)).gigabytes, { inUse: 4, reserved: 0 });
    const flow = await live.flowOf(`volume:${volume.id}`);
    assert.partialDeepStrictEqual(flow, { name: 'create_volume', state: 'pending', requestId: member.requestId });
    const holds = await live.database.read.selectFrom('hold').select(['resource', 'mode']).orderBy('mode').execute();
    assert.deepEqual(
      holds.map(({ resource, mode }) => [resource, mode]),
      [
        [`volume:${volume.id}`, 'exclusive'],
        [`volume:${source.id}`, 'shared'],
      ],
    );
    assert.deepEqual(await live.site.events(), []);
  });

  it('can be seen in its transient status as soon as it is accepted, and to boot from when its source is', async (context) => {
    const live = await liveSite(context, resting);
    const source = await givenVolume(live.site, { bootable: true });
    const { id } = await create(live, { sourceVolumeId: source.id });
    assert.partialDeepStrictEqual(
      (await live.volumes()).find((volume) => volume.id === id),
      { status: 'creating', bootable: true },
    );
  });

  describe('is refused, and leaves nothing,', () => {
    it('when it is from two things', async (context) => {
      const live = await liveSite(context, resting);
      const { id: sourceVolumeId } = await givenVolume(live.site);
      await refusedCreate(live, { sourceVolumeId, imageId: uuid() }, invalid(/one thing/));
    });

    it('when its size is none, nothing, or less than its source has', async (context) => {
      const live = await liveSite(context, resting);
      const source = await givenVolume(live.site, { sizeGiB: 2 });
      const snapshot = await givenSnapshot(live.site, source);
      const image = await givenImage(live, { virtualSizeBytes: 1024 ** 3 + 1 });
      const wide = await givenImage(live, { minDiskGiB: 3 });
      await refusedCreate(live, { sizeGiB: null }, invalid(/must be given/));
      await refusedCreate(live, { sizeGiB: 0 }, invalid(/at least 1 GiB/));
      await refusedCreate(live, { sizeGiB: 1, sourceVolumeId: source.id }, invalid(/smaller/));
      await refusedCreate(live, { sizeGiB: 1, snapshotId: snapshot.id }, invalid(/smaller/));
      await refusedCreate(live, { sizeGiB: 1, imageId: image.id }, invalid(/needs 2GiB/));
      await refusedCreate(live, { sizeGiB: 2, imageId: wide.id }, invalid(/needs 3GiB/));
      await refusedCreate(live, { sizeGiB: null, imageId: image.id }, invalid(/must be given/));
    });

    it('when its source is not there for the caller', async (context) => {
      const live = await liveSite(context, resting);
      const source = await givenVolume(live.site);
      const snapshot = await givenSnapshot(live.site, source);
      const secret = await givenImage(live, { visibility: 'private', owner: PROJECT });
      const gone = (name: string): Refusal => ({ name, status: 404 });
      const noImage = invalid(/^Invalid image identifier/);
      await refusedCreate(live, { sourceVolumeId: source.id }, gone('VolumeNotFound'), stranger);
      await refusedCreate(live, { snapshotId: snapshot.id }, gone('SnapshotNotFound'), stranger);
      await refusedCreate(live, { imageId: secret.id }, noImage, stranger);
      await refusedCreate(live, { sourceVolumeId: uuid() }, gone('VolumeNotFound'));
      await refusedCreate(live, { snapshotId: uuid() }, gone('SnapshotNotFound'));
      await refusedCreate(live, { imageId: uuid() }, noImage);
    });

    it('when its source cannot be read now', async (context) => {
      const live = await liveSite(context, resting);
      const source = await givenVolume(live.site, { status: 'error' });
      const snapshot = await givenSnapshot(live.site, source, { status: 'creating' });
      await refusedCreate(
        live,
        { sourceVolumeId: source.id },
        { name: 'InvalidVolume', status: 400, message: /error/ },
      );
      await refusedCreate(
        live,
        { snapshotId: snapshot.id },
        { name: 'InvalidSnapshot', status: 400, message: /creating/ },
      );
    });

    it('when its source is being deleted', async (context) => {
      const live = await liveSite(context, resting);
      const source = await givenVolume(live.site);
      await deleteVolume(live.desk, member, source.id, { cascade: false, force: false });
      await refusedCreate(live, { sourceVolumeId: source.id }, { name: 'InvalidVolume', status: 400 });
    });

    it('when another flow has its source for itself, whatever its status says', async (context) => {
      const live = await liveSite(context, resting);
      const source = await givenVolume(live.site);
      await deleteVolume(live.desk, member, source.id, { cascade: false, force: false });
      await live.database.write(({ db }) => db.updateTable('volume').set({ status: 'available' }).execute());
      const held = { name: 'ResourceHeld', status: 400, message: /in use by delete volume/ };
      await refusedCreate(live, { sourceVolumeId: source.id }, held);
    });

    it('when its type is not there for the caller, or does not have its size', async (context) => {
      const live = await liveSite(context, resting);
      const secret = await givenType(live, { name: 'secret', isPublic: false });
      const extraSpecs = { 'provisioning:min_vol_size': '2', 'provisioning:max_vol_size': '4' };
      await givenType(live, { name: 'medium', extraSpecs });
      const gone = { name: 'VolumeTypeNotFound', status: 404 };
      await refusedCreate(live, { volumeType: 'none' }, gone);
      await refusedCreate(live, { volumeType: secret.id }, gone);
      await refusedCreate(live, { volumeType: 'secret' }, gone);
      await refusedCreate(live, { volumeType: 'medium', sizeGiB: 1 }, invalid(/2 to 4 GiB, not 1/));
      await refusedCreate(live, { volumeType: 'medium', sizeGiB: 5 }, invalid(/2 to 4 GiB, not 5/));
      assert.equal((await create(live, { volumeType: 'secret' }, caller)).volumeTypeId, secret.id);
    });

    it('when a copy would have another type, which another backend may serve', async (context) => {
      const live = await liveSite(context, resting);
      await givenType(live, {});
      const [alpha, beta] = [{ volume_backend_name: 'alpha' }, { volume_backend_name: 'beta' }];
      const fast = await givenType(live, { name: 'fast', extraSpecs: alpha });
      await givenType(live, { name: 'same', extraSpecs: alpha });
      await givenType(live, { name: 'other', extraSpecs: beta });
      const source = await givenVolume(live.site, { volumeTypeId: fast.id });
      for (const volumeType of ['gold', 'other'])
        await refusedCreate(live, { sourceVolumeId: source.id, volumeType }, invalid(/different backends/));
      await create(live, { sourceVolumeId: source.id, volumeType: 'same' });
      await live.database.write((tx) => updateService(tx, 'node@beta', VOLUME_BINARY, { disabled: true }));
      await create(live, { sourceVolumeId: source.id, volumeType: 'gold' });
    });

    it('when its zone is unknown, is not its source’s, or is none of its type', async (context) => {
      const live = await liveSite(context, resting);
      await givenZone(live, 'west');
      const source = await givenVolume(live.site);
      await givenType(live, { name: 'western', extraSpecs: { 'RESKEY:availability_zones': 'west' } });
      await refusedCreate(live, { availabilityZone: 'moon' }, invalid(/'moon' is invalid/));
      await refusedCreate(live, { availabilityZone: 'west', sourceVolumeId: source.id }, invalid(/nova, not in west/));
      await refusedCreate(live, { availabilityZone: 'nova', volumeType: 'western' }, invalid(/in west only/));
    });

    it('when a hint names no volume', async (context) => {
      const live = await liveSite(context, resting);
      await refusedCreate(live, { hints: { same_host: 'not-an-id' } }, invalid(/same_host/));
      await refusedCreate(live, { hints: 'elsewhere' }, invalid(/hints/));
    });

    for (const name of [
      'img_signature',
      'img_signature_hash_method',
      'img_signature_key_type',
      'img_signature_certificate_uuid',
    ])
      it(`when its image has ${name}: nobody verifies it`, async (context) => {
        const live = await liveSite(context, resting);
        const image = await givenImage(live, { properties: { [name]: 'x' } });
        const unverified = { name: 'ImageUnacceptable', status: 400, message: /is signed/ };
        await refusedCreate(live, { imageId: image.id }, unverified);
      });

    it('when its image is not active', async (context) => {
      const live = await liveSite(context, resting);
      const image = await givenImage(live);
      live.site.images.show = async () => ({ ...image, status: 'queued' });
      await refusedCreate(live, { imageId: image.id }, { name: 'ImageUnacceptable', status: 400, message: /queued/ });
    });

    it('when the project has no quota left, of any of what it counts, and says so with "exceeded"', async (context) => {
      const live = await liveSite(context, resting);
      const limited = async (
        limits: Readonly<Record<string, number>>,
        name: string,
        request: Partial<CreateVolumeRequest> = {},
      ) => {
        await live.database.write((tx) => setProjectLimits(tx, PROJECT, limits));
        await refusedCreate(live, request, { name, status: 413, message: new RegExp(`^${name}: .*exceeded`) });
        await live.database.write((tx) => setProjectLimits(tx, PROJECT, { ...limits, ...all(limits) }));
      };
      const all = (limits: object) => Object.fromEntries(Object.keys(limits).map((resource) => [resource, -1]));
      await limited({ volumes: 0 }, 'VolumeLimitExceeded');
      await limited({ volumes___DEFAULT__: 0 }, 'VolumeLimitExceeded');
      await limited({ gigabytes: 4 }, 'VolumeSizeExceedsAvailableQuota', { sizeGiB: 5 });
      await limited({ gigabytes___DEFAULT__: 4 }, 'VolumeSizeExceedsAvailableQuota', { sizeGiB: 5 });
      await limited({ per_volume_gigabytes: 4 }, 'VolumeSizeExceedsLimit', { sizeGiB: 5 });
    });
  });

  describe('from the image of a server that boots from a volume', () => {
    const mapped = (live: LiveSite, mapping: unknown, more: Partial<Image> = {}): void => {
      const text = typeof mapping === 'string' ? mapping : JSON.stringify(mapping);
      const image = { ...SERVER_IMAGE, properties: { block_device_mapping: text }, ...more };
      live.site.images.show = async () => image;
    };
    const boot = (snapshotId: unknown) => ({ source_type: 'snapshot', boot_index: 0, snapshot_id: snapshotId });
    const request = { imageId: SERVER_IMAGE.id, serverImages: true, sizeGiB: null } as const;

    it('is made from the snapshot that the image names, as if that had been asked for', async (context) => {
      const live = await liveSite(context);
      const gold = await givenType(live, {});
      const imageMetadata = { image_id: 'i', os: 'x' };
      const source = await givenVolume(live.site, { sizeGiB: 2, bootable: true, volumeTypeId: gold.id });
      const snapshot = await givenSnapshot(live.site, source, { imageMetadata, volumeTypeId: gold.id });
      mapped(live, [{ source_type: 'blank', boot_index: 0 }, { ...boot(uuid()), boot_index: 1 }, boot(snapshot.id)]);
      const volume = await live.settledVolume(await create(live, request));
      assert.partialDeepStrictEqual(volume, {
        status: 'available',
        sizeGiB: 2,
        snapshotId: snapshot.id,
        volumeTypeId: gold.id,
        bootable: true,
        imageMetadata,
      });
      assert.deepEqual(live.site.content(`alpha/volume-${volume.id}`, contentOf(snapshot).length), contentOf(snapshot));
      await refusedCreate(live, { ...request, sizeGiB: 1 }, invalid(/smaller/));
    });

    it('is refused when the snapshot is not there for the caller, cannot be read, or the mapping cannot', async (context) => {
      const live = await liveSite(context, resting);
      const source = await givenVolume(live.site);
      const snapshot = await givenSnapshot(live.site, source);
      const gone: Refusal = { name: 'SnapshotNotFound', status: 404 };
      mapped(live, [boot(snapshot.id)]);
      await refusedCreate(live, request, gone, stranger);
      for (const id of [uuid(), 'no-id', '\0', 7, null]) {
        mapped(live, [boot(id)]);
        await refusedCreate(live, request, gone);
      }
      for (const broken of ['[', '{}', '7', 'null', '\0']) {
        mapped(live, broken);
        const unreadable: Refusal = { name: 'ImageUnacceptable', status: 400, message: /block_device_mapping/ };
        await refusedCreate(live, request, unreadable);
      }
      mapped(live, [boot(snapshot.id)], { status: 'queued' });
      await refusedCreate(live, request, { name: 'ImageUnacceptable', status: 400, message: /queued/ });
      const busy = await givenSnapshot(live.site, source, { status: 'deleting' });
      mapped(live, [boot(busy.id)]);
      await refusedCreate(live, request, { name: 'InvalidSnapshot', status: 400 });
    });

    it('is made from the image when nothing is mapped to boot from, or older clients ask', async (context) => {
      const live = await liveSite(context, resting);
      const source = await givenVolume(live.site);
      const snapshot = await givenSnapshot(live.site, source);
      for (const mapping of ['', [], [null, 7], [{ ...boot(snapshot.id), boot_index: 1 }], [{ boot_index: 0 }]]) {
        mapped(live, mapping);
        const { snapshotId } = await create(live, { ...request, sizeGiB: 1 });
        assert.equal(snapshotId, null, JSON.stringify(mapping));
      }
      mapped(live, [boot(snapshot.id)]);
      const { id } = await create(live, { ...request, sizeGiB: 1, serverImages: false });
      assert.partialDeepStrictEqual((await live.flowOf(`volume:${id}`)).input, { image: { id: SERVER_IMAGE.id } });
    });
  });

  it('is as large as its source when no size is given', async (context) => {
    const live = await liveSite(context, resting);
    const source = await givenVolume(live.site, { sizeGiB: 2 });
    const snapshot = await givenSnapshot(live.site, source);
    assert.equal((await create(live, { sizeGiB: null, sourceVolumeId: source.id })).sizeGiB, 2);
    assert.equal((await create(live, { sizeGiB: null, snapshotId: snapshot.id })).sizeGiB, 2);
  });

  it('has the type that was asked for, else its source’s, else what its image says, else the default', async (context) => {
    const live = await liveSite(context, resting);
    const gold = await givenType(live, {});
    const silver = await givenType(live, { name: 'silver' });
    const source = await givenVolume(live.site, { volumeTypeId: gold.id });
    const snapshot = await givenSnapshot(live.site, source, { volumeTypeId: gold.id });
    const image = await givenImage(live, { properties: { cinder_img_volume_type: 'silver' } });
    const silent = await givenImage(live, { properties: { cinder_img_volume_type: '' } });
    assert.equal((await create(live, { sourceVolumeId: source.id })).volumeTypeId, gold.id);
    assert.equal((await create(live, { snapshotId: snapshot.id })).volumeTypeId, gold.id);
    assert.equal((await create(live, { imageId: image.id })).volumeTypeId, silver.id);
    assert.equal((await create(live, { imageId: image.id, volumeType: gold.id })).volumeTypeId, gold.id);
    const [ofNothing] = [await create(live, {})];
    assert.equal((await create(live, { imageId: silent.id })).volumeTypeId, ofNothing.volumeTypeId);
    assert.ok(ofNothing.volumeTypeId !== gold.id && ofNothing.volumeTypeId !== silver.id);
  });

  it('can be attached more than once when its type says so', async (context) => {
    const live = await liveSite(context, resting);
    await givenType(live, { extraSpecs: { multiattach: '<is> True' } });
    assert.equal((await create(live, { volumeType: 'gold' })).multiattach, true);
    assert.equal((await create(live, {})).multiattach, false);
  });

  it('is in the zone that was asked for, else in its source’s, else in one of its type’s, else in the default one', async (context) => {
    const live = await liveSite(context, resting);
    await givenZone(live, 'west');
    await givenZone(live, 'east');
    await givenType(live, { name: 'western', extraSpecs: { 'RESKEY:availability_zones': 'west, moon' } });
    await givenType(live, { name: 'coastal', extraSpecs: { 'RESKEY:availability_zones': 'west,east' } });
    const source = await givenVolume(live.site, { availabilityZone: 'east' });
    assert.equal((await create(live, { availabilityZone: 'west' })).availabilityZone, 'west');
    assert.equal((await create(live, { sourceVolumeId: source.id })).availabilityZone, 'east');
    assert.equal((await create(live, { volumeType: 'western' })).availabilityZone, 'west');
    assert.equal((await create(live, {})).availabilityZone, 'nova');
    const open = await create(live, { volumeType: 'coastal' });
    assert.equal(open.availabilityZone, null);
    assert.deepEqual((await live.flowOf(`volume:${open.id}`)).input.zones, ['west', 'east']);
  });

  it('is in the default zone when an unknown one was asked for and the configuration falls back', async (context) => {
    const live = await liveSite(context, { ...resting, set: ['allow_availability_zone_fallback=true'] });
    assert.equal((await create(live, { availabilityZone: 'moon' })).availabilityZone, 'nova');
  });

  it('is kept near or far from the volumes that hints name', async (context) => {
    const live = await liveSite(context);
    const beside = await givenVolume(live.site, { host: 'node@beta#beta' });
    const near = await live.settledVolume(await create(live, { hints: { same_host: [beside.id] } }));
    assert.equal(near.host, 'node@beta#beta');
    const far = await live.settledVolume(await create(live, { hints: { different_host: beside.id } }));
    assert.equal(far.host, 'node@alpha#alpha');
    const nowhere = await live.settledVolume(await create(live, { hints: { same_host: uuid() } }));
    assert.equal(nowhere.status, 'error');
  });

  it('keeps its quota while it is in error, until it is deleted', async (context) => {
    const live = await liveSite(context);
    const volume = await live.settledVolume(await create(live, { hints: { same_host: uuid() } }));
    assert.equal(volume.status, 'error');
    const usage = async () => (await quotaUsage(live.database.read, PROJECT)).gigabytes?.inUse;
    assert.equal(await usage(), 1);
    await deleteVolume(live.desk, member, volume.id, { cascade: false, force: false });
    assert.equal(await usage(), 0);
  });
});
