/** `os-complete` of an attachment: the client has connected the volume and uses it. */

import { lockAttachment, lockAttachmentsOf, updateAttachment } from '../../db/attachments.ts';
import { moveVolumeStatus } from '../../db/volumes.ts';
import { settleVolume } from '../../flows/attachments/attachments.ts';
import { tellAttachments } from '../../flows/tell.ts';
import { now } from '../../lib/clock.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidVolume } from '../../model/errors.ts';
import type { Desk } from '../desk.ts';
import { attachmentFor } from '../find.ts';
import { lockVolume } from '../lock.ts';

export async function completeAttachment({ db }: Desk, caller: Caller, id: string): Promise<void> {
  await db.write(async (tx) => {
    const { volumeId } = await attachmentFor(tx.db, caller, id);
    await lockVolume(tx, caller, volumeId);
    await lockAttachmentsOf(tx, volumeId);
    const { attachStatus } = await lockAttachment(tx, id);
    if (attachStatus === 'attached') return;
    if (attachStatus !== 'attaching' && attachStatus !== 'reserved')
      throw new InvalidVolume(`Attachment ${id} must be attaching to be completed; it is ${attachStatus}.`);
    await updateAttachment(tx, id, { attachStatus: 'attached', attachedAt: now() });
    await moveVolumeStatus(tx, volumeId, 'attachment_complete');
    await tellAttachments(tx, 'attach.end', await settleVolume(tx, volumeId), caller.requestId);
  });
}
