/**
 * Open a volume to the connector of an attachment, and keep how it is reached.
 *
 * The command has written the connector into the attachment's row and taken the holds (the attachment exclusive, its volume
 * shared). The secret is read from the row where it is needed, and is in no input and no result. When it fails the export is
 * removed before the row says so; one that was there before, and is only made again, is left as it is, and tried again by
 * whoever keeps exports (`upkeep/reconcile-exports.ts`).
 */
import { deleteAttachmentRow, findAttachment, lockAttachment, updateAttachment } from '../../db/attachments.ts';
import { getQosSpecs } from '../../db/qos-specs.ts';
import { getVolumeType } from '../../db/volume-types.ts';
import { getVolume, moveVolumeStatus } from '../../db/volumes.ts';
import type { VolumeRef } from '../../drivers/driver.ts';
import type { ConnectionInfo } from '../../model/attachment.ts';
import { frontEndSpecs } from '../../model/qos-specs.ts';
import { attachmentStarted } from '../started.ts';
import { tellUser } from '../tell.ts';
import { flow, obligation, onHostOf, record, world } from '../tools.ts';
import { neverAsked } from '../undo.ts';
import { settleVolume } from './attachments.ts';

export interface InitializeConnection {
  readonly attachmentId: string;
  readonly volumeRef: VolumeRef;
  readonly pool: string;
  /** The attachment becomes `attaching`, and the volume with it; else only its connection is made. */
  readonly attaching: boolean;
  /**
   * What becomes of the attachment when it fails. `gone`: it was made for this. `error`: it says so. `disconnected`: it is
   * what it was, without an export. `unchanged`: there was an export before, which stays. `taken_over`: it stays as another
   * service has left it, which may still export it.
   */
  readonly failed: 'gone' | 'error' | 'disconnected' | 'unchanged' | 'taken_over';
}

const ErrorAttaching = obligation({
  name: 'error_attaching',
  revert: async (
    { attachmentId, volumeRef: { id }, attaching, failed }: InitializeConnection,
    _outcome,
    { tx, failures, ...context },
  ) => {
    if (failed === 'unchanged' || failed === 'taken_over') return;
    if ((await findAttachment(tx.db, attachmentId)) === undefined) return;
    if (failed === 'gone') await deleteAttachmentRow(tx, attachmentId);
    else {
      const attachStatus = failed === 'error' ? ({ attachStatus: 'error_attaching' } as const) : {};
      await updateAttachment(tx, attachmentId, { ...attachStatus, connector: null, connectionInfo: null });
    }
    const volume = attaching ? await settleVolume(tx, id) : await getVolume(tx.db, id);
    await tellUser(tx, 'attach-volume', failures[0], volume, context);
  },
});

const EnsureExport = world({
  name: 'ensure_export',
  execute: async ({ attachmentId, volumeRef: volume, pool }: InitializeConnection, call) => {
    const { connectionInfo, ...row } = await call.tools.attachment(attachmentId);
    const { connector, attachMode, secret } = row;
    const access = { connector: connector ?? {}, readOnly: attachMode === 'ro', secret };
    const limits = () => call.tools.limits(volume.id);
    const wanted = { attachmentId, volume, ...access, limits, reached: connectionInfo };
    const reached: ConnectionInfo = await call.tools.driver(pool).ensureExport(wanted, call);
    return { reached };
  },
  revert: async ({ attachmentId, volumeRef: volume, pool, failed }: InitializeConnection, outcome, call) => {
    if (failed === 'unchanged' || neverAsked(outcome)) return;
    const { connector } = await call.tools.attachment(attachmentId);
    await call.tools.driver(pool).removeExport({ attachmentId, volume, ...(connector && { connector }) }, call);
  },
});

const KeepConnection = record({
  name: 'keep_connection',
  execute: async (
    { attachmentId, volumeRef: { id }, attaching, reached }: InitializeConnection & { reached: ConnectionInfo },
    { tx },
  ) => {
    const { attachMode, connector } = await lockAttachment(tx, attachmentId);
    const { encryptionKeyId, volumeTypeId, multiattach, sizeGiB } = await getVolume(tx.db, id);
    const { extraSpecs, qosSpecsId } = await getVolumeType(tx.db, volumeTypeId);
    const qos = qosSpecsId === null ? null : await getQosSpecs(tx.db, qosSpecsId);
    const data = {
      ...reached.data,
      access_mode: attachMode,
      encrypted: encryptionKeyId !== null,
      qos_specs: qos === null ? null : frontEndSpecs(qos, sizeGiB),
      cacheable: !multiattach && extraSpecs.cacheable === '<is> True',
    };
    await updateAttachment(tx, attachmentId, {
      connectionInfo: { ...reached, data },
      takenOver: false,
      ...(typeof connector?.host === 'string' && { attachedHost: connector.host }),
      ...(attaching && { attachStatus: 'attaching' }),
    });
    if (attaching) await moveVolumeStatus(tx, id, 'attachment_update');
  },
});

export const initializeConnection = flow<InitializeConnection>('initialize_connection')
  .add(ErrorAttaching)
  .lane(onHostOf)
  .add(attachmentStarted('attach.start'), { rebind: { told: 'attaching' } })
  .add(EnsureExport)
  .add(KeepConnection)
  .build({ version: 1 });
