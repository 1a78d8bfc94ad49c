/** What a backend keeps of images, what of it goes, and that no volume depends on it. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { createSnapshot } from '../../../src/commands/snapshots/create-snapshot.ts';
import { createVolume } from '../../../src/commands/volumes/create-volume.ts';
import { reimageVolume } from '../../../src/commands/volumes/reimage-volume.ts';
import { type CachedImage, cachedImages } from '../../../src/db/image-cache.ts';
import { VOLUME_BINARY } from '../../../src/db/pools.ts';
import { recordHeartbeat } from '../../../src/db/services.ts';
import type { DriverCall, VolumeDriver } from '../../../src/drivers/driver.ts';
import { beyond, ImageCache } from '../../../src/flows/volumes/image-cache.ts';
import { BackendFull } from '../../../src/model/errors.ts';
import { cachedImageId, type Image } from '../../../src/model/image.ts';
import { Gate } from '../../engine/gate.ts';
import { givenCachedImage, givenSnapshot, givenVolume } from '../given.ts';
import { type LiveSite, liveSite } from '../live-site.ts';
import { quickExec } from '../quick-exec.ts';
import { snapshotRequest, volumeRequest } from '../requests.ts';
import { caller } from '../site.ts';
import { BOOT_SECTOR, diskImages } from '../site-images.ts';

const ALPHA = 'backends.alpha.image_volume_cache_';
const call: DriverCall = { signal: new AbortController().signal, progress: () => {} };

/** Volumes are made on alpha, which has a cache. */
async function caching(context: TestContext, ...limits: readonly string[]): Promise<LiveSite> {
  const set = [`${ALPHA}enabled=true`, ...limits.map((limit) => `${ALPHA}${limit}`)];
  const live = await liveSite(context, { exec: quickExec, set });
  const beta = {
    host: 'node@beta',
    binary: VOLUME_BINARY,
    availabilityZone: 'nova',
    pools: [],
    failure: 'It is down.',
  };
  await live.database.write((tx) => recordHeartbeat(tx, beta));
  return live;
}

const someImage = async ({ site }: LiveSite): Promise<Image> =>
  site.images.add({ diskFormat: 'qcow2' }, (await diskImages()).qcow2);

const begun = ({ desk }: LiveSite, { id }: Image, sizeGiB = 1) =>
  createVolume(desk, caller, volumeRequest({ imageId: id, sizeGiB }));

/** Whole and available, with what the image holds. */
async function made(live: LiveSite, image: Image, sizeGiB = 1): Promise<void> {
  const { id } = await begun(live, image, sizeGiB);
  await isMade(live, id);
}

async function isMade(live: LiveSite, id: string): Promise<void> {
  const { status, host } = await live.settledVolume({ id });
  assert.deepEqual([status, host], ['available', 'node@alpha#alpha']);
  assert.deepEqual(live.site.content(`alpha/volume-${id}`, BOOT_SECTOR.length), BOOT_SECTOR);
  assert.deepEqual(await live.site.leftovers(), []);
}

const kept = async ({ database }: LiveSite): Promise<readonly CachedImage[]> => cachedImages(database.read);
const objects = ({ site }: LiveSite): string[] => site.objects().filter((name) => name.includes('/cached-image-'));
const objectOf = (image: Image): string => `alpha/cached-image-${cachedImageId(image)}`;
const told = async ({ site }: LiveSite): Promise<string[]> =>
  (await site.events()).flatMap((event) => /^image_volume_cache\.(.+)/.exec(event)?.[1] ?? []);
const dropEvicted = ({ site }: LiveSite): Promise<void> => site.tools.imageCache.dropEvicted('node@alpha', call);

describe('the image cache', () => {
  it('has an image fetched for the first volume of it, and not for the next, which never says that it downloads', async (context) => {
    const live = await caching(context);
    const image = await someImage(live);
    await made(live, image);
    const { id } = await begun(live, image, 2);
    await isMade(live, id);
    assert.deepEqual(live.site.images.fetched, [image.id]);
    assert.deepEqual(await told(live), ['miss', 'hit']);
    assert.deepEqual(objects(live), [objectOf(image)]);
    const ran = (await live.steps(`volume:${id}`)).map(({ node }) => node);
    assert.ok(!ran.some((node) => node.includes('mark_downloading')), ran.join());
  });

  it('has an image fetched once for two volumes at once', async (context) => {
    const live = await caching(context);
    const image = await someImage(live);
    const gate = new Gate();
    live.site.interpose('alpha', 'cacheImage', async (proceed) => {
      await gate.pass({ context: call });
      return proceed();
    });
    const first = await begun(live, image);
    await gate.arrived;
    const second = await begun(live, image, 2);
    await live.heard(
      (event) =>
        event.is === 'task-started' && event.resource === `volume:${second.id}` && /through_cache/.test(event.task),
    );
    gate.open();
    for (const { id } of [first, second]) await live.settledVolume({ id });
    for (const { id } of [first, second]) await isMade(live, id);
    assert.deepEqual(live.site.images.fetched, [image.id]);
  });

  it('has an image fetched by who waits when the one who fetches it is cancelled', async (context) => {
    const live = await caching(context);
    const image = await someImage(live);
    const gate = new Gate();
    live.site.interpose('alpha', 'cacheImage', async (proceed, args) => {
      await gate.pass({ context: args[3] as DriverCall });
      return proceed();
    });
    const first = await begun(live, image);
    await gate.arrived;
    const second = await begun(live, image);
    await live.heard(
      (event) =>
        event.is === 'task-started' && event.resource === `volume:${second.id}` && /through_cache/.test(event.task),
    );
    live.site.interpose('alpha', 'cacheImage', null);
    await live.engine.wish((await live.flowOf(`volume:${first.id}`)).id, 'cancel', 'Not wanted.');
    assert.equal((await live.settledVolume(first)).status, 'error');
    await isMade(live, second.id);
    assert.deepEqual(objects(live), [objectOf(image)]);
  });

  it('serves no image that has changed: it is evicted, and the next one fetched', async (context) => {
    const live = await caching(context);
    const image = await someImage(live);
    await made(live, image);
    await live.site.images.change(image, { updated_at: '2026-01-31T12:00:00Z', colour: 'blue' });
    await made(live, image);
    assert.deepEqual(await told(live), ['miss', 'evict', 'miss']);
    await dropEvicted(live);
    assert.deepEqual(objects(live), [objectOf({ ...image, updatedAt: '2026-01-31T12:00:00Z' })]);
    assert.equal((await kept(live)).length, 1);
  });

  it('serves an image to nobody who may not see it', async (context) => {
    const live = await caching(context);
    const wanted = { diskFormat: 'qcow2', visibility: 'private', owner: caller.projectId } as const;
    const image = await live.site.images.add(wanted, (await diskImages()).qcow2);
    await made(live, image);
    const stranger = { ...caller, projectId: 'b0b1c2d3e4f5a0b1c2d3e4f5a0b1c2d3', roles: ['member'], isAdmin: false };
    await assert.rejects(
      createVolume(live.desk, stranger, volumeRequest({ imageId: image.id })),
      /unable to access requested image/,
    );
  });

  it('evicts what was not used for longest when there are too many', async (context) => {
    const live = await caching(context, 'max_count=2');
    const [first, second, third] = [await someImage(live), await someImage(live), await someImage(live)];
    await made(live, first);
    await made(live, second);
    await made(live, first);
    await made(live, third);
    assert.deepEqual(await told(live), ['miss', 'miss', 'hit', 'miss', 'evict']);
    await dropEvicted(live);
    assert.deepEqual(objects(live), [first, third].map(objectOf).sort());
  });

  it('keeps no image that is larger than all of it may be', async (context) => {
    const live = await caching(context, 'max_size_gb=1');
    const [first, second] = [await someImage(live), await someImage(live)];
    await made(live, first);
    await made(live, second);
    await dropEvicted(live);
    assert.deepEqual(objects(live), [objectOf(second)]);
  });

  it('keeps what was evicted and is wanted again before it has gone', async (context) => {
    const live = await caching(context, 'max_count=1');
    const [first, second] = [await someImage(live), await someImage(live)];
    await made(live, first);
    await made(live, second);
    await made(live, first);
    assert.deepEqual(live.site.images.fetched, [first.id, second.id]);
    await dropEvicted(live);
    assert.deepEqual(objects(live), [objectOf(first)]);
  });

  it('gives way to a volume where the backend is full, the one not used for longest first', async (context) => {
    const live = await caching(context);
    const [first, second, third] = [await someImage(live), await someImage(live), await someImage(live)];
    for (const image of [first, second]) await made(live, image);
    let refused = 0;
    live.site.interpose('alpha', 'createVolume', async (proceed) => {
      if (objects(live).length > 0) {
        refused += 1;
        throw new BackendFull('No room is left.');
      }
      return proceed();
    });
    live.site.interpose('alpha', 'cacheImage', async (proceed) => {
      if (objects(live).length > 1) throw new BackendFull('No room is left.');
      return proceed();
    });
    await made(live, third);
    assert.deepEqual(objects(live), [second, third].map(objectOf).sort());
    const { id } = await createVolume(live.desk, caller, volumeRequest());
    assert.equal((await live.settledVolume({ id })).status, 'available');
    assert.deepEqual([objects(live), refused], [[], 2]);
    assert.deepEqual(await kept(live), []);
  });

  it('gives way to whatever writes to its backend', async (context) => {
    const live = await caching(context);
    const image = await someImage(live);
    const volume = await givenVolume(live.site);
    const snapshot = await givenSnapshot(live.site, volume);
    const doing: Readonly<Partial<Record<keyof VolumeDriver, () => Promise<unknown>>>> = {
      createSnapshot: () => createSnapshot(live.desk, caller, snapshotRequest(volume.id)),
      createVolumeFromSnapshot: () => createVolume(live.desk, caller, volumeRequest({ snapshotId: snapshot.id })),
      createClonedVolume: () => createVolume(live.desk, caller, volumeRequest({ sourceVolumeId: volume.id })),
      reimageVolume: () => reimageVolume(live.desk, caller, volume.id, { imageId: image.id, reserved: false }),
    };
    for (const [method, begin] of Object.entries(doing)) {
      await givenCachedImage(live.site, 'alpha', image);
      live.site.interpose('alpha', method as keyof VolumeDriver, async (proceed) => {
        if (objects(live).length > 0) throw new BackendFull('No room is left.');
        return proceed();
      });
      await begin();
      const [flow] = await live.journal.list({ unended: true, limit: 1 });
      const { state } = await live.engine.settled(flow?.id ?? '', AbortSignal.timeout(20_000));
      assert.deepEqual([method, state, objects(live)], [method, 'success', []]);
    }
  });

  it('has an image fetched again when what was kept is lost', async (context) => {
    const live = await caching(context);
    const image = await someImage(live);
    await made(live, image);
    await live.site.tools.driver('node@alpha').dropCachedImage(cachedImageId(image) ?? '', call);
    await made(live, image);
    assert.deepEqual(objects(live), [objectOf(image)]);
    assert.equal(live.site.images.fetched.length, 2);
  });

  it('goes when it is switched off', async (context) => {
    const live = await caching(context);
    await made(live, await someImage(live));
    const { driver } = live.site.tools;
    await new ImageCache({ db: live.database, driver, limits: () => null }).dropEvicted('node@alpha', call);
    assert.deepEqual([objects(live), await kept(live)], [[], []]);
  });
});

describe('the limits of an image cache', () => {
  const image = fc.record({ sizeGiB: fc.integer({ min: 1, max: 9 }) });
  const limits = fc.record({ maxCount: fc.nat(6), maxSizeGiB: fc.nat(20) });
  const size = (images: readonly { readonly sizeGiB: number }[]): number =>
    images.reduce((sum, { sizeGiB }) => sum + sizeGiB, 0);
  const within = (
    images: readonly { readonly sizeGiB: number }[],
    { maxCount, maxSizeGiB }: { maxCount: number; maxSizeGiB: number },
  ): boolean => (maxCount === 0 || images.length <= maxCount) && (maxSizeGiB === 0 || size(images) <= maxSizeGiB);

  it('are kept by those that stay, which are the last used, and by no more of them', () => {
    fc.assert(
      fc.property(fc.array(image, { maxLength: 9 }), limits, (images, most) => {
        const stay = images.length - beyond(images, most).length;
        assert.deepEqual(beyond(images, most), images.slice(stay));
        assert.ok(within(images.slice(0, stay), most));
        assert.ok(stay === images.length || !within(images.slice(0, stay + 1), most));
      }),
    );
  });
});
