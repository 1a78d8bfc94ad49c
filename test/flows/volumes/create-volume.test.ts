import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import type { NewImage } from '../../../src/clients/image-directory.ts';
import type { Desk } from '../../../src/commands/desk.ts';
import { type CreateVolumeRequest, createVolume as command } from '../../../src/commands/volumes/create-volume.ts';
import { getVolume, listVolumes, updateVolume } from '../../../src/db/volumes.ts';
import type { DriverCall, ImageFile, VolumeRef } from '../../../src/drivers/driver.ts';
import {
  type CreateVolume,
  createVolume,
  createVolumeV1,
  createVolumeV2,
} from '../../../src/flows/volumes/create-volume.ts';
import { backendOf } from '../../../src/model/backend.ts';
import { BackendFull, DriverFailed } from '../../../src/model/errors.ts';
import { cachedImageId, capturedMetadata, type Image } from '../../../src/model/image.ts';
import { Gate } from '../../engine/gate.ts';
import { proveFlow } from '../../prove-flow.ts';
import { contentOf, givenCachedImage, givenSnapshot, givenVolume } from '../given.ts';
import { refuses } from '../interposed.ts';
import { liveSite } from '../live-site.ts';
import { quickExec } from '../quick-exec.ts';
import { volumeRequest } from '../requests.ts';
import { BACKENDS, caller, Site, type SiteOptions } from '../site.ts';
import { BOOT_SECTOR, diskImages } from '../site-images.ts';
import { onSite, provesEveryTask, proveVariant } from '../site-proof.ts';

/** The volume is made by the flow under proof; what it is made from was there before. */
interface Origin {
  readonly request: Partial<CreateVolumeRequest>;
  /** How it begins when it is made. */
  readonly content?: Buffer;
  /** What is remembered of the image it comes from. */
  readonly imageMetadata?: Readonly<Record<string, string>>;
  /** Where it must be; default anywhere. */
  readonly host?: string;
  /** It is cached where the volume is. */
  readonly cached?: Image;
}

const created = (
  given: (site: Site) => Promise<Origin>,
  as: (desk: Desk, site: Site) => Desk = (desk) => desk,
  options: SiteOptions = {},
) =>
  onSite(async (site) => {
    const origin = await given(site);
    // Those that are cached have rows, or are left behind.
    const objects = () => site.objects().filter((name) => !name.includes('/cached-image-'));
    const before = { objects: objects(), volumes: await listVolumes(site.database, {}) };
    let id = '';
    const volume = () => getVolume(site.database.read, id);
    const told = async () => (await site.events()).filter((event) => event.startsWith('volume.'));
    return {
      begin: async (desk) => {
        ({ id } = await command(
          as(desk, site),
          caller,
          volumeRequest({ sizeGiB: 2, metadata: { color: 'grey' }, ...origin.request }),
        ));
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
        assert.deepEqual(objects(), [...before.objects, object].sort());
        if (origin.cached) assert.ok(site.objects().includes(cachedAt(origin.cached, made.host)));
        const events = await told();
        assert.deepEqual([...new Set(events)], ['volume.create.start', 'volume.create.end']);
        assert.equal(events.filter((event) => event === 'volume.create.end').length, 1);
        assert.deepEqual(await site.messages(), []);
      },
      undone: async () => {
        assert.partialDeepStrictEqual(await volume(), {
          status: 'error',
          host: null,
          launchedAt: null,
          imageMetadata: null,
        });
        assert.deepEqual(objects(), before.objects);
        assert.ok(!(await told()).includes('volume.create.end'));
        assert.equal((await site.messages()).length, 1);
        for (const source of before.volumes) assert.deepEqual(await getVolume(site.database.read, source.id), source);
      },
    };
  }, options);

const cachedAt = (image: Image, pool: string | null): string =>
  `${backendOf(pool ?? '')}/cached-image-${cachedImageId(image)}`;

proveFlow(
  'create_volume of a blank volume',
  createVolume,
  created(async () => ({ request: {} })),
);

proveVariant(
  'create_volume from a snapshot of a bootable volume',
  createVolume,
  created(async (site) => {
    const imageMetadata = { image_id: 'i', disk_format: 'qcow2' };
    const volume = await givenVolume(site, { bootable: true });
    const snapshot = await givenSnapshot(site, volume, { imageMetadata });
    return { request: { snapshotId: snapshot.id }, content: contentOf(snapshot), imageMetadata };
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
    return { request: { sourceVolumeId: source.id }, content: contentOf(source), imageMetadata };
  }),
);

proveVariant(
  'create_volume from an image that is downloaded and converted',
  createVolume,
  created(async (site) => {
    const properties = { long: 'y'.repeat(65_535), longer: '"'.repeat(65_535) };
    const image = await site.images.add({ diskFormat: 'qcow2', properties }, (await diskImages()).qcow2);
    return { request: { imageId: image.id }, content: BOOT_SECTOR, imageMetadata: capturedMetadata(image) };
  }),
);

proveVariant(
  'create_volume from a compressed image',
  createVolume,
  created(async (site) => {
    const wanted = { diskFormat: 'qcow2', containerFormat: 'compressed' } as const;
    const image = await site.images.add(wanted, (await diskImages()).packed);
    return { request: { imageId: image.id }, content: BOOT_SECTOR, imageMetadata: capturedMetadata(image) };
  }),
);

proveVariant(
  'create_volume from an image that a backend shares instead of copying it',
  createVolume,
  created(async (site) => {
    const image = await site.images.add({ diskFormat: 'raw' }, (await diskImages()).raw);
    site.images.near = true;
    sharesImages(site);
    return { request: { imageId: image.id }, content: BOOT_SECTOR, imageMetadata: capturedMetadata(image) };
  }),
);

const CACHING = { set: BACKENDS.map((backend) => `backends.${backend}.image_volume_cache_enabled=true`) };

proveVariant(
  'create_volume from an image that its backend does not keep yet',
  createVolume,
  created(
    async (site) => {
      const image = await site.images.add({ diskFormat: 'qcow2' }, (await diskImages()).qcow2);
      const imageMetadata = capturedMetadata(image);
      return { request: { imageId: image.id }, content: BOOT_SECTOR, imageMetadata, cached: image };
    },
    undefined,
    CACHING,
  ),
);

proveVariant(
  'create_volume from an image that its backend keeps',
  createVolume,
  created(
    async (site) => {
      const image = await site.images.add({ diskFormat: 'qcow2' }, (await diskImages()).qcow2);
      for (const backend of BACKENDS) await givenCachedImage(site, backend, image);
      const imageMetadata = capturedMetadata(image);
      return { request: { imageId: image.id }, content: BOOT_SECTOR, imageMetadata, cached: image };
    },
    undefined,
    CACHING,
  ),
);

proveVariant(
  'create_volume from an image that its backend cannot keep',
  createVolume,
  created(
    async (site) => {
      const image = await site.images.add({ diskFormat: 'qcow2' }, (await diskImages()).qcow2);
      for (const backend of BACKENDS)
        site.interpose(backend, 'cacheImage', refuses(new DriverFailed('It cannot be kept.')));
      return { request: { imageId: image.id }, content: BOOT_SECTOR, imageMetadata: capturedMetadata(image) };
    },
    undefined,
    CACHING,
  ),
);

proveVariant(
  'create_volume when the first backend refuses',
  createVolume,
  created(async (site) => {
    site.interpose('alpha', 'createVolume', refuses(new BackendFull('No room is left on alpha.')));
    return { request: {}, host: 'node@beta#beta' };
  }),
);
proveVariant(
  'create_volume as version 1 began it, with the whole image in its input',
  createVolumeV1,
  created(async (site) => {
    const image = await site.images.add({ diskFormat: 'raw', properties: { os: 'x' } }, (await diskImages()).raw);
    return { request: { imageId: image.id }, content: BOOT_SECTOR, imageMetadata: capturedMetadata(image) };
  }, asVersion1),
);
proveVariant(
  'create_volume as version 2 began it, without a cache',
  createVolumeV2,
  created(
    async (site) => {
      const image = await site.images.add({ diskFormat: 'raw' }, (await diskImages()).raw);
      return { request: { imageId: image.id }, content: BOOT_SECTOR, imageMetadata: capturedMetadata(image) };
    },
    (desk) => {
      const begin: Desk['engine']['begin'] = (tx, _flow, input, options) =>
        desk.engine.begin(tx, createVolumeV2, input as unknown as CreateVolume, options);
      return { ...desk, engine: { begin } as Desk['engine'] };
    },
    CACHING,
  ),
);
provesEveryTask(createVolume);

/** What a service of the version before has begun: the row knows nothing of the image, the flow all. */
function asVersion1(desk: Desk, site: Site): Desk {
  const begin: Desk['engine']['begin'] = async (tx, _flow, input, options) => {
    const { volumeId, image } = input as unknown as CreateVolume;
    await updateVolume(tx, volumeId, { imageMetadata: null });
    const whole = image && (await site.images.show(image.id, 'service', new AbortController().signal));
    return desk.engine.begin(tx, createVolumeV1, { ...(input as unknown as CreateVolume), image: whole }, options);
  };
  return { ...desk, engine: { begin } as Desk['engine'] };
}

/** Whatever the file system of the tests can do, these backends take an image as it lies. */
function sharesImages(site: Site): void {
  for (const backend of BACKENDS) {
    site.interpose(backend, 'cloneImage', async (_proceed, [volume, image, call]) => {
      const driver = site.tools.driver(`node@${backend}`);
      await driver.createVolume(volume as VolumeRef, call as DriverCall);
      await driver.copyImageToVolume(volume as VolumeRef, image as ImageFile, call as DriverCall);
      return { cloned: true, model: {} };
    });
  }
}

describe('create_volume from an image', () => {
  const refused = async (context: TestContext, wanted: Omit<NewImage, 'name'>, path: string): Promise<string> => {
    const live = await liveSite(context);
    const image = await live.site.images.add(wanted, path);
    const { id } = await command(live.desk, caller, volumeRequest({ imageId: image.id }));
    assert.partialDeepStrictEqual(await live.settledVolume({ id }), { status: 'error', host: null });
    assert.deepEqual(live.site.objects(), []);
    assert.deepEqual(await live.site.leftovers(), []);
    const [message, ...others] = await live.site.messages();
    assert.equal(others.length, 0);
    return `${JSON.stringify(message)}`;
  };

  for (const containerFormat of ['ova', 'ovf', 'docker', 'ami'])
    it(`in a container of format ${containerFormat} ends in error, and says why`, async (context) => {
      const { raw } = await diskImages();
      assert.match(await refused(context, { diskFormat: 'raw', containerFormat }, raw), /029/);
    });

  it('that is said to be compressed and is not ends in error, and says why', async (context) => {
    const { qcow2 } = await diskImages();
    const wanted = { diskFormat: 'qcow2', containerFormat: 'compressed' } as const;
    assert.match(await refused(context, wanted, qcow2), /029/);
  });

  it('that was cut off ends in error, and says why', async (context) => {
    const { qcow2 } = await diskImages();
    const path = `${qcow2}.cut-${process.pid}`;
    const whole = await readFile(qcow2);
    await writeFile(path, whole.subarray(0, Math.floor((whole.length * 2) / 3)));
    context.after(() => rm(path));
    assert.match(await refused(context, { diskFormat: 'qcow2' }, path), /029/);
  });
});

describe('create_volume', () => {
  it('whose process ended inside a backend that then does not come up is asked for again until that is up', async (context) => {
    const live = await liveSite(context, { exec: quickExec });
    const gate = new Gate();
    live.site.interpose('alpha', 'createVolume', async (proceed, args) => {
      await proceed();
      await gate.pass({ context: args[1] as DriverCall });
    });
    const { id } = await command(live.desk, caller, volumeRequest());
    await gate.arrived;
    const { down } = live.site;
    const asked = Promise.withResolvers<void>();
    let times = 0;
    const has = down.has.bind(down);
    down.has = (host) => {
      times += 1;
      if (times === 3) asked.resolve();
      return has(host);
    };
    down.add('node@alpha');
    live.site.interpose('alpha', 'createVolume', null);
    await live.restart();
    await asked.promise;
    assert.deepEqual(live.site.objects(), [`alpha/volume-${id}`], 'what may have been made is not left for another');

    down.clear();
    assert.partialDeepStrictEqual(await live.settledVolume({ id }), { status: 'available', host: 'node@alpha#alpha' });
    assert.deepEqual(live.site.objects(), [`alpha/volume-${id}`]);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('is available, launched, told, and at its end in one commit', async (context) => {
    const live = await liveSite(context, { exec: quickExec });
    const look = () =>
      live.database.reader.query<{ readonly seen: string }>(
        `SELECT status || ' ' || (launched_at IS NOT NULL) || ' ' || (SELECT state FROM flow) || ' ' ||
                (SELECT count(*) FROM outbox WHERE event_type = 'volume.create.end') || ' ' ||
                (SELECT count(*) FROM hold) AS seen FROM volume`,
      );
    const { id } = await command(live.desk, caller, volumeRequest());
    const seen = new Set<string>();
    for (;;) {
      const [row] = await look();
      seen.add(row?.seen ?? '');
      if (row?.seen.startsWith('available')) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await live.settledVolume({ id });
    const ended = [...seen].filter((each) => !/^creating 0 (pending|running) 0 1$/.test(each));
    assert.deepEqual(ended, ['available 1 success 1 0']);
  });
});
