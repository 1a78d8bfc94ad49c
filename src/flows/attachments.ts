/** What attaching and detaching change of the volume itself, and what they tell of it. */
import { attachmentsOf } from '../db/attachments.ts';
import { getVolume, updateVolume } from '../db/volumes.ts';
import type { Tx } from '../db/writer.ts';
import { type Attachment, statusWith } from '../model/attachment.ts';
import type { VolumeStatus } from '../model/status.ts';
import type { Volume } from '../model/volume.ts';
import { tellVolume } from './tell.ts';

/** Statuses that only say how the volume is attached. Any other is about something else, and stays. */
const BY_ATTACHMENTS: readonly VolumeStatus[] = ['available', 'reserved', 'attaching', 'in-use', 'detaching'];

/** Kept among what administrators see while the volume is attached. */
const MODE = 'attached_mode';

/** The volume says what its attachments are. */
export async function settleVolume(tx: Tx, volumeId: string): Promise<Volume> {
  const volume = await getVolume(tx.db, volumeId);
  const attachments = await attachmentsOf(tx.db, volumeId);
  const attached = attachments.findLast(({ attachStatus }) => attachStatus === 'attached');
  const { [MODE]: _mode, ...adminMetadata } = volume.adminMetadata;
  await updateVolume(tx, volumeId, {
    ...(BY_ATTACHMENTS.includes(volume.status) && { status: statusWith(attachments) }),
    attachStatus: attached ? 'attached' : 'detached',
    adminMetadata: attached ? { ...adminMetadata, [MODE]: attached.attachMode } : adminMetadata,
  });
  return getVolume(tx.db, volumeId);
}

/** The volume is attached by one more. */
export async function settleAttached(tx: Tx, volumeId: string): Promise<Volume> {
  await updateVolume(tx, volumeId, { status: 'in-use' });
  return settleVolume(tx, volumeId);
}

export async function tellAttachments(
  tx: Tx,
  suffix: 'attach.start' | 'attach.end' | 'detach.start' | 'detach.end',
  volume: Volume,
  requestId: string,
): Promise<void> {
  const attachments = await attachmentsOf(tx.db, volume.id);
  const told = attachments.filter(({ attachStatus }) => attachStatus !== 'detached').map(facts);
  await tellVolume(tx, suffix, volume, requestId, { volume_attachment: told });
}

/** How it is reached is nobody's news. */
const facts = ({ id, volumeId, instanceId, attachedHost, mountpoint, attachMode, attachStatus }: Attachment) => ({
  id,
  volume_id: volumeId,
  instance_uuid: instanceId,
  attached_host: attachedHost,
  mountpoint,
  attach_mode: attachMode,
  attach_status: attachStatus,
});
