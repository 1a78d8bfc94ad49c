/**
 * `os-attach`: a client has attached the volume, to a server or to a host. The connection it made for it before, if it made
 * one, belongs to the attachment from now on.
 */

import { attachmentsOf, insertAttachment, updateAttachment } from '../../db/attachments.ts';
import { moveVolumeStatus } from '../../db/volumes.ts';
import { settleVolume } from '../../flows/attachments/attachments.ts';
import { tellAttachments } from '../../flows/tell.ts';
import { now, uuid } from '../../lib/clock.ts';
import type { AttachMode } from '../../model/attachment.ts';
import type { Caller } from '../../model/caller.ts';
import { InvalidVolume } from '../../model/errors.ts';
import { checkVolumeStatus } from '../by-status.ts';
import type { Desk } from '../desk.ts';
import { lockVolume } from '../lock.ts';
import { refuseMigrating } from '../volumes/migrating.ts';
import { attachModeOf } from './attach-mode.ts';

export interface AttachVolumeRequest {
  readonly instanceId: string | null;
  readonly hostName: string | null;
  readonly mountpoint: string;
  readonly mode: AttachMode | null;
}

export async function attachVolume(
  { db }: Desk,
  caller: Caller,
  id: string,
  { instanceId, hostName, mountpoint, mode }: AttachVolumeRequest,
): Promise<void> {
  await db.write(async (tx) => {
    const volume = await lockVolume(tx, caller, id);
    refuseMigrating(volume, 'attached');
    const { multiattach, projectId } = volume;
    const attachMode = attachModeOf(volume, mode);
    const all = await attachmentsOf(tx.db, id);
    if (all.some((each) => instanceId !== null && each.instanceId === instanceId && each.attachStatus === 'attached'))
      return;
    // Whoever has an attachment is attached by completing that.
    const taken = !multiattach && all.find(({ attachStatus }) => attachStatus !== 'detached');
    if (taken) throw new InvalidVolume(`Volume ${id} cannot be attached: it has attachment ${taken.id}.`);
    checkVolumeStatus(volume, 'attach', multiattach);
    await tellAttachments(tx, 'attach.start', volume, caller.requestId);
    const connection = all.findLast(
      (each) => each.attachStatus === 'detached' && (hostName === null || each.attachedHost === hostName),
    );
    const facts = { instanceId, mountpoint, attachMode, attachStatus: 'attached', attachedAt: now() } as const;
    const host = hostName === null ? {} : { attachedHost: hostName };
    if (connection) await updateAttachment(tx, connection.id, { ...facts, ...host });
    else await insertAttachment(tx, { id: uuid(), projectId, volumeId: id, ...facts, ...host });
    await moveVolumeStatus(tx, id, 'attach', { also: multiattach });
    await tellAttachments(tx, 'attach.end', await settleVolume(tx, id), caller.requestId);
  });
}
