import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { reimageVolume } from '../../../src/commands/volumes/reimage-volume.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { uuid } from '../../../src/lib/clock.ts';
import { ImageServiceUnavailable } from '../../../src/model/errors.ts';
import type { ImageStore } from '../../../src/model/image.ts';
import { CONNECTED, givenAttachment, givenVolume } from '../../flows/given.ts';
import { type LiveSite, type LiveSiteOptions, liveSite } from '../../flows/live-site.ts';
import { caller } from '../../flows/site.ts';
import { diskImages } from '../../flows/site-images.ts';
import { refused } from '../refused.ts';

const resting: LiveSiteOptions = { running: false };
const reimage = ({ desk }: LiveSite, id: string, imageId: string, reserved = false) =>
  reimageVolume(desk, caller, id, { imageId, reserved });
const raw = async ({ site }: LiveSite, more: Partial<Parameters<typeof site.images.add>[0]> = {}) =>
  site.images.add({ diskFormat: 'raw', ...more }, (await diskImages()).raw);

describe('reimaging a volume', () => {
  it('moves it to downloading, remembers what it was, and what it is to remember', async (context) => {
    const live = await liveSite(context, resting);
    const image = await raw(live);
    const imageMetadata = { image_id: 'before' };
    for (const status of ['available', 'error', 'reserved'] as const) {
      const { id } = await givenVolume(live.site, { status, imageMetadata });
      await reimage(live, id, image.id, status === 'reserved');
      const now = await getVolume(live.database.read, id);
      assert.partialDeepStrictEqual(now, { status: 'downloading', previousStatus: status, bootable: false });
      assert.deepEqual(now.imageMetadata, imageMetadata);
      assert.equal(now.nextImageMetadata?.image_id, image.id);
    }
  });

  describe('is refused, and leaves nothing,', () => {
    it('with an image that is not there, or that another project keeps to itself: 404', async (context) => {
      const live = await liveSite(context, resting);
      const { id } = await givenVolume(live.site);
      const notFound = { name: 'ImageNotFound', status: 404 };
      await refused(live, () => reimage(live, id, uuid()), notFound);
      const hidden = await raw(live, { visibility: 'private', owner: 'others' });
      const member = { ...caller, isAdmin: false, roles: ['member'] };
      const wish = { imageId: hidden.id, reserved: false };
      await refused(live, () => reimageVolume(live.desk, member, id, wish), notFound);
    });

    it('with one that cannot be read: not active, signed, too large, of no format that is a disk', async (context) => {
      const live = await liveSite(context, resting);
      const { id } = await givenVolume(live.site);
      const unacceptable = (message: RegExp) => ({ name: 'ImageUnacceptable', status: 400, message });
      for (const [more, message] of [
        [{ properties: { img_signature: 'x' } }, /is signed/],
        [{ minDiskGiB: 2 }, /has 1GiB, and image .* needs 2GiB/],
        [{ virtualSizeBytes: 5 * 1024 ** 3 }, /needs 5GiB/],
        [{ containerFormat: 'ova' }, /container of format ova/],
      ] as const) {
        const image = await raw(live, more);
        await refused(live, () => reimage(live, id, image.id), unacceptable(message));
      }
      const { show } = live.site.images;
      for (const [more, message] of [
        [{ status: 'queued' }, /is queued/],
        [{ diskFormat: 'vhdx' }, /disk format vhdx/],
      ] as const) {
        const image = await raw(live);
        live.site.images.show = async (...asked) => ({ ...(await show(...asked)), ...more });
        await refused(live, () => reimage(live, id, image.id), unacceptable(message));
      }
    });

    it('when the image service cannot say, or takes too long: 503', async (context) => {
      const live = await liveSite(context, resting);
      const { id } = await givenVolume(live.site);
      for (const error of [new ImageServiceUnavailable('Away.'), new DOMException('Late.', 'TimeoutError')]) {
        live.site.images.show = (async () => {
          throw error;
        }) satisfies ImageStore['show'];
        await refused(live, () => reimage(live, id, uuid()), { name: 'ImageServiceUnavailable', status: 503 });
      }
    });

    it('in each other status, and never asks for the image then', async (context) => {
      const live = await liveSite(context, resting);
      live.site.images.show = async () => assert.fail('The image was asked for.');
      for (const status of ['reserved', 'in-use', 'creating', 'downloading', 'uploading'] as const) {
        const { id } = await givenVolume(live.site, { status });
        const invalid = { name: 'InvalidVolume', status: 400, message: new RegExp(`it is ${status}`) };
        await refused(live, () => reimage(live, id, uuid()), invalid);
      }
    });

    it('while somebody can reach the volume, it is on its way elsewhere, or on no backend', async (context) => {
      const live = await liveSite(context, resting);
      const image = await raw(live);
      const connected = await givenVolume(live.site, { status: 'reserved' });
      await givenAttachment(live.site, connected, CONNECTED);
      const attached = await givenVolume(live.site, { attachStatus: 'attached' });
      const migrating = await givenVolume(live.site, { migrationStatus: 'migrating' });
      const nowhere = await givenVolume(live.site, { status: 'error', host: null });
      for (const { id } of [connected, attached, migrating, nowhere])
        await refused(live, () => reimage(live, id, image.id, true), { name: 'InvalidVolume', status: 400 });
    });
  });
});
