/**
 * Create a volume: blank, from a snapshot, from another volume, or from an image.
 *
 * The command has, in one transaction, inserted the row (`creating`), counted the quota, taken the holds (the volume
 * exclusive, its source shared) and begun this flow. The flow is the part that can fail.
 *
 * A pool is chosen and the volume made on it; when that fails and the failure says that another backend may succeed, the
 * volume is removed *first*, then the next pool is tried, at most `scheduler_max_attempts` times. The attempts and
 * their reasons are in the journal. At the end the status, `launched_at`, the event and the end of the flow are one
 * commit. If it fails for good nothing stays on a backend, the row says `error`, keeps its quota until it is deleted, and
 * a message says why.
 */
import { addPoolUsage } from '../../db/pool-usage.ts';
import { listPools } from '../../db/pools.ts';
import { getSnapshot } from '../../db/snapshots.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { getVolumeType } from '../../db/volume-types.ts';
import { findVolume, getVolume, updateVolume } from '../../db/volumes.ts';
import type { ModelUpdate, SnapshotRef, VolumeDriver, VolumeRef } from '../../drivers/driver.ts';
import type { AttemptsOptions } from '../../engine/flow.ts';
import type { RecordContext, Reverting } from '../../engine/task.ts';
import { now } from '../../lib/clock.ts';
import { hostOf } from '../../model/backend.ts';
import { MetadataUpdateFailure } from '../../model/errors.ts';
import { capturedMetadata, type Image } from '../../model/image.ts';
import { snapshotRefOf } from '../../model/snapshot.ts';
import { VOLUME_TRANSITIONS } from '../../model/status.ts';
import { type Metadata, refOf } from '../../model/volume.ts';
import { schedule } from '../../scheduler/schedule.ts';
import { volumeStarted } from '../started.ts';
import { tellNoBackend, tellUser, tellVolume } from '../tell.ts';
import { flow, obligation, onHostOf, record, type Tools, world } from '../tools.ts';
import { neverAsked } from '../undo.ts';
import { createFromImage, createFromImageV1 } from './create-from-image.ts';
import { withRoom } from './with-room.ts';

export interface CreateVolume {
  readonly volumeId: string;
  /** Any of these zones will do. Empty: any at all. */
  readonly zones: readonly string[];
  /** The pool it must be on, its source's, or the backend, its group's. */
  readonly resourceBackend: string | null;
  /** Hints: the pools of the volumes they named; null is no hint. */
  readonly differentFrom: readonly string[] | null;
  readonly sameAs: readonly string[] | null;
  /** As the image service described it to the caller; of what is remembered of it the row has all (`factsOf`). */
  readonly image: Image | null;
}

/** What is to be made, and from what. */
export type VolumeSpec =
  | { readonly type: 'raw' }
  | { readonly type: 'snap'; readonly snapshot: SnapshotRef }
  | { readonly type: 'source_vol'; readonly source: VolumeRef }
  | { readonly type: 'image'; readonly imageId: string };

/** The one place that decides how a failed create ends, whatever the volume was to be made from. It is reverted last. */
export async function errorOut(
  { volumeId }: Pick<CreateVolume, 'volumeId'>,
  { tx, failures, ...context }: Reverting<RecordContext<Tools, Tx>>,
): Promise<void> {
  // It has nothing of the image it was to be made from.
  if (!(await updateVolume(tx, volumeId, { status: VOLUME_TRANSITIONS.create.failure, imageMetadata: null }))) return;
  const volume = await getVolume(tx.db, volumeId);
  const { sizeGiB } = volume;
  await tellUser(tx, 'create-volume', failures[0], volume, context);
  await tellNoBackend(tx, 'create_volume', failures[0], { volume, sizeGiB, ...context });
}

const ErrorOut = obligation({
  name: 'error_out',
  revert: (input: CreateVolume, _outcome, context) => errorOut(input, context),
});

export const ExtractVolumeRef = record({
  name: 'extract_volume_ref',
  execute: async ({ volumeId }: CreateVolume, { tx }) => {
    return { volumeRef: refOf(await getVolume(tx.db, volumeId)) satisfies VolumeRef };
  },
});

/** Chooses a pool and counts the volume on it, so that the next choice of this transaction sees it. */
export const ScheduleCreateVolume = record({
  name: 'schedule_create_volume',
  execute: async (input: CreateVolume & { volumeRef: VolumeRef }, { tx, tools, rejections }) => {
    const { volumeTypeId, sizeGiB } = await getVolume(tx.db, input.volumeId);
    const pool = schedule(
      await listPools(tx.db, tools.serviceDownSeconds),
      {
        sizeGiB,
        volumeType: await getVolumeType(tx.db, volumeTypeId),
        availabilityZones: input.zones,
        differentFrom: input.differentFrom && new Set(input.differentFrom),
        sameAs: input.sameAs && new Set(input.sameAs),
        resourceBackend: input.resourceBackend,
        attempted: rejections.flatMap(({ choice }) => (typeof choice === 'string' ? [hostOf(choice)] : [])),
      },
      tools.scheduler,
    );
    await updateVolume(tx, input.volumeId, {
      host: pool.name,
      availabilityZone: pool.availabilityZone,
      scheduledAt: now(),
    });
    await addPoolUsage(tx, { pool: pool.name, allocatedGiB: sizeGiB, provisionedGiB: sizeGiB, volumes: 1 });
    return { pool: pool.name };
  },
  revert: async ({ volumeId, volumeRef: { sizeGiB } }, outcome, { tx }) => {
    if (outcome.is !== 'done') return;
    await addPoolUsage(tx, {
      pool: outcome.result.pool,
      allocatedGiB: -sizeGiB,
      provisionedGiB: -sizeGiB,
      volumes: -1,
    });
    await updateVolume(tx, volumeId, { host: null, providerLocation: null, providerId: null });
  },
});

/** A snapshot comes before a source volume, that before an image; none of them makes a blank volume. */
const ExtractVolumeSpec = record({
  name: 'extract_volume_spec',
  execute: async ({ volumeId, image }: CreateVolume, { tx }): Promise<{ volumeSpec: VolumeSpec }> => {
    const { snapshotId, sourceVolumeId } = await getVolume(tx.db, volumeId);
    if (snapshotId !== null) {
      const snapshot = await getSnapshot(tx.db, snapshotId);
      const origin = await getVolume(tx.db, snapshot.volumeId);
      return { volumeSpec: { type: 'snap', snapshot: snapshotRefOf(snapshot, origin) } };
    }
    if (sourceVolumeId !== null) {
      return { volumeSpec: { type: 'source_vol', source: refOf(await getVolume(tx.db, sourceVolumeId)) } };
    }
    return { volumeSpec: image === null ? { type: 'raw' } : { type: 'image', imageId: image.id } };
  },
});

/** The backend makes the volume whole; an image is more than one step, and has a flow of its own. */
const CreateVolumeFromSpec = world({
  name: 'create_volume_from_spec',
  execute: async (
    { volumeRef, volumeSpec, pool }: { volumeRef: VolumeRef; volumeSpec: VolumeSpec; pool: string },
    call,
  ): Promise<{ model: ModelUpdate }> => {
    const make = (driver: VolumeDriver): Promise<ModelUpdate> => {
      switch (volumeSpec.type) {
        case 'raw':
          return driver.createVolume(volumeRef, call);
        case 'snap':
          return driver.createVolumeFromSnapshot(volumeRef, volumeSpec.snapshot, call);
        case 'source_vol':
          return driver.createClonedVolume(volumeRef, volumeSpec.source, call);
        case 'image':
          throw new TypeError('An image is made into a volume by create_from_image.');
      }
    };
    return { model: await withRoom(pool, volumeRef.id, call, make) };
  },
  revert: async ({ volumeRef, pool }, outcome, call) => {
    if (!neverAsked(outcome)) await call.tools.driver(pool).deleteVolume(volumeRef, call);
  },
});

type Booting = CreateVolume & { readonly volumeSpec: VolumeSpec };

/** What the source says of being a disk to boot from, all of it or none. Of an image the row has it already. */
const HandleBootable = record({
  name: 'handle_bootable_volume',
  execute: async ({ volumeId, volumeSpec }: Booting, { tx }) => {
    if (volumeSpec.type === 'image') {
      await updateVolume(tx, volumeId, { bootable: true });
      return;
    }
    const inherited = await inheritedMetadata(tx, volumeSpec);
    if (inherited !== undefined) await updateVolume(tx, volumeId, { bootable: true, imageMetadata: inherited });
  },
});

/** The input has the whole image. */
const HandleBootableV1 = record({
  name: HandleBootable.name,
  execute: async ({ volumeId, volumeSpec, image }: Booting, { tx }) => {
    const inherited =
      image !== null && volumeSpec.type === 'image' ? capturedMetadata(image) : await inheritedMetadata(tx, volumeSpec);
    if (inherited !== undefined) await updateVolume(tx, volumeId, { bootable: true, imageMetadata: inherited });
  },
});

/** Undefined when the source cannot be booted from. */
export async function inheritedMetadata(tx: Tx, spec: VolumeSpec): Promise<Metadata | null | undefined> {
  if (spec.type !== 'snap' && spec.type !== 'source_vol') return undefined;
  const originId = spec.type === 'snap' ? spec.snapshot.volumeId : spec.source.id;
  const origin = await findVolume(tx.db, originId);
  if (origin === undefined)
    throw new MetadataUpdateFailure(`Volume ${originId} is gone; whether it can be booted from is not known.`);
  if (!origin.bootable) return undefined;
  return spec.type === 'snap' ? (await getSnapshot(tx.db, spec.snapshot.id)).imageMetadata : origin.imageMetadata;
}

const CreateVolumeOnFinish = record({
  name: 'create_volume_on_finish;create.end',
  execute: async (
    {
      volumeId,
      model,
      imageModel,
    }: CreateVolume & { model: ModelUpdate | undefined; imageModel: ModelUpdate | undefined },
    { tx, requestId },
  ) => {
    await updateVolume(tx, volumeId, {
      ...(model ?? imageModel),
      status: VOLUME_TRANSITIONS.create.success,
      launchedAt: now(),
    });
    await tellVolume(tx, 'create.end', await getVolume(tx.db, volumeId), requestId);
  },
});

/** Another backend is tried, and the row says that it is being made all the same. */
export const RESCHEDULED: AttemptsOptions<CreateVolume, Tools, Tx> = {
  limit: ({ maxAttempts }) => maxAttempts,
  remember: ({ pool }) => pool ?? null,
  rejected: async ({ volumeId }, _rejection, { tx }) => {
    await updateVolume(tx, volumeId, { status: VOLUME_TRANSITIONS.create.during[0], scheduledAt: now() });
  },
};

const fromSpec = flow<{ volumeRef: VolumeRef; volumeSpec: VolumeSpec; pool: string }>('make')
  .add(CreateVolumeFromSpec)
  .build({ version: 1 });

const create = (
  fromImage: typeof createFromImage | typeof createFromImageV1,
  handleBootable: typeof HandleBootable,
  version: number,
) =>
  flow<CreateVolume>('create_volume')
    .add(ErrorOut)
    .add(ExtractVolumeRef)
    .attempts('on_failure_reschedule', RESCHEDULED, (attempt) =>
      attempt
        .add(ScheduleCreateVolume)
        .lane(onHostOf)
        .add(ExtractVolumeSpec)
        .add(volumeStarted('create.start'))
        .when('whole', ({ volumeSpec }) => volumeSpec.type !== 'image', fromSpec)
        .when('from_image', ({ volumeSpec }) => volumeSpec.type === 'image', fromImage),
    )
    .add(handleBootable)
    .add(CreateVolumeOnFinish)
    .build({ version });

export const createVolume = create(createFromImage, HandleBootable, 3);

/** Knew of no cache of images. */
export const createVolumeV2 = create(createFromImageV1, HandleBootable, 2);

/** Its input carried the image with all its metadata, which may be longer than a journal takes. */
export const createVolumeV1 = create(createFromImageV1, HandleBootableV1, 1);
