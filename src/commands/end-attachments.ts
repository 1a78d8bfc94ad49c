import { deleteAttachmentRow } from '../db/attachments.ts';
import type { Tx } from '../db/writer.ts';
import { settleVolume } from '../flows/attachments.ts';
import { tellAttachments } from '../flows/tell.ts';
import type { Attachment } from '../model/attachment.ts';
import type { Caller } from '../model/caller.ts';
import type { Volume } from '../model/volume.ts';
import { beginDisconnection } from './connect.ts';
import type { Desk } from './desk.ts';

/**
 * Ends attachments of a volume. Where something is exported for one of them a flow does it, whose id this resolves with;
 * else it is done with the transaction.
 */
export async function endAttachments(
  desk: Desk,
  tx: Tx,
  caller: Caller,
  volume: Volume,
  attachments: readonly Attachment[],
): Promise<string | null> {
  if (attachments.some(({ connector }) => connector !== null)) {
    const disconnections = attachments.map((attachment) => ({ attachment, ends: true }));
    return beginDisconnection(desk, tx, caller, volume, disconnections, true);
  }
  // What was only reserved was never attached to anything.
  const told = attachments.some(({ attachStatus }) => attachStatus !== 'reserved');
  if (told) await tellAttachments(tx, 'detach.start', volume, caller.requestId);
  for (const { id } of attachments) await deleteAttachmentRow(tx, id);
  const settled = await settleVolume(tx, volume.id);
  if (told) await tellAttachments(tx, 'detach.end', settled, caller.requestId);
  return null;
}
