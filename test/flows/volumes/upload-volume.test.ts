import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { GlanceImages } from '../../../src/clients/glance.ts';
import { uploadVolume as command } from '../../../src/commands/volumes/upload-volume.ts';
import { doomedImages } from '../../../src/db/doomed-images.ts';
import { getVolume } from '../../../src/db/volumes.ts';
import type { VolumeRef } from '../../../src/drivers/driver.ts';
import { removeDoomedImages } from '../../../src/flows/volumes/remove-doomed-images.ts';
import { uploadAttachedVolume, uploadVolume } from '../../../src/flows/volumes/upload-volume.ts';
import type { Config } from '../../../src/lib/config/config.ts';
import { contentOfFile } from '../../../src/lib/file-content.ts';
import { OperationFailed } from '../../../src/model/errors.ts';
import type { Volume } from '../../../src/model/volume.ts';
import { type Taking, uploadServer } from '../../clients/upload-server.ts';
import { proveFlow } from '../../prove-flow.ts';
import { contentOf, givenVolume } from '../given.ts';
import { liveSite } from '../live-site.ts';
import { uploadRequest } from '../requests.ts';
import { caller } from '../site.ts';
import { onSite, provesEveryTask, proveVariant } from '../site-proof.ts';

const SOME = 12 * 1024 ** 2;
/** Deflated, without a name or a time. */
const GZIP = '\x1f\x8b\x08\x00';
const allowing = ({ images }: Config) => ({
  ...images,
  allow_compression_on_image_upload: true,
  enable_force_upload: true,
});
const { signal } = new AbortController();
const REMEMBERED = { image_id: 'i', image_name: 'n', min_disk: '5', size: '7', img_signature: 'x', os_glance_a: 'y' };

/** By force of one in use, unless it is available. */
const uploaded = (diskFormat: string, containerFormat = 'bare', status: 'available' | 'in-use' = 'available') =>
  onSite(
    async (site) => {
      const imageMetadata = { ...REMEMBERED, long: 'y'.repeat(65_535), longer: '"'.repeat(65_535) };
      const volume = await givenVolume(site, { imageMetadata, bootable: true, status });
      const object = `alpha/volume-${volume.id}`;
      // All of a gigabyte each time would be most of the proof; that all of it is read is proved of the driver.
      site.interpose('alpha', 'readVolume', async (_proceed, [asked]) => {
        const { id, nameId } = asked as VolumeRef;
        return contentOfFile(site.path('alpha', `volume-${nameId ?? id}`), SOME);
      });
      const changed = ({ revision, updatedAt, ...rest }: Volume) => rest;
      const isAsBefore = async (): Promise<void> => {
        assert.deepEqual(changed(await getVolume(site.database.read, volume.id)), changed(volume));
        assert.deepEqual(site.content(object, contentOf(volume).length), contentOf(volume));
        assert.deepEqual(await site.events(), []);
      };
      return {
        // Nobody waits for the record here, nor for how soon it failed: what is proved is the flow.
        begin: async (desk) => {
          const api = { ...desk.config.api, rpc_response_timeout: 0 };
          const request = uploadRequest({ diskFormat, containerFormat, protected: true, force: status === 'in-use' });
          const config = { ...desk.config, api, images: allowing(desk.config) };
          await command({ ...desk, config }, caller, volume.id, request).catch((error: unknown) => {
            if (!(error instanceof OperationFailed)) throw error;
          });
        },
        done: async () => {
          await isAsBefore();
          const [image, ...others] = [...site.images.uploads.values()];
          assert.deepEqual(others, []);
          assert.partialDeepStrictEqual(image?.record, { name: 'picture', owner: caller.projectId, protected: true });
          assert.deepEqual(Object.keys(image?.record.properties ?? {}), ['long', 'longer']);
          if (diskFormat === 'raw') assert.equal(image?.bytes, SOME);
          if (diskFormat === 'raw') assert.ok(image?.head.subarray(0, 10).equals(contentOf(volume).subarray(0, 10)));
          else assert.equal(image?.head.toString('latin1', 0, 4), containerFormat === 'bare' ? 'QFI\xfb' : GZIP);
          assert.deepEqual(await doomedImages(site.database.read, 9), []);
          assert.deepEqual(await site.messages(), []);
        },
        undone: async () => {
          await isAsBefore();
          assert.equal((await site.messages()).length, 1);
          await removeDoomedImages(site.database, site.images, signal);
          assert.deepEqual([...site.images.uploads.keys()], []);
          assert.deepEqual(await doomedImages(site.database.read, 9), []);
        },
      };
    },
    { fastClone: true },
  );

proveFlow('upload_volume as it is', uploadVolume, uploaded('raw'));
proveVariant('upload_volume as a qcow2', uploadVolume, uploaded('qcow2'));
proveVariant('upload_volume as a compressed qcow2', uploadVolume, uploaded('qcow2', 'compressed'));
provesEveryTask(uploadVolume);
proveFlow('upload_attached_volume', uploadAttachedVolume, uploaded('qcow2', 'bare', 'in-use'));
proveVariant('upload_attached_volume as it is', uploadAttachedVolume, uploaded('raw', 'bare', 'in-use'));
provesEveryTask(uploadAttachedVolume);

/** A live site whose image service takes images as Glance does. */
async function start(context: TestContext) {
  const server = await uploadServer(context);
  const live = await liveSite(context);
  const images = new GlanceImages({ url: server.url, timeoutMs: 20_000, backoffMs: 1 });
  Object.assign(live.site.tools, { images });
  const volume = await givenVolume(live.site);
  const upload = async (diskFormat = 'raw', containerFormat = 'bare', { id, status } = volume) => {
    const desk = { ...live.desk, config: { ...live.desk.config, images: allowing(live.desk.config) } };
    const request = uploadRequest({ diskFormat, containerFormat, force: status === 'in-use' });
    return (await command(desk, caller, id, request)).imageId;
  };
  const free = async () => {
    assert.partialDeepStrictEqual(await live.settledVolume(volume), { status: 'available', previousStatus: null });
    assert.deepEqual(await live.site.leftovers(), []);
  };
  const sweep = () => removeDoomedImages(live.database, images, signal);
  return { server, live, volume, upload, free, sweep };
}

describe('upload_volume to an image service', () => {
  it('that is cut once in the data gives an image that equals the volume byte for byte', async (context) => {
    const { server, live, volume, upload, free } = await start(context);
    // A gigabyte is much to be sent in a test.
    const content = contentOfFile(live.site.path('alpha', `volume-${volume.id}`), SOME);
    live.site.interpose('alpha', 'readVolume', async () => content);
    server.next.push({ is: 'cut', after: SOME / 2 });
    const id = await upload();
    await free();
    const held = server.images.get(id);
    assert.equal(held?.status, 'active');
    assert.ok(held?.data.equals(live.site.content(`alpha/volume-${volume.id}`, SOME)));
  });

  for (const [what, how] of [
    ['is cut at the first byte', { is: 'cut', after: 1 }],
    ['takes all and does not answer', { is: 'unanswered' }],
  ] as const satisfies readonly (readonly [string, Taking])[]) {
    it(`that ${what} gives the image`, async (context) => {
      const { server, live, upload, free } = await start(context);
      server.next.push(how);
      const id = await upload('qcow2');
      await free();
      assert.equal(server.images.get(id)?.status, 'active');
      assert.deepEqual(await live.site.messages(), []);
    });
  }

  it('gives it a compressed image that becomes the volume again', async (context) => {
    const { server, live, volume, upload, free } = await start(context);
    const content = contentOfFile(live.site.path('alpha', `volume-${volume.id}`), SOME);
    live.site.interpose('alpha', 'readVolume', async () => content);
    server.next.push({ is: 'cut', after: 100 });
    const id = await upload('raw', 'compressed');
    await free();
    const { data = Buffer.alloc(0), status } = server.images.get(id) ?? {};
    assert.equal(status, 'active');
    assert.ok(gunzipSync(data).equals(live.site.content(`alpha/volume-${volume.id}`, SOME)));
  });

  it('of one in use is refused where a copy is no moment, and says so', async (context) => {
    const { server, live, upload, sweep } = await start(context);
    const volume = await givenVolume(live.site, { status: 'in-use' });
    await upload('raw', 'bare', volume);
    assert.partialDeepStrictEqual(await live.settledVolume(volume), { status: 'in-use', previousStatus: null });
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_003_132']);
    assert.deepEqual(await live.site.leftovers(), []);
    await sweep();
    assert.deepEqual([...server.images.keys()], []);
  });

  it('that keeps less and says that all is well gives no image, and says so', async (context) => {
    const { server, live, upload, free } = await start(context);
    server.next.push({ is: 'kept', bytes: 1024 });
    await upload('qcow2');
    await free();
    assert.deepEqual([...server.images.keys()], []);
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_003_004']);
  });

  it('that keeps less, and gives an id again, gives the image in the next try', async (context) => {
    const { server, live, upload, free } = await start(context);
    server.forgets = true;
    server.next.push({ is: 'kept', bytes: 1024 });
    const id = await upload('vmdk');
    await free();
    assert.equal(server.images.get(id)?.status, 'active');
    assert.deepEqual(await live.site.messages(), []);
  });

  it('that dies between record and data frees the volume, and leaves no image when it is back', async (context) => {
    const { server, live, upload, free, sweep } = await start(context);
    live.site.interpose('alpha', 'readVolume', async (proceed) => {
      server.down = 503;
      return proceed();
    });
    const id = await upload();
    assert.equal(server.images.get(id)?.status, 'queued');
    await free();
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_003_004']);
    await assert.rejects(sweep(), { name: 'ImageServiceUnavailable' });
    server.down = null;
    await sweep();
    assert.deepEqual([...server.images.keys()], []);
  });

  it('whose image is deleted in the middle frees the volume, and says so', async (context) => {
    const { server, live, upload, free, sweep } = await start(context);
    server.next.push({ is: 'refused', status: 410 });
    await upload('vdi');
    await free();
    await sweep();
    assert.deepEqual([...server.images.keys()], []);
    assert.deepEqual(await live.site.messages(), ['VOLUME_VOLUME_003_004']);
  });

  it('goes on in the next life of the process, and the image is whole', async (context) => {
    const { server, live, volume, upload } = await start(context);
    const reached = Promise.withResolvers<void>();
    live.site.interpose('alpha', 'copyVolumeToImage', async (proceed) => {
      reached.resolve();
      return proceed();
    });
    const id = await upload('qcow2');
    await reached.promise;
    await live.restart();
    assert.equal((await live.settledVolume(volume)).status, 'available');
    assert.equal(server.images.get(id)?.status, 'active');
    assert.deepEqual(await doomedImages(live.database.read, 9), []);
  });
});
