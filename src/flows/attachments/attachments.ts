/** The status of a volume as it follows from its attachments: changes by attaching and detaching. */
import { attachmentsOf } from '../../db/attachments.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { getVolume, updateVolume } from '../../db/volumes.ts';
import { statusWith } from '../../model/attachment.ts';
import { BY_ATTACHMENTS, FREE_STATUSES, type VolumeStatus } from '../../model/status.ts';
import type { Volume } from '../../model/volume.ts';
import { tellVolume } from '../tell.ts';

/** Kept among what administrators see while the volume is attached. */
const MODE = 'attached_mode';

const isByAttachments = (status: VolumeStatus | null): boolean => BY_ATTACHMENTS.some((each) => each === status);

/** The volume says what its attachments are, now or when what is being done to it is done. */
export async function settleVolume(tx: Tx, volumeId: string): Promise<Volume> {
  const volume = await getVolume(tx.db, volumeId);
  const attachments = await attachmentsOf(tx.db, volumeId);
  const attached = attachments.findLast(({ attachStatus }) => attachStatus === 'attached');
  const { [MODE]: _mode, ...adminMetadata } = volume.adminMetadata;
  await updateVolume(tx, volumeId, {
    ...(isByAttachments(volume.status) && { status: statusWith(attachments) }),
    ...(isByAttachments(volume.previousStatus) && { previousStatus: statusWith(attachments) }),
    attachStatus: attached ? 'attached' : 'detached',
    adminMetadata: attached ? { ...adminMetadata, [MODE]: attached.attachMode } : adminMetadata,
  });
  return getVolume(tx.db, volumeId);
}

/** What an administrator said that the volume is to be, when its attachments have ended. Null: what they leave. */
export interface Reset {
  readonly status: VolumeStatus | null;
}

/** They have ended. Whoever has the volume since then has it: it does not say that it is free. */
export async function settleReset(tx: Tx, volumeId: string, { status }: Reset, requestId: string): Promise<void> {
  const taken = status !== null && FREE_STATUSES.includes(status) && (await attachmentsOf(tx.db, volumeId)).length > 0;
  if (status !== null && !taken) await updateVolume(tx, volumeId, { status });
  await tellVolume(tx, 'reset_status.end', await getVolume(tx.db, volumeId), requestId);
}
