/** `PUT /attachments/{id}`: says to what a reserved volume is to be connected, and connects it. */
import { attachmentsOf, getAttachment, lockAttachment, updateAttachment as patch } from '../../db/attachments.ts';
import {
  type AttachMode,
  type Attachment,
  type Connector,
  isSameConnector,
  mountpointIn,
} from '../../model/attachment.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidVolume, VolumeInError } from '../../model/errors.ts';
import { answerOfFlow } from '../answer-of-flow.ts';
import type { Desk } from '../desk.ts';
import { attachmentFor } from '../find.ts';
import { lockVolume } from '../lock.ts';
import { attachModeOf } from './attach-mode.ts';
import { beginConnection, stays } from './connect.ts';

export interface UpdateAttachmentRequest {
  readonly connector: Connector;
  readonly mode: AttachMode | null;
}

export async function updateAttachment(
  desk: Desk,
  caller: Caller,
  id: string,
  { connector, mode }: UpdateAttachmentRequest,
): Promise<Attachment> {
  const flowId = await desk.db.write(async (tx) => {
    const { volumeId } = await attachmentFor(tx.db, caller, id);
    const volume = await lockVolume(tx, caller, volumeId);
    if (volume.status.startsWith('error'))
      throw new VolumeInError(`Attachment ${id} cannot be connected: its volume ${volumeId} is ${volume.status}.`);
    const attachment = await lockAttachment(tx, id);
    const { attachStatus, connector: before } = attachment;
    const same = before !== null && isSameConnector(before, connector);
    if (attachStatus === 'detaching' || (attachStatus === 'attached' && !same))
      throw new InvalidVolume(`Attachment ${id} is ${attachStatus} and cannot be connected to another host.`);
    const twin = (await attachmentsOf(tx.db, volumeId)).find(
      (each) =>
        each.id !== id &&
        each.instanceId === attachment.instanceId &&
        each.connector !== null &&
        isSameConnector(each.connector, connector),
    );
    if (twin) throw new InvalidVolume(`Volume ${volumeId} is connected to this host by attachment ${twin.id} already.`);
    const attachMode = mode === null ? attachment.attachMode : attachModeOf(volume, mode);
    const mountpoint = mountpointIn(connector) ?? attachment.mountpoint;
    await patch(tx, id, { connector, attachMode, mountpoint });
    const attaching = attachStatus !== 'attached';
    const failed =
      same && attachment.connectionInfo !== null ? stays(attachment) : attaching ? 'error' : 'disconnected';
    return beginConnection(desk, tx, caller, volume, attachment, { attaching, failed });
  });
  await answerOfFlow(desk, flowId, 'attach the volume');
  return getAttachment(desk.db.read, id);
}
