import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { uploadVolume } from '../../../src/commands/volumes/upload-volume.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import { ImageNotFound, ImageRefused, ImageServiceUnavailable } from '../../../src/model/errors.ts';
import { CONNECTED, givenAttachment, givenVolume } from '../../flows/given.ts';
import { type LiveSite, type LiveSiteOptions, liveSite } from '../../flows/live-site.ts';
import { uploadRequest } from '../../flows/requests.ts';
import { caller } from '../../flows/site.ts';
import { refused } from '../refused.ts';

const resting: LiveSiteOptions = { running: false, set: ['api.rpc_response_timeout=0'] };
const upload = ({ desk }: Pick<LiveSite, 'desk'>, id: string, request: Parameters<typeof uploadRequest>[0] = {}) =>
  uploadVolume(desk, caller, id, uploadRequest(request));

describe('uploading a volume', () => {
  it('moves it to uploading, and remembers what it was', async (context) => {
    const live = await liveSite(context, resting);
    const { id } = await givenVolume(live.site);
    const { imageId } = await upload(live, id);
    assert.match(imageId, /^[0-9a-f-]{36}$/);
    const now = await getVolume(live.database.read, id);
    assert.partialDeepStrictEqual(now, { status: 'uploading', previousStatus: 'available' });
    await refused(live, () => upload(live, id), { name: 'InvalidVolume', status: 400, message: /it is uploading/ });
  });

  it('is answered when the record of the image is there', async (context) => {
    const live = await liveSite(context);
    const { id } = await givenVolume(live.site);
    const made = Promise.withResolvers<void>();
    const { create } = live.site.images;
    live.site.images.create = async (...asked) => {
      await made.promise;
      return create(...asked);
    };
    let answered = false;
    const asked = upload(live, id).then((answer) => {
      answered = true;
      return answer;
    });
    await live.heard(({ is }) => is === 'task-started');
    assert.equal(answered, false);
    made.resolve();
    assert.ok(live.site.images.uploads.has((await asked).imageId));
    await live.settledVolume({ id });
  });

  it('is refused as the image service refuses the record, and the volume is what it was', async (context) => {
    const live = await liveSite(context);
    for (const [error, status] of [
      [new ImageRefused('It says 413.'), 400],
      [new ImageServiceUnavailable('It is away.'), 503],
      [new Error('Nobody foresaw it.'), 500],
    ] as const) {
      const { id } = await givenVolume(live.site);
      live.site.images.create = async () => {
        throw error;
      };
      await assert.rejects(upload(live, id), { status });
      assert.equal((await getVolume(live.database.read, id)).status, 'available');
    }
  });

  describe('is refused, and leaves nothing,', () => {
    it('when the image service cannot say, or takes too long: 503', async (context) => {
      const live = await liveSite(context, resting);
      const { id } = await givenVolume(live.site);
      for (const error of [new ImageServiceUnavailable('Away.'), new DOMException('Late.', 'TimeoutError')]) {
        live.site.images.show = async () => {
          throw error;
        };
        await refused(live, () => upload(live, id), { name: 'ImageServiceUnavailable', status: 503 });
      }
    });

    it('in a format that cannot be written well, by its name, and compressed unless that is allowed', async (context) => {
      const live = await liveSite(context, resting);
      const { id } = await givenVolume(live.site);
      for (const diskFormat of ['vhd', 'vhdx', 'ploop']) {
        const message = new RegExp(`raw, qcow2, vmdk, vdi; .* as ${diskFormat}`);
        await refused(live, () => upload(live, id, { diskFormat }), { name: 'InvalidInput', status: 400, message });
      }
      const compressed = { containerFormat: 'compressed' };
      const message = /allow_compression_on_image_upload/;
      await refused(live, () => upload(live, id, compressed), { name: 'InvalidInput', status: 400, message });
    });

    it('in use, unless it is by force and that is allowed', async (context) => {
      const live = await liveSite(context, resting);
      const { id } = await givenVolume(live.site, { status: 'in-use' });
      const config = { ...live.desk.config, images: { ...live.desk.config.images, enable_force_upload: true } };
      const message = /it is in-use/;
      await refused(live, () => upload(live, id, { force: true }), { name: 'InvalidVolume', status: 400, message });
      const allowing = { desk: { ...live.desk, config } };
      await refused(live, () => upload(allowing, id), { name: 'InvalidVolume', status: 400, message });
      await upload(allowing, id, { force: true });
      const now = await getVolume(live.database.read, id);
      assert.partialDeepStrictEqual(now, { status: 'uploading', previousStatus: 'in-use' });
    });

    it('in each other status, and the image service is not asked then', async (context) => {
      const live = await liveSite(context, resting);
      live.site.images.show = async () => assert.fail('It was asked.');
      for (const status of ['in-use', 'error', 'reserved', 'downloading', 'deleting'] as const) {
        const { id } = await givenVolume(live.site, { status });
        const message = new RegExp(`it is ${status}`);
        await refused(live, () => upload(live, id), { name: 'InvalidVolume', status: 400, message });
      }
    });

    it('while somebody can reach the volume, it is on its way elsewhere, or on no backend', async (context) => {
      const live = await liveSite(context, resting);
      live.site.images.show = async (id) => {
        throw new ImageNotFound(id);
      };
      const connected = await givenVolume(live.site);
      await givenAttachment(live.site, connected, CONNECTED);
      const attached = await givenVolume(live.site, { attachStatus: 'attached' });
      const migrating = await givenVolume(live.site, { migrationStatus: 'migrating' });
      const nowhere = await givenVolume(live.site, { host: null });
      for (const { id } of [connected, attached, migrating, nowhere])
        await refused(live, () => upload(live, id), { name: 'InvalidVolume', status: 400 });
    });
  });
});
