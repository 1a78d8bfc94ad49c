/**
 * Create a volume from a backup.
 *
 * The command has inserted the row (`creating`), counted the quota and moved the backup to `restoring`; the volume is the flow's alone, and so is the
 * backup. A pool is chosen and a blank volume made on it as by `volumes/create-volume.ts`, with as many attempts; then what the backup
 * holds is written into it, which is no backend's fault when it fails. If it fails for good nothing stays on a backend, the row says
 * `error`, a message says why, and the backup is `available` as before.
 */
import { endWork } from '../../db/backup-work.ts';
import { findBackup, getBackup, updateBackup } from '../../db/backups.ts';
import { getVolume, updateVolume } from '../../db/volumes.ts';
import type { ModelUpdate, VolumeRef } from '../../drivers/driver.ts';
import { now } from '../../lib/clock.ts';
import { BACKUP_TRANSITIONS } from '../../model/backup-status.ts';
import { VOLUME_TRANSITIONS } from '../../model/status.ts';
import { volumeStarted } from '../started.ts';
import { tellBackup, tellVolume } from '../tell.ts';
import { flow, obligation, onHostOf, record, world } from '../tools.ts';
import { neverAsked } from '../undo.ts';
import {
  type CreateVolume,
  ExtractVolumeRef,
  errorOut,
  RESCHEDULED,
  ScheduleCreateVolume,
} from '../volumes/create-volume.ts';
import { withRoom } from '../volumes/with-room.ts';
import { RestoreStarted } from './restore-backup.ts';
import { type RestoringBackup, restoreContent } from './restore-content.ts';
import { WAITS } from './store-patience.ts';

export interface CreateVolumeFromBackup extends CreateVolume {
  readonly backupId: string;
}

const ErrorOut = obligation({
  name: 'error_out',
  revert: async (input: CreateVolumeFromBackup, _outcome, context) => {
    const { tx } = context;
    await endWork(tx, input.backupId);
    if ((await findBackup(tx.db, input.backupId)) !== undefined)
      await updateBackup(tx, input.backupId, { status: BACKUP_TRANSITIONS.restore.failure });
    await errorOut(input, context);
  },
});

const CreateBlank = world({
  name: 'create_blank_on_backend',
  execute: async (
    { volumeRef, pool }: { volumeRef: VolumeRef; pool: string },
    call,
  ): Promise<{ model: ModelUpdate }> => ({
    model: await withRoom(pool, volumeRef.id, call, (driver) => driver.createVolume(volumeRef, call)),
  }),
  revert: async ({ volumeRef, pool }, outcome, call) => {
    if (!neverAsked(outcome)) await call.tools.driver(pool).deleteVolume(volumeRef, call);
  },
});

const RestoreToNewVolume = world({
  name: 'restore_to_new_volume',
  ...WAITS,
  execute: async (input: RestoringBackup, call) => restoreContent(input, true, call),
});

const CreateVolumeOnFinish = record({
  name: 'create_volume_on_finish;create.end',
  execute: async (
    { volumeId, backupId, model }: CreateVolumeFromBackup & { model: ModelUpdate },
    { tx, requestId },
  ) => {
    await endWork(tx, backupId);
    const { imageMetadata } = await getBackup(tx.db, backupId);
    await updateVolume(tx, volumeId, {
      ...model,
      status: VOLUME_TRANSITIONS.create.success,
      launchedAt: now(),
      ...(imageMetadata !== null && { bootable: true, imageMetadata }),
    });
    await updateBackup(tx, backupId, { status: BACKUP_TRANSITIONS.restore.success });
    await tellBackup(tx, 'restore.end', await getBackup(tx.db, backupId), requestId);
    await tellVolume(tx, 'create.end', await getVolume(tx.db, volumeId), requestId);
  },
});

export const createVolumeFromBackup = flow<CreateVolumeFromBackup>('create_volume_from_backup')
  .add(ErrorOut)
  .add(ExtractVolumeRef)
  .attempts('on_failure_reschedule', RESCHEDULED, (attempt) =>
    attempt.add(ScheduleCreateVolume).lane(onHostOf).add(volumeStarted('create.start')).add(CreateBlank),
  )
  .add(RestoreStarted)
  .add(RestoreToNewVolume)
  .add(CreateVolumeOnFinish)
  .build({ version: 1 });
