/**
 * Close a volume to attachments, and delete those that end with it.
 *
 * The command has removed the connection info from the rows, so nobody makes the exports again, and taken the holds. Closing
 * goes forward: a backend that does not answer is asked until it does, since a row that says "detached" while
 * somebody still writes would let the volume be given to others. Only when no session is left the rows go, and the
 * volume's status follows from its remaining attachments. An operator can end it with `pumice flows revert`; then the
 * attachment says `error_detaching`, and can be detached again.
 */
import { deleteAttachmentRow, lockAttachmentsOf, updateAttachment } from '../../db/attachments.ts';
import { findVolume } from '../../db/volumes.ts';
import type { VolumeRef } from '../../drivers/driver.ts';
import { attachmentStarted } from '../started.ts';
import { tellAttachments, tellUser } from '../tell.ts';
import { flow, obligation, onHostOf, record, world } from '../tools.ts';
import { type Reset, settleReset, settleVolume } from './attachments.ts';

export interface TerminateConnection {
  readonly volumeRef: VolumeRef;
  readonly pool: string;
  readonly attachments: readonly { readonly id: string; readonly ends: boolean }[];
  /** The volume is detached, and says so; else only connections end. */
  readonly detaching: boolean;
  /** An administrator's word, which waits until nobody reaches the volume. */
  readonly reset?: Reset;
}

const ErrorDetaching = obligation({
  name: 'error_detaching',
  revert: async (
    { volumeRef: { id }, attachments, detaching }: TerminateConnection,
    _outcome,
    { tx, failures, ...context },
  ) => {
    const volume = await findVolume(tx.db, id);
    if (volume === undefined) return;
    if (detaching) {
      for (const each of attachments) {
        if (each.ends) await updateAttachment(tx, each.id, { attachStatus: 'error_detaching' });
      }
      await settleVolume(tx, id);
    }
    await tellUser(tx, 'detach-volume', failures[0], volume, context);
  },
});

const RemoveExports = world({
  name: 'remove_exports',
  forwardOnly: true,
  execute: async ({ volumeRef: volume, attachments, pool }: TerminateConnection, call) => {
    const driver = call.tools.driver(pool);
    for (const { id: attachmentId } of attachments) {
      const { connector } = await call.tools.attachment(attachmentId);
      await driver.removeExport({ attachmentId, volume, ...(connector && { connector }) }, call);
    }
  },
});

const ForgetConnections = record({
  name: 'forget_connections;detach.end',
  execute: async ({ volumeRef: { id }, attachments, detaching, reset }: TerminateConnection, { tx, requestId }) => {
    await lockAttachmentsOf(tx, id);
    for (const each of attachments) {
      if (each.ends) await deleteAttachmentRow(tx, each.id);
      else await updateAttachment(tx, each.id, { connector: null, connectionInfo: null });
    }
    if (detaching) await tellAttachments(tx, 'detach.end', await settleVolume(tx, id), requestId);
    if (reset) await settleReset(tx, id, reset, requestId);
  },
});

export const terminateConnection = flow<TerminateConnection>('terminate_connection')
  .add(ErrorDetaching)
  .lane(onHostOf)
  .add(attachmentStarted('detach.start'), { rebind: { told: 'detaching' } })
  .add(RemoveExports)
  .add(ForgetConnections)
  .build({ version: 1 });
