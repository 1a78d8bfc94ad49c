import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { deleteAttachment } from '../../../src/commands/attachments/delete-attachment.ts';
import { reimageVolume as command } from '../../../src/commands/volumes/reimage-volume.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import type { ImageFile } from '../../../src/drivers/driver.ts';
import { reimageVolume } from '../../../src/flows/volumes/reimage-volume.ts';
import { ImageNotFound } from '../../../src/model/errors.ts';
import { capturedMetadata, type Image } from '../../../src/model/image.ts';
import type { VolumeStatus } from '../../../src/model/status.ts';
import type { Volume } from '../../../src/model/volume.ts';
import { proveFlow } from '../../prove-flow.ts';
import { contentOf, givenAttachment, givenVolume } from '../given.ts';
import { liveSite } from '../live-site.ts';
import { caller, Site } from '../site.ts';
import { BOOT_SECTOR, diskImages } from '../site-images.ts';
import { onSite, provesEveryTask, proveVariant } from '../site-proof.ts';

const BEFORE = { image_id: 'before', kept: 'no' };

/** Of a volume in this status, with what it was made from before. */
const reimaged = (status: 'available' | 'error' | 'reserved', image: (site: Site) => Promise<Image>) =>
  onSite(async (site) => {
    const wanted = await image(site);
    const volume = await givenVolume(site, { status, imageMetadata: BEFORE });
    if (status === 'reserved') await givenAttachment(site, volume);
    const object = Site.objectOf('volume', volume.id, volume.host);
    const begins = (with_: Buffer) => site.content(object, with_.length).equals(with_);
    const now = () => getVolume(site.database.read, volume.id);
    return {
      begin: (desk) => command(desk, caller, volume.id, { imageId: wanted.id, reserved: status === 'reserved' }),
      done: async () => {
        const after: VolumeStatus = status === 'error' ? 'available' : status;
        assert.partialDeepStrictEqual(await now(), { status: after, previousStatus: null, bootable: true });
        const { imageMetadata, nextImageMetadata } = await now();
        assert.deepEqual([imageMetadata, nextImageMetadata], [capturedMetadata(wanted), null]);
        assert.ok(begins(BOOT_SECTOR));
        assert.equal(site.sizeGiB(object), 1);
        assert.deepEqual(await site.messages(), []);
        assert.deepEqual(await site.events(), []);
      },
      undone: async ([failure]) => {
        const changed = ({ revision, updatedAt, ...rest }: Volume) => rest;
        assert.deepEqual(changed(await now()), changed(volume));
        const replaced = failure?.task === 'reimage_on_finish' || failure?.task === 'reimage_on_backend';
        assert.ok(begins(contentOf(volume)) || (replaced && !failure?.before && begins(BOOT_SECTOR)));
        assert.equal(site.sizeGiB(object), 1);
        assert.equal((await site.messages()).length, 1);
      },
    };
  });

proveFlow(
  'reimage_volume with an image that is fetched and converted',
  reimageVolume,
  reimaged('available', async (site) => {
    const properties = { long: 'y'.repeat(65_535), longer: '"'.repeat(65_535) };
    return site.images.add({ diskFormat: 'qcow2', properties }, (await diskImages()).qcow2);
  }),
);

proveVariant(
  'reimage_volume of a volume in error with a compressed image',
  reimageVolume,
  reimaged('error', async (site) =>
    site.images.add({ diskFormat: 'qcow2', containerFormat: 'compressed' }, (await diskImages()).packed),
  ),
);

proveVariant(
  'reimage_volume of a reserved volume with an image that is read where it lies',
  reimageVolume,
  reimaged('reserved', async (site) => {
    site.images.fetch = async (image, _path, { signal }) => {
      site.images.near = true;
      return { path: (await site.images.local(image, signal)) ?? '', temporary: false };
    };
    return site.images.add({ diskFormat: 'raw' }, (await diskImages()).raw);
  }),
);
provesEveryTask(reimageVolume);

describe('reimage_volume', () => {
  it('with an image that is deleted meanwhile leaves content, metadata and status, and says so', async (context) => {
    const live = await liveSite(context);
    const image = await live.site.images.add({ diskFormat: 'qcow2' }, (await diskImages()).qcow2);
    const volume = await givenVolume(live.site, { status: 'error', imageMetadata: BEFORE });
    live.site.images.fetch = async () => {
      throw new ImageNotFound(image.id);
    };
    await command(live.desk, caller, volume.id, { imageId: image.id, reserved: false });
    const after = { status: 'error', previousStatus: null, imageMetadata: BEFORE, nextImageMetadata: null } as const;
    assert.partialDeepStrictEqual(await live.settledVolume(volume), after);
    const object = Site.objectOf('volume', volume.id, volume.host);
    assert.deepEqual(live.site.content(object, contentOf(volume).length), contentOf(volume));
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_016_106']);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('of a reserved volume leaves it available when its reservation has ended meanwhile', async (context) => {
    const live = await liveSite(context);
    const image = await live.site.images.add({ diskFormat: 'raw' }, (await diskImages()).raw);
    const volume = await givenVolume(live.site, { status: 'reserved' });
    const attachment = await givenAttachment(live.site, volume);
    const { fetch } = live.site.images;
    live.site.images.fetch = async (...asked) => {
      await deleteAttachment(live.desk, caller, attachment.id);
      return fetch(...asked);
    };
    await command(live.desk, caller, volume.id, { imageId: image.id, reserved: true });
    assert.equal((await live.settledVolume(volume)).status, 'available');
  });

  it('fetches again what was lost before it could be read', async (context) => {
    const live = await liveSite(context);
    const image = await live.site.images.add({ diskFormat: 'qcow2' }, (await diskImages()).qcow2);
    const volume = await givenVolume(live.site);
    live.site.interpose('alpha', 'reimageVolume', async (_proceed, [, image]) => {
      live.site.interpose('alpha', 'reimageVolume', null);
      await rm((image as ImageFile).path);
      throw Object.assign(new Error('The disk is new.'), { transient: true });
    });
    await command(live.desk, caller, volume.id, { imageId: image.id, reserved: false });
    assert.partialDeepStrictEqual(await live.settledVolume(volume), { status: 'available', bootable: true });
    assert.deepEqual(await live.site.leftovers(), []);
  });
});
