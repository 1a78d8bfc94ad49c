/**
 * Ends attachments in a transaction: their rows go, the volume's status follows from those that remain, and both are told.
 */
import { deleteAttachmentRow } from '../../db/attachments.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { type Reset, settleReset, settleVolume } from '../../flows/attachments/attachments.ts';
import { tellAttachments } from '../../flows/tell.ts';
import type { Attachment } from '../../model/attachment.ts';
import type { Caller } from '../../model/caller.ts';
import type { Volume } from '../../model/volume.ts';
import type { Desk } from '../desk.ts';
import { beginDisconnection } from './connect.ts';

/**
 * Ends attachments of a volume, and connections. Where something is exported for one of them a flow does it, whose id this
 * resolves with; else it is done with the transaction. `reset`: what the volume is to say when they have ended.
 */
export async function endAttachments(
  desk: Desk,
  tx: Tx,
  caller: Caller,
  volume: Volume,
  attachments: readonly Attachment[],
  reset?: Reset,
): Promise<string | null> {
  if (attachments.some(({ connector }) => connector !== null)) {
    const disconnections = attachments.map((attachment) => ({ attachment, ends: true }));
    return beginDisconnection(desk, tx, caller, volume, disconnections, { detaching: true, reset });
  }
  if (attachments.length > 0) await tellAttachments(tx, 'detach.start', volume, caller.requestId);
  for (const { id } of attachments) await deleteAttachmentRow(tx, id);
  const settled = await settleVolume(tx, volume.id);
  if (attachments.length > 0) await tellAttachments(tx, 'detach.end', settled, caller.requestId);
  if (reset) await settleReset(tx, volume.id, reset, caller.requestId);
  return null;
}
