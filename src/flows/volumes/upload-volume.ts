/**
 * Upload a volume to the image service.
 *
 * The command has chosen the image's id, moved the volume to `uploading` and taken it for itself: nobody writes to it, so each try reads the
 * same bytes. The image's record is made first, since clients ask for it as soon as they are answered; the flow knew its id before
 * there was one. Raw is sent as it is read; what has tables, or is to be compressed, is written into a file where images are
 * converted, and the file is sent. When the image service has all of it, and says the size and the hash of what was sent, the volume is what it was before.
 *
 * A volume in use is copied first, which takes a moment where blocks are shared and is refused elsewhere. The copy is no volume: it has the
 * name of an id that the flow holds, and goes with it.
 *
 * Whatever fails, or is cancelled, the volume is free at once and the image is to be removed, by the record of an obligation: the image
 * service may be away for long (`remove-doomed-images.ts`).
 */
import { rm, stat } from 'node:fs/promises';
import { doomImage } from '../../db/doomed-images.ts';
import { findVolume, getVolume, updateVolume } from '../../db/volumes.ts';
import { type DriverCall, type VolumeRef, WRITTEN_FORMATS } from '../../drivers/driver.ts';
import { type Content, contentOfFile } from '../../lib/file-content.ts';
import { partOf } from '../../lib/progress.ts';
import { ConsistentSnapshotRefused } from '../../model/errors.ts';
import { type ImageRecord, uploadedProperties } from '../../model/image.ts';
import type { VolumeStatus } from '../../model/status.ts';
import { tellUser } from '../tell.ts';
import { flow, obligation, onHostOf, record, type Tools, world } from '../tools.ts';
import { neverAsked } from '../undo.ts';
import { DESTROYS } from './delete-volume.ts';
import { discardImage, downloadPath, PATIENTLY, unpackedPath } from './fetched-image.ts';
import { withRoom } from './with-room.ts';

export interface UploadVolume {
  readonly volumeRef: VolumeRef;
  readonly pool: string;
  /** What is copied from the volume's row is read there: it may be long. */
  readonly image: Omit<ImageRecord, 'properties'>;
  readonly previousStatus: VolumeStatus;
  /** The id in the name of a copy, which is read in place of the volume. */
  readonly copyId?: string;
}

type Attached = UploadVolume & { readonly copyId: string };

const sourceOf = ({ volumeRef, copyId }: UploadVolume): VolumeRef =>
  copyId === undefined ? volumeRef : { ...volumeRef, nameId: copyId };

const GiveBack = obligation({
  name: 'give_back',
  revert: async (
    { volumeRef: { id }, image, previousStatus }: UploadVolume,
    _outcome,
    { tx, failures, ...context },
  ) => {
    await doomImage(tx, image.id);
    const volume = await findVolume(tx.db, id);
    if (volume === undefined) return;
    await updateVolume(tx, id, { status: volume.previousStatus ?? previousStatus, previousStatus: null });
    await tellUser(tx, 'upload-volume', failures[0], volume, context);
  },
});

export const CREATE_IMAGE = 'create_image';

const CreateImage = world({
  name: CREATE_IMAGE,
  execute: async (input: UploadVolume, { tools, signal }) => tools.images.create(await recordOf(input, tools), signal),
});

const KeepMoment = world({
  name: 'keep_moment',
  execute: async (input: Attached, call) => {
    const { volumeRef, pool } = input;
    await withRoom(pool, volumeRef.id, call, (driver) => {
      if (!driver.capabilities.fastClone)
        throw new ConsistentSnapshotRefused(
          `${pool} copies a volume byte by byte, which is no moment while it is written: detach it first.`,
        );
      return driver.createClonedVolume(sourceOf(input), volumeRef, call);
    });
  },
  revert: async (input, outcome, call) => {
    if (!neverAsked(outcome)) await call.tools.driver(input.pool).deleteVolume(sourceOf(input), call);
  },
});

const DropMoment = world({
  name: 'drop_moment',
  ...DESTROYS,
  execute: async (input: Attached, call) => call.tools.driver(input.pool).deleteVolume(sourceOf(input), call),
});

/** Null of a volume that is sent as it is read. Two images of one volume need not be alike (vmdk and vdi have random names inside). */
const WriteImage = world({
  name: 'write_image',
  execute: async (input: UploadVolume, call) => ({ imageBytes: await writtenImage(input, call) }),
  revert: async (_input, _outcome, call) => discardImage(call),
});

const UploadImage = world({
  name: 'upload_image',
  retry: PATIENTLY,
  execute: async (input: UploadVolume & { imageBytes: number | null }, call) => {
    const { tools, signal } = call;
    const content =
      (await contentOfImage(input, call)) ?? (await tools.driver(input.pool).readVolume(sourceOf(input), signal));
    await tools.images.upload(await recordOf(input, tools), content, call);
  },
});

const DiscardImage = world({
  name: 'discard_image',
  execute: async (_input: UploadVolume, call) => discardImage(call),
});

const UploadOnFinish = record({
  name: 'upload_on_finish',
  execute: async ({ volumeRef: { id }, previousStatus }: UploadVolume, { tx }) => {
    const volume = await getVolume(tx.db, id);
    await updateVolume(tx, id, { status: volume.previousStatus ?? previousStatus, previousStatus: null });
  },
});

export const uploadVolume = flow<UploadVolume>('upload_volume')
  .add(GiveBack)
  .add(CreateImage)
  .lane(onHostOf)
  .add(WriteImage)
  .add(UploadImage)
  .add(DiscardImage)
  .add(UploadOnFinish)
  .build({ version: 1 });

export const uploadAttachedVolume = flow<Attached>('upload_attached_volume')
  .add(GiveBack)
  .add(CreateImage)
  .lane(onHostOf)
  .add(KeepMoment)
  .add(WriteImage)
  .add(UploadImage)
  .add(DiscardImage)
  .add(DropMoment)
  .add(UploadOnFinish)
  .build({ version: 1 });

interface Call extends Required<DriverCall> {
  readonly flowId: string;
  readonly tools: Tools;
}

/** Of what it costs to compress an image, writing it. */
const WRITING = 0.2;

/** Bytes of the file that was written. */
async function writtenImage(input: UploadVolume, call: Call): Promise<number | null> {
  const { signal, progress, projectId, aside, tools } = call;
  const { pool, image } = input;
  const source = sourceOf(input);
  const format = WRITTEN_FORMATS.find((each) => each === image.diskFormat);
  const path = downloadPath(call);
  const driver = tools.driver(pool);
  if (image.containerFormat === 'compressed') {
    const plain = unpackedPath(call);
    const writing = { signal, progress: partOf(progress, 0, WRITING), projectId, aside };
    if (format !== undefined) await driver.copyVolumeToImage(source, { path: plain, format }, writing);
    const content =
      format === undefined ? await driver.readVolume(source, signal) : contentOfFile(plain, await sizeOf(plain));
    const { packImage } = await import('../../clients/pack-image.ts');
    const rest = partOf(progress, WRITING, 1 - WRITING);
    await packImage(content, path, { timeoutMs: tools.conversionTimeoutMs }, { signal, progress: rest });
    await rm(plain, { force: true });
  } else if (format !== undefined) {
    await driver.copyVolumeToImage(source, { path, format }, call);
  } else {
    return null;
  }
  return sizeOf(path);
}

const sizeOf = async (path: string): Promise<number> => (await stat(path)).size;

/** Of the file that was written, on this host; one that is gone is written again. */
async function contentOfImage(
  input: UploadVolume & { readonly imageBytes: number | null },
  call: Call,
): Promise<Content | null> {
  if (input.imageBytes === null) return null;
  const path = downloadPath(call);
  const there = await stat(path).catch(() => null);
  const bytes = there?.size === input.imageBytes ? there.size : await writtenImage(input, call);
  return bytes === null ? null : contentOfFile(path, bytes);
}

async function recordOf({ volumeRef, image }: UploadVolume, tools: Tools): Promise<ImageRecord> {
  const { imageMetadata } = await tools.volume(volumeRef.id);
  return { ...image, properties: uploadedProperties(imageMetadata) };
}
