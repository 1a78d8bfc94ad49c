/**
 * `os-detach` and `os-force_detach`: ends an attachment, and whatever is exported for it first.
 *
 * By force also connections end that nobody has claimed, and the volume need not be in use. Access is cut off either way
 * before the volume says that it is free.
 */
import { attachmentsOf } from '../../db/attachments.ts';
import { moveVolumeStatus } from '../../db/volumes.ts';
import { settleVolume } from '../../flows/attachments/attachments.ts';
import { type Attachment, type Connector, isSameConnector } from '../../model/attachment.ts';
import type { Caller } from '../../model/caller.ts';
import { AttachmentNotFound, InvalidVolume } from '../../model/errors.ts';
import type { Volume } from '../../model/volume.ts';
import { answerOfFlow } from '../answer-of-flow.ts';
import { checkVolumeStatus } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';
import { afterConnecting, refuseInUse } from './connect.ts';
import { endAttachments } from './end-attachments.ts';

export async function detachVolume(desk: Desk, caller: Caller, id: string, attachmentId: string | null): Promise<void> {
  await detach(desk, caller, id, false, (volume, all) => {
    checkVolumeStatus(volume, 'detach');
    return theOne(volume, all, attachmentId);
  });
}

export interface ForceDetachRequest {
  readonly attachmentId: string | null;
  /** Connections from there end, too; from everywhere when null. */
  readonly connector: Connector | null;
}

export async function forceDetachVolume(
  desk: Desk,
  caller: Caller,
  id: string,
  { attachmentId, connector }: ForceDetachRequest,
): Promise<void> {
  await detach(desk, caller, id, true, (volume, all) => {
    const connections = all.filter(
      ({ attachStatus, connector: its }) =>
        attachStatus === 'detached' && its !== null && (connector === null || isSameConnector(its, connector)),
    );
    return [...theOne(volume, all, attachmentId), ...connections];
  });
}

async function detach(
  desk: Desk,
  caller: Caller,
  id: string,
  force: boolean,
  choose: (volume: Volume, all: readonly Attachment[]) => readonly Attachment[],
): Promise<void> {
  const flowId = await afterConnecting(desk, async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    const chosen = choose(volume, await attachmentsOf(tx.db, id));
    refuseInUse(caller, chosen);
    if (force && chosen.length > 0) await moveVolumeStatus(tx, id, 'force_detach_from_error');
    if (chosen.length > 0) return endAttachments(desk, tx, caller, volume, chosen);
    await settleVolume(tx, id);
    return null;
  });
  if (flowId !== null) await answerOfFlow(desk, flowId, 'detach the volume');
}

/** Which attachment is meant need not be said when there is only one; none when there is none. */
function theOne({ id }: Volume, all: readonly Attachment[], attachmentId: string | null): readonly Attachment[] {
  const attachments = all.filter(({ attachStatus }) => attachStatus !== 'detached');
  if (attachmentId === null) {
    if (attachments.length > 1)
      throw new InvalidVolume(`Volume ${id} has ${attachments.length} attachments; say which by attachment_id.`);
    return attachments;
  }
  const one = attachments.find((each) => each.id === attachmentId);
  if (one === undefined) throw new AttachmentNotFound(attachmentId);
  return [one];
}
