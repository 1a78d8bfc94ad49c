/** `DELETE /attachments/{id}`. Resolves with those that remain of the volume. */
import { attachmentsOf, lockAttachment, lockAttachmentsOf } from '../../db/attachments.ts';
import type { Attachment } from '../../model/attachment.ts';
import type { Caller } from '../../model/caller.ts';
import { answerOfFlow } from '../answer-of-flow.ts';
import type { Desk } from '../desk.ts';
import { attachmentFor } from '../find.ts';
import { lockVolume } from '../lock.ts';
import { afterConnecting, refuseInUse } from './connect.ts';
import { endAttachments } from './end-attachments.ts';

export async function deleteAttachment(desk: Desk, caller: Caller, id: string): Promise<Attachment[]> {
  const { volumeId, flowId } = await afterConnecting(desk, async (tx) => {
    const { volumeId } = await attachmentFor(tx.db, caller, id);
    const volume = await lockVolume(tx, caller, volumeId);
    await lockAttachmentsOf(tx, volumeId);
    const attachment = await lockAttachment(tx, id);
    refuseInUse(caller, [attachment]);
    return { volumeId, flowId: await endAttachments(desk, tx, caller, volume, [attachment]) };
  });
  if (flowId !== null) await answerOfFlow(desk, flowId, 'detach the volume');
  return (await attachmentsOf(desk.db.read, volumeId)).filter(({ attachStatus }) => attachStatus !== 'detached');
}
