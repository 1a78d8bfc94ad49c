/** What the seeds ask of the flows and no other test shows (`docs/seeds.md`). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { manageSnapshot } from '../../src/commands/snapshots/manage-snapshot.ts';
import { createVolume as create } from '../../src/commands/volumes/create-volume.ts';
import { deleteVolume } from '../../src/commands/volumes/delete-volume.ts';
import { getSnapshot } from '../../src/db/snapshots.ts';
import { findVolume, getVolume } from '../../src/db/volumes.ts';
import type { VolumeDriver } from '../../src/drivers/driver.ts';
import { failureOf } from '../../src/engine/failure.ts';
import type { AnyFlow, TaskNode } from '../../src/engine/flow.ts';
import { WAITING_LANE } from '../../src/engine/journal.ts';
import { manageExistingSnapshot } from '../../src/flows/snapshots/manage-snapshot.ts';
import { tellVolume } from '../../src/flows/tell.ts';
import { createVolume } from '../../src/flows/volumes/create-volume.ts';
import { uuid } from '../../src/lib/clock.ts';
import * as errors from '../../src/model/errors.ts';
import type { Volume } from '../../src/model/volume.ts';
import { givenSnapshot, givenVolume } from './given.ts';
import { refuses } from './interposed.ts';
import { type LiveSite, liveSite } from './live-site.ts';
import { quickExec } from './quick-exec.ts';
import { manageSnapshotRequest, volumeRequest } from './requests.ts';
import { BACKENDS, caller } from './site.ts';
import { diskImages } from './site-images.ts';

const quick = { exec: quickExec };

/** Tasks and spans, in their order; where a flow is to run, and which way it takes, is not told. */
const pathsOf = ({ nodes }: AnyFlow): string[] =>
  nodes.filter(({ kind }) => kind === 'task' || kind === 'span').map(({ path }) => path);

/** Runs a task of the flow by itself. */
async function runs({ nodes }: AnyFlow, path: string, input: object, context: object): Promise<unknown> {
  const node = nodes.find((each): each is TaskNode => each.kind === 'task' && each.path === path);
  return node?.body.execute?.(input, context);
}

/** The name of the first failure of the newest flow. */
async function failedFor(live: LiveSite, resource: string): Promise<string | undefined> {
  const failed = (await live.steps(resource)).find((step) => step.event === 'failed');
  return failed?.data.failure.name;
}

/** The calls of the drivers that make or fill a volume, as they come: `alpha.createVolume`. */
function listensTo({ site }: LiveSite): string[] {
  const heard: string[] = [];
  const methods = [
    'createVolume',
    'createVolumeFromSnapshot',
    'createClonedVolume',
    'cloneImage',
    'copyImageToVolume',
  ] as const satisfies readonly (keyof VolumeDriver)[];
  for (const backend of BACKENDS)
    for (const method of methods)
      site.interpose(backend, method, (proceed) => {
        heard.push(`${backend}.${method}`);
        return proceed();
      });
  return heard;
}

describe('manage_existing_snapshot', () => {
  it('has the tasks of the seed in their order', () => {
    assert.equal(manageExistingSnapshot.name, 'manage_existing_snapshot');
    assert.deepEqual(pathsOf(manageExistingSnapshot), [
      'error_out',
      'extract_snapshot_ref',
      'notify_snapshot_action;manage_existing_snapshot.start',
      'prepare_for_quota_reservation',
      'quota_reserve',
      'manage_existing',
      'quota_commit',
      'create_snapshot_on_finish;manage_existing_snapshot.end',
    ]);
  });

  it('reserves the difference to what the command has counted, and leaves no reservation', async (context) => {
    const live = await liveSite(context, quick);
    const volume = await givenVolume(live.site, { sizeGiB: 2 });
    live.site.foreignFile('alpha', 'their-shot', 5);
    const reserved = () =>
      live.database.read.selectFrom('reservation').select(['resource', 'delta']).orderBy('resource').execute();
    let meanwhile: Awaited<ReturnType<typeof reserved>> = [];
    live.site.interpose('alpha', 'manageExistingSnapshot', async (proceed) => {
      meanwhile = await reserved();
      return proceed();
    });
    const { id } = await manageSnapshot(live.desk, caller, manageSnapshotRequest(volume.id, 'their-shot'));
    const managed = await live.settledSnapshot({ id });
    assert.partialDeepStrictEqual(managed, { status: 'available', volumeSizeGiB: 5 });
    assert.deepEqual(
      meanwhile.map(({ resource, delta }) => [resource, delta]),
      [
        ['gigabytes', 3],
        ['gigabytes___DEFAULT__', 3],
      ],
    );
    assert.deepEqual(await reserved(), []);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('of more than the quota has room for takes nothing over and reserves nothing', async (context) => {
    const live = await liveSite(context, { ...quick, set: ['quota.quota_gigabytes=6'] });
    const volume = await givenVolume(live.site, { sizeGiB: 2 });
    live.site.foreignFile('alpha', 'their-shot', 5);
    const { id } = await manageSnapshot(live.desk, caller, manageSnapshotRequest(volume.id, 'their-shot'));
    const flow = await live.settled(`snapshot:${id}`);
    assert.deepEqual(
      [flow.state, await failedFor(live, `snapshot:${id}`)],
      ['reverted', 'VolumeSizeExceedsAvailableQuota'],
    );
    assert.equal((await getSnapshot(live.database.read, id)).status, 'error');
    assert.ok(live.site.objects().includes('alpha/their-shot'));
    assert.deepEqual(await live.site.leftovers(['alpha/their-shot']), []);
  });

  it('on a backend that has not come up ends in error, and says why', async (context) => {
    const live = await liveSite(context, quick);
    const volume = await givenVolume(live.site);
    live.site.foreignFile('alpha', 'their-shot', 1);
    live.site.down.add('node@alpha');
    const { id } = await manageSnapshot(live.desk, caller, manageSnapshotRequest(volume.id, 'their-shot'));
    const flow = await live.settled(`snapshot:${id}`);
    assert.deepEqual([flow.state, await failedFor(live, `snapshot:${id}`)], ['reverted', 'DriverNotInitialized']);
    assert.equal((await getSnapshot(live.database.read, id)).status, 'error');
    assert.equal((await live.site.messages()).length, 1);
  });
});

describe('create_volume', () => {
  it('has the tasks of the seed in their order, those of a try inside its span', () => {
    assert.equal(createVolume.name, 'create_volume');
    assert.deepEqual(pathsOf(createVolume), [
      'error_out',
      'extract_volume_ref',
      'on_failure_reschedule',
      'schedule_create_volume',
      'extract_volume_spec',
      'notify_volume_action;create.start',
      'make/create_volume_from_spec',
      'create_from_image/clone_image',
      'create_from_image/find_in_image_cache',
      'create_from_image/through_cache/miss/mark_downloading',
      'create_from_image/through_cache/create_through_cache',
      'create_from_image/through_cache/remember_cached_image',
      'create_from_image/download/allocate_volume',
      'create_from_image/download/mark_downloading',
      'create_from_image/download/fetch_image',
      'create_from_image/download/copy_image_to_volume',
      'create_from_image/download/discard_image',
      'create_from_image/save_model_update',
      'handle_bootable_volume',
      'create_volume_on_finish;create.end',
    ]);
    const span = createVolume.nodes.find((node) => node.kind === 'span');
    const afterwards = createVolume.nodes.slice(span?.end).map(({ path }) => path);
    assert.deepEqual(afterwards, ['handle_bootable_volume', 'create_volume_on_finish;create.end']);
  });

  it('of a volume that is gone fails', async (context) => {
    const { database } = await liveSite(context, quick);
    await database.write(async (tx) => {
      await assert.rejects(runs(createVolume, 'extract_volume_ref', { volumeId: uuid() }, { tx }), {
        name: 'VolumeNotFound',
      });
    });
  });

  it('is made from a snapshot before a volume, from that before an image, and else blank', async (context) => {
    const { site, database } = await liveSite(context, quick);
    const source = await givenVolume(site);
    const snapshot = await givenSnapshot(site, source);
    const image = { id: uuid() };
    const specOf = async (given: { snapshotId?: string; sourceVolumeId?: string }, from: object | null) => {
      const { id } = await givenVolume(site, { status: 'creating', host: null, ...given });
      return database.write((tx) => runs(createVolume, 'extract_volume_spec', { volumeId: id, image: from }, { tx }));
    };
    const [snap, volume] = [{ snapshotId: snapshot.id }, { sourceVolumeId: source.id }];
    const fromSnapshot = { id: snapshot.id, volumeId: source.id, volumeNameId: source.nameId, sizeGiB: 1 };
    const fromVolume = { id: source.id, nameId: source.nameId, sizeGiB: 1 };
    assert.deepEqual(await specOf({ ...snap, ...volume }, image), {
      volumeSpec: { type: 'snap', snapshot: fromSnapshot },
    });
    assert.deepEqual(await specOf(volume, image), { volumeSpec: { type: 'source_vol', source: fromVolume } });
    assert.deepEqual(await specOf({}, image), { volumeSpec: { type: 'image', imageId: image.id } });
    assert.deepEqual(await specOf({}, null), { volumeSpec: { type: 'raw' } });
  });

  it('of two sources is refused', async (context) => {
    const { desk } = await liveSite(context, quick);
    await assert.rejects(create(desk, caller, volumeRequest({ snapshotId: uuid(), sourceVolumeId: uuid() })), {
      name: 'InvalidInput',
    });
  });

  it('asks the backend for what the source is', async (context) => {
    const live = await liveSite(context, quick);
    const source = await givenVolume(live.site);
    const snapshot = await givenSnapshot(live.site, source);
    const image = await live.site.images.add({ diskFormat: 'raw' }, (await diskImages()).raw);
    live.site.images.near = true;
    const heard = listensTo(live);
    live.site.interpose('alpha', 'cloneImage', async () => {
      heard.push('alpha.cloneImage');
      return { cloned: false, model: {} };
    });
    const askedFor = async (request: Parameters<typeof volumeRequest>[0]) => {
      heard.length = 0;
      assert.equal(
        (await live.settledVolume(await create(live.desk, caller, volumeRequest(request)))).status,
        'available',
      );
      return heard.map((call) => call.slice(call.indexOf('.') + 1));
    };
    live.site.interpose('beta', 'cloneImage', async () => {
      heard.push('beta.cloneImage');
      return { cloned: false, model: {} };
    });
    assert.deepEqual(await askedFor({}), ['createVolume']);
    assert.deepEqual(await askedFor({ snapshotId: snapshot.id }), ['createVolumeFromSnapshot']);
    assert.deepEqual(await askedFor({ sourceVolumeId: source.id }), ['createClonedVolume']);
    assert.deepEqual(await askedFor({ imageId: image.id }), ['cloneImage', 'createVolume', 'copyImageToVolume']);
  });

  it('is creating, and downloading only while an image is copied, on whichever backend it is tried', async (context) => {
    const live = await liveSite(context, quick);
    const image = await live.site.images.add({ diskFormat: 'raw' }, (await diskImages()).raw);
    const seen: string[][] = [];
    const looks = async (at: string) => {
      const [volume] = await live.volumes();
      seen.push([at, volume?.status ?? '', volume?.host ?? '']);
    };
    for (const backend of BACKENDS) {
      live.site.interpose(backend, 'createVolume', async (proceed) => {
        await looks('create');
        return proceed();
      });
      live.site.interpose(backend, 'copyImageToVolume', async (proceed) => {
        await looks('copy');
        if (backend === 'alpha') throw new errors.BackendFull('No room is left on alpha.');
        return proceed();
      });
    }
    const { id } = await create(live.desk, caller, volumeRequest({ imageId: image.id }));
    assert.equal((await live.settledVolume({ id })).status, 'available');
    assert.deepEqual(seen, [
      ['create', 'creating', 'node@alpha#alpha'],
      ['copy', 'downloading', 'node@alpha#alpha'],
      ['create', 'creating', 'node@beta#beta'],
      ['copy', 'downloading', 'node@beta#beta'],
    ]);
    assert.deepEqual(await live.site.leftovers(), []);
  });

  it('keeps where it was tried and why not, as rows', async (context) => {
    const live = await liveSite(context, quick);
    live.site.interpose('alpha', 'createVolume', refuses(new errors.BackendFull('No room is left on alpha.')));
    const { id } = await create(live.desk, caller, volumeRequest());
    assert.equal((await live.settledVolume({ id })).host, 'node@beta#beta');
    const rejected = (await live.steps(`volume:${id}`)).filter(({ event }) => event === 'rejected');
    assert.equal(rejected.length, 1);
    assert.partialDeepStrictEqual(rejected[0]?.data, {
      choice: 'node@alpha#alpha',
      failure: { name: 'BackendFull', message: 'No room is left on alpha.' },
    });
  });

  it('is tried no more often than the scheduler is configured to', async (context) => {
    const live = await liveSite(context, { ...quick, set: ['scheduler.scheduler_max_attempts=1'] });
    const heard = listensTo(live);
    live.site.interpose('alpha', 'createVolume', refuses(new errors.BackendFull('No room is left on alpha.')));
    const { id } = await create(live.desk, caller, volumeRequest());
    assert.partialDeepStrictEqual(await live.settledVolume({ id }), { status: 'error', host: null });
    assert.deepEqual(heard, []);
    assert.equal(await failedFor(live, `volume:${id}`), 'BackendFull');
  });

  it('goes elsewhere when a backend has not come up', async (context) => {
    const live = await liveSite(context, quick);
    live.site.down.add('node@alpha');
    const made = await live.settledVolume(await create(live.desk, caller, volumeRequest()));
    assert.partialDeepStrictEqual(made, { status: 'available', host: 'node@beta#beta' });
  });

  it('that fails for an image goes nowhere else', async (context) => {
    const live = await liveSite(context, quick);
    const image = await live.site.images.add({ diskFormat: 'raw' }, (await diskImages()).raw);
    const heard = listensTo(live);
    live.site.interpose('alpha', 'copyImageToVolume', refuses(new errors.ImageCopyFailure('It did not arrive.')));
    const { id } = await create(live.desk, caller, volumeRequest({ imageId: image.id }));
    assert.partialDeepStrictEqual(await live.settledVolume({ id }), { status: 'error', host: null });
    assert.deepEqual(heard, ['alpha.createVolume']);
    assert.deepEqual(live.site.objects(), []);
  });

  it('remembers what the backend said of it, of an image as of any other', async (context) => {
    const live = await liveSite(context, quick);
    const image = await live.site.images.add({ diskFormat: 'raw' }, (await diskImages()).raw);
    const model = { providerLocation: 'shelf-7', providerId: 'p-7' };
    for (const backend of BACKENDS) {
      live.site.interpose(backend, 'createVolume', async (proceed) => {
        await proceed();
        return model;
      });
    }
    for (const request of [{}, { imageId: image.id }]) {
      const made = await live.settledVolume(await create(live.desk, caller, volumeRequest(request)));
      assert.partialDeepStrictEqual(made, { status: 'available', ...model });
    }
  });

  it('leaves the status of its source alone, and lets it be deleted only afterwards', async (context) => {
    const live = await liveSite(context, quick);
    const source = await givenVolume(live.site, { status: 'available' });
    const deletes = (volume: Volume) => deleteVolume(live.desk, caller, volume.id, { cascade: false, force: false });
    const seen: unknown[] = [];
    let deleting = '';
    live.site.interpose('alpha', 'createClonedVolume', async (proceed) => {
      const clone = (await live.volumes()).find(({ id }) => id !== source.id);
      seen.push((await getVolume(live.database.read, source.id)).status);
      seen.push(clone && (await deletes(clone).catch((error: Error) => error.name)));
      await deletes(source);
      const { id, lane } = await live.flowOf(`volume:${source.id}`);
      seen.push(lane);
      deleting = id;
      return proceed();
    });
    const clone = await live.settledVolume(
      await create(live.desk, caller, volumeRequest({ sourceVolumeId: source.id })),
    );
    assert.equal(clone.status, 'available');
    assert.deepEqual(seen, ['available', 'InvalidVolume', WAITING_LANE]);
    assert.equal((await live.engine.settled(deleting, AbortSignal.timeout(60_000))).state, 'success');
    assert.equal(await findVolume(live.database.read, source.id), undefined);
  });

  it('whose origin is gone does not guess whether it can be booted from', async (context) => {
    const { site, database } = await liveSite(context, quick);
    const { id } = await givenVolume(site);
    const volumeSpec = { type: 'source_vol', source: { id: uuid(), nameId: null, sizeGiB: 1 } };
    await database.write(async (tx) => {
      await assert.rejects(
        runs(createVolume, 'handle_bootable_volume', { volumeId: id, volumeSpec, image: null }, { tx }),
        { name: 'MetadataUpdateFailure' },
      );
    });
  });

  it('of a volume that the service makes for itself is nobody’s news', async (context) => {
    const { site, database } = await liveSite(context, quick);
    const volume = await givenVolume(site);
    await database.write((tx) => tellVolume(tx, 'create.start', { ...volume, usesQuota: false }, 'req'));
    assert.deepEqual(await site.events(), []);
    await database.write((tx) => tellVolume(tx, 'create.start', volume, 'req'));
    assert.deepEqual(await site.events(), ['volume.create.start']);
  });
});

/** Where a failure may be tried again, as the seeds list it. */
const NOWHERE_ELSE = [
  'ImageCopyFailure',
  'MetadataCopyFailure',
  'MetadataUpdateFailure',
  'ImageTooBig',
  'VolumeNotFound',
  'SnapshotNotFound',
  'VolumeTypeNotFound',
  'ImageUnacceptable',
];
const ELSEWHERE = ['BackendFull', 'BackendObjectMismatch', 'BackendUnanswered', 'DriverFailed', 'DriverNotInitialized'];

/** One of each error there is. */
const FAILURES = new Map(
  Object.entries(errors).map(([name, Made]) => {
    const about = [] as never;
    return [name, failureOf(new (Made as new (about: never) => Error)(about), 'task')];
  }),
);

describe('a failure', () => {
  for (const name of NOWHERE_ELSE) {
    it(`that is ${name} goes nowhere else`, () => {
      assert.partialDeepStrictEqual(FAILURES.get(name), { name, elsewhere: false, transient: false });
    });
  }

  it('goes elsewhere when it is one of a backend, and no other does', () => {
    const elsewhere = [...FAILURES].filter(([, failure]) => failure.elsewhere).map(([name]) => name);
    assert.deepEqual(elsewhere.sort(), ELSEWHERE);
  });

  it('that says nothing of it goes nowhere else', () => {
    assert.equal(failureOf(new TypeError('A new kind.'), 'task').elsewhere, false);
  });

  it('is kept as text, with all that caused it', () => {
    const cause: Error & { self?: unknown } = new Error('The disk said no.');
    cause.self = cause;
    const failure = failureOf(new errors.BackendFull('No room is left.', { cause }), 'make');
    assert.match(failure.trace, /No room is left\.[\s\S]+at [\s\S]+caused by [\s\S]*The disk said no\.[\s\S]+at /);
    assert.deepEqual(JSON.parse(JSON.stringify(failure)), failure);
  });
});
