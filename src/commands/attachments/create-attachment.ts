/**
 * `POST /attachments`: reserves a volume, and connects it at once when the request says to what.
 *
 * A volume of a multiattach type may be attached by several. Any other by one server; that may have a second attachment, on
 * the machine it migrates to.
 */
import { attachmentsOf, getAttachment, insertAttachment } from '../../db/attachments.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { moveVolumeStatus } from '../../db/volumes.ts';
import { uuid } from '../../lib/clock.ts';
import { type AttachMode, type Attachment, type Connector, mountpointIn } from '../../model/attachment.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidVolume } from '../../model/errors.ts';
import { VOLUME_TRANSITIONS, type VolumeStatus } from '../../model/status.ts';
import { leaves } from '../../model/transition.ts';
import type { Volume } from '../../model/volume.ts';
import { answerOfFlow } from '../answer-of-flow.ts';
import { refusedVolume } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';
import { refuseMigrating } from '../volumes/migrating.ts';
import { attachModeOf } from './attach-mode.ts';
import { beginConnection } from './connect.ts';

export interface CreateAttachmentRequest {
  readonly volumeId: string;
  readonly instanceId: string | null;
  readonly connector: Connector | null;
  readonly mode: AttachMode | null;
  /** Throws when the caller has no right to it. */
  demand(rule: 'volume:multiattach_bootable_volume'): void;
}

export async function createAttachment(
  desk: Desk,
  caller: Caller,
  { volumeId, instanceId, connector, mode, demand }: CreateAttachmentRequest,
): Promise<Attachment> {
  const { attachment, flowId } = await desk.db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, volumeId);
    refuseMigrating(volume, 'attached');
    const attachMode = attachModeOf(volume, mode);
    // Two servers that boot from one disk is for those who know what they do.
    if (volume.multiattach && volume.bootable && volume.status === 'in-use')
      demand('volume:multiattach_bootable_volume');
    await reserve(tx, volume, instanceId);
    const { projectId } = volume;
    const attachment = await insertAttachment(tx, {
      id: uuid(),
      projectId,
      volumeId,
      instanceId,
      connector,
      mountpoint: connector && mountpointIn(connector),
      attachMode,
      attachStatus: 'reserved',
    });
    if (connector === null) return { attachment, flowId: null };
    const flowId = await beginConnection(desk, tx, caller, volume, attachment, { attaching: true, failed: 'gone' });
    return { attachment, flowId };
  });
  if (flowId === null) return attachment;
  await answerOfFlow(desk, flowId, 'attach the volume');
  return getAttachment(desk.db.read, attachment.id);
}

async function reserve(tx: Tx, volume: Volume, instanceId: string | null): Promise<void> {
  const { id, status, multiattach } = volume;
  const held = await attachmentsOf(tx.db, id);
  const connection = multiattach ? undefined : held.find(({ attachStatus }) => attachStatus === 'detached');
  if (connection)
    throw new InvalidVolume(
      `Volume ${id} is connected to ${connection.attachedHost ?? 'a host'} (os-initialize_connection): terminate that first.`,
    );
  if (await moveVolumeStatus(tx, id, 'attachment_create', { also: multiattach })) return;
  const may = leaves<VolumeStatus>(VOLUME_TRANSITIONS.attachment_migrate, status);
  const migrates = may && instanceId !== null && held.some((each) => each.instanceId === instanceId);
  if (!migrates) throw refusedVolume(volume, 'attachment_create', multiattach);
}
