/**
 * `os-reset_status` of a volume: an administrator overwrites its status, attach status or migration status.
 *
 * No backend is asked, but for `attach_status` `detached`: a flow then ends every attachment and connection of the volume,
 * sessions first, and the volume gets its new status when nobody can reach it. A status that would be a lie is refused:
 * a free one (`available`, `awaiting-transfer`) while the volume is attached or connected, and `in-use` while it is not. So is
 * a volume that a flow holds exclusively: its status is the flow's to set, and an operator ends the flow instead.
 */
import { attachmentsOf } from '../../db/attachments.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { deleteTransfersOf } from '../../db/transfers.ts';
import { getVolume, updateVolume } from '../../db/volumes.ts';
import { settleReset, settleVolume } from '../../flows/attachments/attachments.ts';
import { tellVolume } from '../../flows/tell.ts';
import type { Attachment } from '../../model/attachment.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidVolume } from '../../model/errors.ts';
import { FREE_STATUSES, type VolumeStatus } from '../../model/status.ts';
import { answerOfFlow } from '../answer-of-flow.ts';
import { endAttachments } from '../attachments/end-attachments.ts';
import { volumeResource } from '../begin.ts';
import type { Desk } from '../desk.ts';
import { volumeFor } from '../find.ts';
import { lockVolume } from '../lock.ts';
import { whileUnheld } from '../unheld.ts';

export interface ResetVolumeStatus {
  readonly status?: VolumeStatus;
  readonly attachStatus?: 'attached' | 'detached';
  /** Null: it is not being migrated. */
  readonly migrationStatus?: string | null;
}

export async function resetVolumeStatus(
  desk: Desk,
  caller: Caller,
  id: string,
  { status, attachStatus, migrationStatus }: ResetVolumeStatus,
): Promise<void> {
  const unheld = {
    resource: volumeResource(id),
    find: (db: Desk['db']['read']) => volumeFor(db, caller, id),
    lock: (tx: Tx) => lockVolume(tx, caller, id),
  };
  const flowId = await whileUnheld(desk, unheld, async (tx, volume) => {
    const attachments = await attachmentsOf(tx.db, id);
    const detaches = attachStatus === 'detached';
    if (attachStatus === 'attached') checkAttached(id, attachments);
    if (status !== undefined) checkStatus(id, status, detaches, attachments);
    await tellVolume(tx, 'reset_status.start', volume, caller.requestId);
    if (migrationStatus !== undefined) await updateVolume(tx, id, { migrationStatus });
    // What is not offered any more cannot be accepted, not even when it is awaiting-transfer again.
    if (volume.status === 'awaiting-transfer' && status !== undefined && status !== volume.status)
      await deleteTransfersOf(tx, id);
    if (detaches) {
      const now = await getVolume(tx.db, id);
      return endAttachments(desk, tx, caller, now, attachments, { status: status ?? null });
    }
    await settleVolume(tx, id);
    await settleReset(tx, id, { status: status ?? volume.status }, caller.requestId);
    return null;
  });
  if (flowId !== null) await answerOfFlow(desk, flowId, 'detach the volume');
}

function checkAttached(id: string, attachments: readonly Attachment[]): void {
  if (!attachments.some(({ attachStatus }) => attachStatus === 'attached'))
    throw new InvalidVolume(`Volume ${id} cannot be reset to attached: none of its attachments is.`);
}

function checkStatus(id: string, status: VolumeStatus, detaches: boolean, all: readonly Attachment[]): void {
  if (FREE_STATUSES.includes(status) && all.length > 0 && !detaches)
    throw new InvalidVolume(
      `Volume ${id} cannot be reset to ${status}: it is attached or connected. With attach_status detached that is ended.`,
    );
  const attachments = detaches ? [] : all.filter(({ attachStatus }) => attachStatus !== 'detached');
  if (status === 'in-use' && attachments.length === 0)
    throw new InvalidVolume(`Volume ${id} cannot be reset to in-use: it has no attachments.`);
}
