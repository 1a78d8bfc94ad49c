import assert from 'node:assert/strict';
import { type CreateVolumeWish, createVolume as command } from '../../src/commands/create-volume.ts';
import { getVolume, listVolumes } from '../../src/db/volumes.ts';
import type { Call, ImageFile, VolumeRef } from '../../src/drivers/driver.ts';
import { createVolume } from '../../src/flows/create-volume.ts';
import { BackendFull } from '../../src/model/errors.ts';
import { capturedMetadata } from '../../src/model/image.ts';
import { proveFlow } from '../prove-flow.ts';
import { contentOf, givenSnapshot, givenVolume } from './given.ts';
import { refuses } from './interposed.ts';
import { BACKENDS, caller, Site } from './site.ts';
import { BOOT_SECTOR, diskImages } from './site-images.ts';
import { onSite, provesEveryTask, proveVariant } from './site-proof.ts';
import { volumeWish } from './wishes.ts';

/** The volume is made by the flow under proof; what it is made from was there before. */
interface Origin {
  readonly wish: Partial<CreateVolumeWish>;
  /** How it begins when it is made. */
  readonly content?: Buffer;
  /** What is remembered of the image it comes from. */
  readonly imageMetadata?: Readonly<Record<string, string>>;
  /** Where it must be; default anywhere. */
  readonly host?: string;
}

const created = (given: (site: Site) => Promise<Origin>) =>
  onSite(async (site) => {
    const origin = await given(site);
    const before = { objects: site.objects(), volumes: await listVolumes(site.database.read, {}) };
    let id = '';
    const volume = () => getVolume(site.database.read, id);
    const told = async () => (await site.events()).filter((event) => event.startsWith('volume.'));
    return {
      begin: async (desk) => {
        ({ id } = await command(desk, caller, volumeWish({ sizeGiB: 2, metadata: { color: 'grey' }, ...origin.wish })));
      },
      done: async () => {
        const made = await volume();
        const object = Site.objectOf('volume', id, made.host);
        assert.partialDeepStrictEqual(made, { status: 'available', sizeGiB: 2, availabilityZone: 'nova' });
        if (origin.host) assert.equal(made.host, origin.host);
        assert.ok(made.scheduledAt && made.launchedAt && made.launchedAt > made.createdAt);
        assert.deepEqual(
          [made.bootable, made.imageMetadata],
          [origin.imageMetadata !== undefined, origin.imageMetadata ?? null],
        );
        assert.equal(site.sizeGiB(object), 2);
        if (origin.content) assert.deepEqual(site.content(object, origin.content.length), origin.content);
        assert.deepEqual(site.objects(), [...before.objects, object].sort());
        const events = await told();
        assert.deepEqual([...new Set(events)], ['volume.create.start', 'volume.create.end']);
        assert.equal(events.filter((event) => event === 'volume.create.end').length, 1);
        assert.deepEqual(await site.messages(), []);
      },
      undone: async () => {
        assert.partialDeepStrictEqual(await volume(), { status: 'error', host: null, launchedAt: null });
        assert.deepEqual(site.objects(), before.objects);
        assert.ok(!(await told()).includes('volume.create.end'));
        assert.equal((await site.messages()).length, 1);
        for (const source of before.volumes) assert.deepEqual(await getVolume(site.database.read, source.id), source);
      },
    };
  });

proveFlow(
  'create_volume of a blank volume',
  createVolume,
  created(async () => ({ wish: {} })),
);

proveVariant(
  'create_volume from a snapshot of a bootable volume',
  createVolume,
  created(async (site) => {
    const imageMetadata = { image_id: 'i', disk_format: 'qcow2' };
    const volume = await givenVolume(site, { bootable: true });
    const snapshot = await givenSnapshot(site, volume, { imageMetadata });
    return { wish: { snapshotId: snapshot.id }, content: contentOf(snapshot), imageMetadata };
  }),
);

proveVariant(
  'create_volume from a bootable volume in use',
  createVolume,
  created(async (site) => {
    const imageMetadata = { image_id: 'i', size: '7' };
    const source = await givenVolume(site, {
      status: 'in-use',
      attachStatus: 'attached',
      bootable: true,
      imageMetadata,
    });
    return { wish: { sourceVolumeId: source.id }, content: contentOf(source), imageMetadata };
  }),
);

proveVariant(
  'create_volume from an image that is downloaded and converted',
  createVolume,
  created(async (site) => {
    const image = await site.images.add({ diskFormat: 'qcow2' }, (await diskImages()).qcow2);
    return { wish: { imageId: image.id }, content: BOOT_SECTOR, imageMetadata: capturedMetadata(image) };
  }),
);

proveVariant(
  'create_volume from an image that a backend shares instead of copying it',
  createVolume,
  created(async (site) => {
    const image = await site.images.add({ diskFormat: 'raw' }, (await diskImages()).raw);
    site.images.near = true;
    sharesImages(site);
    return { wish: { imageId: image.id }, content: BOOT_SECTOR, imageMetadata: capturedMetadata(image) };
  }),
);

proveVariant(
  'create_volume when the first backend refuses',
  createVolume,
  created(async (site) => {
    site.interpose('alpha', 'createVolume', refuses(new BackendFull('No room is left on alpha.')));
    return { wish: {}, host: 'node@beta#beta' };
  }),
);
provesEveryTask(createVolume);

/** Whatever the file system of the tests can do, these backends take an image as it lies. */
function sharesImages(site: Site): void {
  for (const backend of BACKENDS) {
    site.interpose(backend, 'cloneImage', async (_proceed, [volume, image, call]) => {
      const driver = site.tools.driver(`node@${backend}`);
      await driver.createVolume(volume as VolumeRef, call as Call);
      await driver.copyImageToVolume(volume as VolumeRef, image as ImageFile, call as Call);
      return { cloned: true, model: {} };
    });
  }
}
