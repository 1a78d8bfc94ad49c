/**
 * `os-volume_upload_image`: makes an image of a volume that is available; by force, where that is allowed, also of one in use, as it is at
 * one moment.
 *
 * Everything is looked at before anything is changed, also whether the image service answers. Then the volume is `uploading`, and the
 * request is answered when the image's record is there, since clients ask the image service for it at once. When the service refuses it after
 * all, the request is refused, and the volume is what it was.
 */
import { DatabaseJournal } from '../../db/journal.ts';
import { moveVolumeStatus } from '../../db/volumes.ts';
import { WRITTEN_FORMATS } from '../../drivers/driver.ts';
import { CREATE_IMAGE, uploadVolume as flow, uploadAttachedVolume } from '../../flows/volumes/upload-volume.ts';
import { pause, uuid } from '../../lib/clock.ts';
import type { Caller } from '../../model/caller.ts';
import {
  ImageNotFound,
  ImageRefused,
  ImageServiceUnavailable,
  InvalidInput,
  OperationFailed,
} from '../../model/errors.ts';
import type { ImageRecord } from '../../model/image.ts';
import { refOf, type Volume } from '../../model/volume.ts';
import { begin, exclusive, shared, volumeResource } from '../begin.ts';
import { checkVolumeStatus, refusedVolume } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { volumeFor } from '../find.ts';
import { lockVolume } from '../lock.ts';
import { isMigrating } from './migrating.ts';

export interface UploadRequest
  extends Pick<ImageRecord, 'name' | 'diskFormat' | 'containerFormat' | 'visibility' | 'protected'> {
  /** Also when it is in use, where `enable_force_upload` says so. */
  readonly force: boolean;
}

const FORMATS: readonly string[] = ['raw', ...WRITTEN_FORMATS];
const PATIENCE_MS = 30_000;
const LOOK_MS = 20;

/** Resolves with the image's id, and the volume as it was. */
export async function uploadVolume(
  desk: Desk,
  caller: Caller,
  id: string,
  request: UploadRequest,
): Promise<{ readonly volume: Volume; readonly imageId: string }> {
  const { force, ...asked } = request;
  const also = force && desk.config.images.enable_force_upload;
  checkVolumeStatus(await volumeFor(desk.db.read, caller, id), 'upload', also);
  const { diskFormat, containerFormat } = asked;
  if (!FORMATS.includes(diskFormat))
    throw new InvalidInput(
      `A volume is uploaded as ${FORMATS.join(', ')}; it cannot be written well as ${diskFormat}.`,
    );
  if (containerFormat === 'compressed' && !desk.config.images.allow_compression_on_image_upload)
    throw new InvalidInput(
      'Volumes are not compressed when they are uploaded here (allow_compression_on_image_upload); use another container_format, as bare.',
    );
  const image = { ...asked, id: uuid() };
  await checkAnswers(desk, caller, image.id);
  const { volume, flowId } = await desk.db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    const { host: pool, status: previousStatus, projectId } = volume;
    const isInUse = also && previousStatus === 'in-use';
    const how = isInUse ? { also } : ({ attachStatusNot: 'attached', withoutExports: true } as const);
    if (pool === null || isMigrating(volume) || !(await moveVolumeStatus(tx, id, 'upload', how)))
      throw refusedVolume(volume, 'upload', also);
    const input = { volumeRef: refOf(volume), pool, image: { ...image, owner: caller.projectId }, previousStatus };
    const of = { resource: volumeResource(id), projectId };
    if (!isInUse)
      return {
        volume,
        flowId: await begin(desk, tx, caller, flow, input, { ...of, holds: [exclusive(volumeResource(id))] }),
      };
    const copyId = uuid();
    const holds = [shared(volumeResource(id)), exclusive(volumeResource(copyId))];
    const flowId = await begin(desk, tx, caller, uploadAttachedVolume, { ...input, copyId }, { ...of, holds });
    return { volume, flowId };
  });
  await recordMade(desk, flowId);
  return { volume, imageId: image.id };
}

/** With the caller's own right. 503 when nobody can say. */
async function checkAnswers({ tools }: Desk, caller: Caller, imageId: string): Promise<void> {
  try {
    await tools.images.show(imageId, caller, AbortSignal.timeout(PATIENCE_MS));
  } catch (error) {
    if (error instanceof ImageNotFound) return;
    if (error instanceof DOMException && error.name === 'TimeoutError')
      throw new ImageServiceUnavailable('The image service is too slow.', { cause: error });
    throw error;
  }
}

/** Or it takes too long: then it goes on, and the volume will say how it ended. */
async function recordMade({ db, engine, config }: Desk, flowId: string): Promise<void> {
  const patience = AbortSignal.timeout(config.api.rpc_response_timeout * 1000);
  const journal = new DatabaseJournal(db);
  while (!patience.aborted) {
    for (const { node, ...step } of await journal.steps(flowId)) {
      if (step.event === 'done' && node === CREATE_IMAGE) return;
      if (step.event !== 'failed' && step.event !== 'cancelled') continue;
      await engine.settled(flowId, patience).catch(() => {});
      const { name, message } = step.data.failure;
      if (name === 'ImageServiceUnavailable') throw new ImageServiceUnavailable(message);
      if (name === 'ImageRefused') throw new ImageRefused(message);
      throw new OperationFailed('It was not possible to make the image; a message of the volume says why.');
    }
    await pause(LOOK_MS, patience).catch(() => {});
  }
}
