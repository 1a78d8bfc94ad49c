/**
 * `os-initialize_connection`: opens a volume to a connector. The same connector gets the same connection, however often it
 * asks. It says nothing of the volume's being attached; that is `os-attach`.
 */
import { attachmentsOf, getAttachment, insertAttachment, updateAttachment } from '../../db/attachments.ts';
import type { Tx } from '../../db/sql/tx.ts';
import { uuid } from '../../lib/clock.ts';
import { type Attachment, type Connector, isSameConnector } from '../../model/attachment.ts';
import type { Caller } from '../../model/caller.ts';
import type { Volume } from '../../model/volume.ts';
import { answerOfFlow } from '../answer-of-flow.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';
import { attachModeOf } from './attach-mode.ts';
import { beginConnection, stays } from './connect.ts';

export async function initializeConnection(
  desk: Desk,
  caller: Caller,
  id: string,
  connector: Connector,
): Promise<Attachment> {
  const { attachmentId, flowId } = await desk.db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    const { attachment, failed } = await connection(tx, volume, connector);
    const flowId = await beginConnection(desk, tx, caller, volume, attachment, { attaching: false, failed });
    return { attachmentId: attachment.id, flowId };
  });
  await answerOfFlow(desk, flowId, 'connect the volume');
  return getAttachment(desk.db.read, attachmentId);
}

async function connection(tx: Tx, volume: Volume, connector: Connector) {
  const all = await attachmentsOf(tx.db, volume.id);
  const known = all.find(
    (each) =>
      each.connector !== null && each.attachStatus !== 'detaching' && isSameConnector(each.connector, connector),
  );
  if (known) {
    const failed = known.attachStatus === 'detached' ? 'gone' : 'disconnected';
    return { attachment: known, failed: known.connectionInfo === null ? failed : stays(known) } as const;
  }
  const attachedHost = typeof connector.host === 'string' ? connector.host : null;
  const waiting = all.find(
    (each) => each.connector === null && each.attachStatus === 'attached' && each.attachedHost === attachedHost,
  );
  if (waiting) {
    await updateAttachment(tx, waiting.id, { connector });
    return { attachment: waiting, failed: 'disconnected' } as const;
  }
  const attachment = await insertAttachment(tx, {
    id: uuid(),
    projectId: volume.projectId,
    volumeId: volume.id,
    attachedHost,
    connector,
    attachMode: attachModeOf(volume, null),
    attachStatus: 'detached',
  });
  return { attachment, failed: 'gone' } as const;
}
